"""Whatever is asked of a task in whatever order, the store keeps to the table of states."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from undaunted.store.records import TaskFailureRecord
from undaunted.store.store import Store
from undaunted.tasks import (
    FINAL_STATES,
    Attempt,
    IllegalTransitionError,
    Task,
    TaskState,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED, RUNNING, WAITING = TaskState.QUEUED, TaskState.RUNNING, TaskState.WAITING

# From which states each step is allowed, and where it leads: HOUSE's table, said once more.
STEPS = {
    "start": ({QUEUED}, RUNNING),
    "wait": ({RUNNING}, WAITING),
    "resume": ({WAITING}, RUNNING),
    "open": ({RUNNING}, RUNNING),
    "succeed": ({RUNNING}, TaskState.SUCCEEDED),
    "fail": ({QUEUED, RUNNING, WAITING}, TaskState.FAILED),
    "cancel": ({QUEUED, RUNNING, WAITING}, TaskState.CANCELLED),
}


async def step(store: Store, task_id: str, name: str, numbers: count[int]) -> bool:
    """Asks for one step; whether the store took it."""
    try:
        match name:
            case "start":
                await store.start_task(task_id, NOW)
            case "wait":
                await store.set_waiting(task_id, NOW + timedelta(minutes=1))
            case "resume":
                await store.resume_waiting(task_id)
            case "open":
                number = next(numbers)
                attempt = Attempt(number, "a", "default", None, f"t{number}", NOW, "next")
                await store.open_attempt(task_id, attempt)
            case _:
                _, state = STEPS[name]
                failure = TaskFailureRecord(
                    task_id=task_id,
                    error_message=name,
                    attempted_agents=(),
                    duration_s=0.0,
                    timestamp=NOW,
                )
                return await store.finish_task(task_id, state, at=NOW, failure=failure)
    except IllegalTransitionError:
        return False
    return True


async def check(store: Store, names: list[str]) -> None:
    task, numbers = Task(prompt="x"), count(1)
    await store.create_task(task, created_at=NOW)
    expected = QUEUED
    for name in names:
        allowed, state = STEPS[name]
        assert await step(store, task.id, name, numbers) == (expected in allowed)
        expected = state if expected in allowed else expected
        record = await store.task(task.id)
        assert record.state is expected
        assert (record.finished_at is not None) == (expected in FINAL_STATES)
        assert (record.waiting_until is not None) == (expected is WAITING)
    failures = await store.task_failures(limit=10_000)
    assert [f.task_id for f in failures].count(task.id) == (expected in FINAL_STATES)


def test_every_order_of_steps_keeps_to_the_table(tmp_path: Path) -> None:
    """A step is taken exactly where the table has it, and there is one final state at most."""
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(tmp_path, clock_now=lambda: NOW))

        @settings(max_examples=60)
        @given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
        def examples(names: list[str]) -> None:
            runner.run(check(store, names))

        try:
            examples()
        finally:
            runner.run(store.aclose())
