"""Where cgroup v2 is mounted, and that it can be switched off."""

from __future__ import annotations

from pathlib import Path

import pytest

from undaunted.agents.cgroup import CgroupFolder, _mounted, find_cgroups
from undaunted.agents.process_table import process_table

V1 = "35 24 0:30 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("mount", "own", "folder"),
    [
        ("/ /sys/fs/cgroup rw", "/a.slice/b", "/sys/fs/cgroup/a.slice/b"),
        ("/ /sys/fs/cgroup/unified rw", "/", "/sys/fs/cgroup/unified"),
        ("/box /sys/fs/cgroup ro shared:9", "/box/in", "/sys/fs/cgroup/in"),
        ("/ /mnt/a\\040b rw", "/x", "/mnt/a b/x"),
    ],
    ids=["pure", "hybrid", "container", "space"],
)
def test_the_group_is_found_where_it_is_mounted(mount: str, own: str, folder: str) -> None:
    """Its folder is the mount point with the group's path below the mount's root."""
    line = f"31 24 0:27 {mount} - cgroup2 cgroup2 rw\n"
    assert _mounted(V1 + line, own) == [Path(folder)]


@pytest.mark.parametrize(
    "line",
    [
        "31 24 0:27 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "31 24 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
    ],
    ids=["not visible", "another type"],
)
def test_what_is_not_there_is_not_found(line: str) -> None:
    """A hierarchy that does not show our group, or that is none of cgroup v2, is no use."""
    assert _mounted(V1 + line, "/other") == []


def test_it_can_be_switched_off() -> None:
    """UNDAUNTED_CGROUPS=off: none are looked for."""
    assert find_cgroups({"UNDAUNTED_CGROUPS": "off"}) is None


def test_two_runners_of_one_process(tmp_path: Path) -> None:
    """Each run has a group of its own, also where the library is used several times at once."""
    first, second = (CgroupFolder(tmp_path, table=process_table()) for _ in range(2))
    groups = [folder.create() for folder in (first, second, first)]
    assert len({group.path for group in groups if group is not None}) == 3
