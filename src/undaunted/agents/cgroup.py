"""A control group (cgroup v2) for each run: the kernel's own list of what a command started.

A process stays in its parent's group whatever it does with its session, its environment and its
parents, and one write ends a whole group. A group takes no rights but to the folder in which it is
made, which a user has in a delegated part of the hierarchy, and root everywhere.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from undaunted.agents.process_table import ProcessTable, process_table

__all__ = ["CGROUPS_VARIABLE", "Cgroup", "CgroupFolder", "find_cgroups"]

CGROUPS_VARIABLE = "UNDAUNTED_CGROUPS"
"""`off` keeps undaunted from making cgroups where it could."""

_log = logging.getLogger(__name__)

_PREFIX = "undaunted-"
_NAME = re.compile(rf"{_PREFIX}(?P<namespace>\d+)-(?P<pid>\d+)-(?P<started>\d+)-\d+")
_OCTAL = re.compile(r"\\([0-7]{3})")


class Cgroup:
    """One run's group.

    Args:
        path: Its folder, which is there and empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def enter(self, pid: int) -> bool:
        """Moves a process here with all its threads; whether that worked.

        What it starts from now on begins here. It works unless the process has ended, or a rule of
        the machine forbids it, which is logged.
        """
        try:
            _write(self.path / "cgroup.procs", str(pid))
        except ProcessLookupError:
            return False
        except OSError as error:
            _log.debug("process %d could not be moved to %s: %s", pid, self.path, error)
            return False
        return True

    def pids(self) -> frozenset[int]:
        """Every process here and in the groups that were made below, zombies included."""
        found: set[int] = set()
        for folder in _tree(self.path):
            try:
                text = (folder / "cgroup.procs").read_text("ascii")
            except OSError:
                continue  # removed since (an agent's own groups), or a threaded one
            found.update(map(int, text.split()))
        return frozenset(found - {0})  # 0 stands for a process of another pid namespace

    def kill(self) -> None:
        """Sends KILL to everything here and below, also to what is being forked right now.

        Before Linux 5.14 there is no such thing, and nothing happens.
        """
        try:
            _write(self.path / "cgroup.kill", "1")
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("could not kill all of %s: %s", self.path, error)

    def remove(self) -> bool:
        """Removes the group and those below; whether it is gone. It isn't while anything lives."""
        for folder in _tree(self.path):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False  # EBUSY: something lives there, or is not quite gone
        return True


class CgroupFolder:
    """The group in which undaunted itself runs: the runs' groups are made below.

    A run's group is called after the process that made it, so that the next one knows whose
    leftovers it sees. (A limit that the machine sets for undaunted holds for its agents too.)

    Args:
        path: The folder.
        table: How to look at the machine's processes.
    """

    def __init__(self, path: Path, *, table: ProcessTable) -> None:
        self._path = path
        self._table = table
        # A pid says nothing to another pid namespace (a container on the same hierarchy).
        self._namespace = Path("/proc/self/ns/pid").stat().st_ino
        pid, started = table.read()[os.getpid()].identity
        self._name = f"{_PREFIX}{self._namespace}-{pid}-{started}-"
        self._numbers = count(1)
        self._swept = False

    def create(self) -> Cgroup | None:
        """Makes a group for one run; None, with a word in the log, where that fails."""
        if not self._swept:
            self._swept = True
            self.remove_leftovers()
        while True:
            path = self._path / f"{self._name}{next(self._numbers)}"
            try:
                path.mkdir()
            except FileExistsError:
                continue  # another runner's of this process
            except OSError as error:
                _log.warning("no cgroup for this run: %s", error)
                return None
            return Cgroup(path)

    def remove_leftovers(self) -> None:
        """Ends and removes the groups of undaunted processes that are dead.

        There are some only where the guard was killed together with its undaunted.
        """
        living = {entry.identity for entry in self._table.read().values()}
        for path in self._path.glob(f"{_PREFIX}*"):
            name = _NAME.fullmatch(path.name)
            if name is None or int(name["namespace"]) != self._namespace:
                continue
            if (int(name["pid"]), int(name["started"])) not in living:
                leftover = Cgroup(path)
                leftover.kill()
                leftover.remove()  # if it is not gone yet, the next one will find it empty


def find_cgroups(env: Mapping[str, str]) -> CgroupFolder | None:
    """The group of this process, if groups can be made in it; None otherwise.

    Both places of the hierarchy count: `/sys/fs/cgroup`, and `/sys/fs/cgroup/unified` beside the
    old hierarchies of a hybrid machine.

    Args:
        env: Where `UNDAUNTED_CGROUPS=off` says that none are wanted.

    Source: cgroups(7), the kernel's admin-guide/cgroup-v2, proc_pid_mountinfo(5).
    """
    if env.get(CGROUPS_VARIABLE) == "off":
        return None
    try:
        groups = Path("/proc/self/cgroup").read_text("utf-8")
        mounts = Path("/proc/self/mountinfo").read_text("utf-8")
    except OSError:
        return None  # not Linux, or nothing that it would show us
    own = next((line[3:] for line in groups.splitlines() if line.startswith("0::/")), None)
    if own is None:
        return None
    for mounted in _mounted(mounts, own):
        if _can_hold_runs(mounted):
            return CgroupFolder(mounted, table=process_table())
    return None


def _mounted(mounts: str, own: str) -> list[Path]:
    """Where the group `own` can be seen in the file system.

    A line is: id parent device root mount-point options [more ...] - type source options.
    """
    found = []
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[:1] != ["cgroup2"]:
            continue
        root, mount_point = (
            _OCTAL.sub(lambda digits: chr(int(digits[1], 8)), field)
            for field in before.split()[3:5]
        )
        if Path(own).is_relative_to(root):
            found.append(Path(mount_point) / Path(own).relative_to(root))
    return found


def _can_hold_runs(folder: Path) -> bool:
    """Whether groups can be made here and this process's children be moved into them.

    Moving takes write access to cgroup.procs of the group that both have in common: this one.
    """
    try:
        ours = (folder / "cgroup.procs").read_text("ascii").split()
    except OSError:
        return False
    return str(os.getpid()) in ours and all(
        os.access(path, os.W_OK) for path in (folder, folder / "cgroup.procs")
    )


def _tree(path: Path) -> list[Path]:
    """The folder and all below it, the deepest first."""
    return [Path(folder) for folder, _, _ in os.walk(path, topdown=False)]


def _write(file: Path, text: str) -> None:
    # Neither created nor truncated: these files are the kernel's.
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
