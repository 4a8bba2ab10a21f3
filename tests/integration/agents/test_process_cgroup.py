"""Runs in cgroups of their own: what hides is found, and no group stays."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from living import is_alive
from undaunted.agents.cgroup import Cgroup, CgroupFolder, find_cgroups
from undaunted.agents.process import GuardedRunner, ProcessResult
from undaunted.agents.process_table import process_table

SLEEP = "sleep 600"
HIDE = f"(env -i setsid {SLEEP} & echo $!)"

pytestmark = pytest.mark.cgroups


@pytest.fixture
def folder() -> Iterator[Path]:
    """A group for this test, in which groups can be made; empty and gone afterwards."""
    cgroups = find_cgroups({})
    assert cgroups is not None
    group = cgroups.create()
    assert group is not None
    yield group.path
    group.kill()
    while any(map(is_alive, group.pids())):
        os.sched_yield()
    assert group.remove()


def groups_in(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if path.is_dir()}


@pytest.fixture
async def runner(folder: Path) -> AsyncIterator[GuardedRunner]:
    runner = GuardedRunner(cgroups=CgroupFolder(folder, table=process_table()))
    yield runner
    await runner.aclose()
    assert groups_in(folder) == set()


def start(
    runner: GuardedRunner, stage: Any, *argv: str, **settings: Any
) -> asyncio.Task[ProcessResult]:
    return asyncio.create_task(runner(stage.spec(*argv, **settings), on_stdout_line=stage._take))


async def test_a_run_has_its_own_group(runner: GuardedRunner, stage: Any) -> None:
    """What it starts after reading its prompt is in a group that no other run has."""
    script = "read prompt; grep ^0:: /proc/self/cgroup"
    other = type(stage)(stage.cwd)
    await asyncio.gather(
        *(start(runner, s, "sh", "-c", script, stdin=b"go\n") for s in (stage, other))
    )
    (group,), (beside,) = stage.lines, other.lines
    assert group != beside
    assert b"/undaunted-" in group


async def test_what_hides_is_ended(runner: GuardedRunner, stage: Any) -> None:
    """An orphan without environment in its own session is ended with a run that is stopped."""
    script = f"read prompt; {HIDE}; {SLEEP}"
    running = start(runner, stage, "sh", "-c", script, stdin=b"go\n")
    pid = int(await stage.line(0))
    assert is_alive(pid)
    await stage.stop(running)
    assert not is_alive(pid)


async def test_what_hides_is_named(runner: GuardedRunner, stage: Any) -> None:
    """One that a command which exited by itself left behind is found, named and ended."""
    result = await start(runner, stage, "sh", "-c", f"read prompt; {HIDE}", stdin=b"go\n")
    assert (result.exit_code, result.left_behind) == (0, ("sleep",))
    assert not is_alive(int(stage.lines[0]))


async def test_groups_below_are_ended_and_removed(
    runner: GuardedRunner, stage: Any, folder: Path
) -> None:
    """An agent that makes groups itself (a nested undaunted) leaves none."""
    script = (
        f"read prompt; group={folder}/$(basename $(grep ^0:: /proc/self/cgroup)); "
        f"mkdir $group/inner; echo $$ > $group/inner/cgroup.procs; {HIDE}"
    )
    result = await start(runner, stage, "sh", "-c", script, stdin=b"go\n")
    assert (result.exit_code, result.left_behind) == (0, ("sleep",))


async def test_what_ignores_term_is_killed(runner: GuardedRunner, stage: Any) -> None:
    """After the grace the group is killed as a whole, deaf ones and hidden ones."""
    script = f"trap '' TERM; read prompt; {HIDE}; {SLEEP}"
    running = start(runner, stage, "sh", "-c", script, stdin=b"go\n", grace_s=0.2)
    pid = int(await stage.line(0))
    await stage.stop(running)
    assert not is_alive(pid)


def test_leftovers_of_the_dead_are_ended(folder: Path) -> None:
    """A group whose maker is dead is emptied and removed; a living one's stays."""
    sleeper = subprocess.Popen(SLEEP.split())
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    orphan = Cgroup(folder / f"undaunted-{namespace}-{2**22 + 1}-1-1")
    others = folder / "undaunted-1-2-3-4"
    for path in (orphan.path, others):
        path.mkdir()
    assert orphan.enter(sleeper.pid)
    assert orphan.pids() == {sleeper.pid}
    cgroups = CgroupFolder(folder, table=process_table())
    own = cgroups.create()
    assert own is not None
    assert sleeper.wait(timeout=60) == -9
    cgroups.remove_leftovers()
    assert groups_in(folder) == {own.path, others}, "another pid namespace's, and our own"


def test_a_process_that_is_gone_can_not_be_moved(folder: Path) -> None:
    """Moving a dead process says so; the group stays empty."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    process.wait()
    assert not Cgroup(folder).enter(process.pid)


def test_a_group_that_can_not_be_made_is_done_without(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on without one, and the log says why."""
    monkeypatch.setattr(logging.getLogger("undaunted.agents.cgroup"), "disabled", False)
    cgroups = CgroupFolder(folder / "gone", table=process_table())
    with caplog.at_level(logging.WARNING):
        assert cgroups.create() is None
    assert "no cgroup for this run" in caplog.text
