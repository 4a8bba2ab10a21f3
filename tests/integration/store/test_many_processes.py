"""Many processes on one file at once: HOUSE's rule 6 with real ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undaunted.health_records import HealthKey
from undaunted.store.store import FILE_NAME, Store
from undaunted.tasks import AttemptOutcome, TaskState

PROCESSES = 8
TASKS = 6


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["run_tasks", "reopen"])
async def test_eight_processes_that_begin_with_no_file_lose_nothing(
    role: str, start_child, tmp_path: Path
) -> None:
    """Made and hammered by eight at the same moment, the file holds every row of each."""
    folder = tmp_path / "data"
    crowd = start_child("crowd", folder, role, str(PROCESSES), str(TASKS))
    _, errors = crowd.communicate()
    assert (crowd.returncode, errors) == (0, "")

    async with await Store.open(folder, clock_now=now) as store:
        records = await store.list_tasks(limit=1000)
        assert sorted({r.task.id[:4] for r in records}) == [
            f"p{p}-{n}" for p in range(PROCESSES) for n in range(TASKS)
        ]
        assert {r.state for r in records} == {TaskState.SUCCEEDED}
        assert {r.attempts[0].outcome for r in records} == {AttemptOutcome.SUCCEEDED}
        for record in records:
            (chunk,) = await store.transcript(record.task.id)
            assert chunk.data == b"x" * 4096
        health = await store.health()
        assert health[HealthKey("claude", "default")].attempts == PROCESSES * TASKS
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
async def test_a_sweep_takes_no_living_task(start_child, tmp_path: Path) -> None:
    """One process sweeps all the time while another runs tasks: it loses not one of them."""
    folder = tmp_path / "data"
    sweeper = start_child("sweep", folder)
    assert sweeper.stdout.readline() == "ready\n"
    runner = start_child("run_tasks", folder, "p", "12")
    _, errors = runner.communicate()
    assert (runner.returncode, errors) == (0, "")
    assert sweeper.communicate("go\n") == ("0\n", "")


async def test_a_killed_runner_loses_its_task_to_the_next_sweep(
    start_child, tmp_path: Path
) -> None:
    """While the runner lives its task is left alone; killed, its task shows as interrupted."""
    folder = tmp_path / "data"
    runner = start_child("hold", folder, "held")
    assert runner.stdout.readline() == "holding\n"
    async with await Store.open(folder, clock_now=now) as store:
        assert await store.sweep_interrupted(now()) == []
        runner.kill()
        runner.wait()
        (swept,) = await store.sweep_interrupted(now())
        assert (swept.task.id, swept.state, swept.error_kind) == (
            "held",
            TaskState.FAILED,
            "interrupted",
        )
        assert [a.outcome for a in swept.attempts] == [AttemptOutcome.INTERRUPTED]
    assert list((folder / "runs").iterdir()) == []
