"""What every store promises about tasks whose process died."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from undaunted.errors import StoreError
from undaunted.store.run_lock import RunLock
from undaunted.store.store import Store
from undaunted.tasks import Attempt, AttemptOutcome, Task, TaskState


def attempt(number: int, agent: str, at: datetime) -> Attempt:
    return Attempt(number, agent, "default", None, f"token-{number}", at, "next in order")


@pytest.fixture
async def left(store: Store, now: datetime) -> str:
    """A running task that nobody holds, with a closed and an open attempt."""
    await store.create_task(Task(prompt="x", id="left"), created_at=now)
    await store.start_task("left", now)
    first = attempt(1, "claude", now)
    await store.open_attempt("left", first)
    await store.close_attempt("left", replace(first, outcome=AttemptOutcome.FAILED, kind="timeout"))
    await store.open_attempt("left", attempt(2, "gemini", now))
    return "left"


async def test_a_left_task_fails_as_interrupted(store: Store, left: str, now: datetime) -> None:
    """The task, its open attempt and the record of the failure say what happened."""
    at = now + timedelta(minutes=1)
    (swept,) = await store.sweep_interrupted(at)
    assert swept == await store.task(left)
    assert (swept.state, swept.finished_at) == (TaskState.FAILED, at)
    assert (swept.error_kind, swept.error_code) == ("interrupted", "TASK_EXECUTION_ERROR")
    assert swept.switches == 1
    closed, opened = swept.attempts
    assert (closed.outcome, closed.kind) == (AttemptOutcome.FAILED, "timeout")
    assert (opened.outcome, opened.kind, opened.action) == (
        AttemptOutcome.INTERRUPTED,
        "interrupted",
        "retry",
    )
    assert opened.message
    assert opened.duration_s is None
    (failure,) = await store.task_failures()
    assert (failure.task_id, failure.attempted_agents) == (left, ("claude", "gemini"))
    assert (failure.duration_s, failure.timestamp) == (60.0, at)


async def test_a_swept_task_is_swept_once_and_takes_no_more_results(
    store: Store, left: str, now: datetime
) -> None:
    """Whoever was presumed dead can write neither an attempt nor a final state."""
    (swept,) = await store.sweep_interrupted(now)
    assert await store.sweep_interrupted(now) == []
    late = replace(attempt(2, "gemini", now), outcome=AttemptOutcome.SUCCEEDED)
    assert not await store.close_attempt(left, late)
    assert not await store.finish_task(left, TaskState.SUCCEEDED, at=now, content="late")
    assert await store.task(left) == swept


async def test_a_held_task_is_left_alone_in_every_state(store: Store, now: datetime) -> None:
    """A task whose lock is held is never touched: queued, running or waiting."""
    with RunLock(store.folder, "held"):
        await store.create_task(Task(prompt="x", id="held"), created_at=now)
        assert await store.sweep_interrupted(now) == []
        await store.start_task("held", now)
        assert await store.sweep_interrupted(now) == []
        await store.set_waiting("held", now)
        assert await store.sweep_interrupted(now) == []
    assert [record.task.id for record in await store.sweep_interrupted(now)] == ["held"]


async def test_a_finished_task_is_left_alone(store: Store, left: str, now: datetime) -> None:
    """A final state needs no owner."""
    await store.finish_task(left, TaskState.SUCCEEDED, at=now, content="done")
    assert await store.sweep_interrupted(now) == []
    assert (await store.task(left)).content == "done"


async def test_left_tasks_come_oldest_first(store: Store, now: datetime) -> None:
    """The sweep returns what it failed in the order in which it was accepted."""
    for n in (2, 0, 1):
        task = Task(prompt="x", id=f"task-{n}")
        await store.create_task(task, created_at=now + timedelta(seconds=n))
    swept = await store.sweep_interrupted(now + timedelta(minutes=1))
    assert [record.task.id for record in swept] == ["task-0", "task-1", "task-2"]


async def test_a_run_lock_is_one_holders(store: Store) -> None:
    """A second holder is refused at once, and a released lock leaves no file."""
    first, second = RunLock(store.folder, "t"), RunLock(store.folder, "t")
    assert not second.is_held()
    with first:
        assert first.is_held()
        assert second.is_held()
        for lock in (first, second):
            with pytest.raises(StoreError, match="is being run already"):
                lock.acquire()
    assert not first.is_held()
    with second:
        assert first.is_held()
    assert list((store.folder / "runs").iterdir()) == []
    second.release()
