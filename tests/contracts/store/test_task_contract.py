"""What every store promises about tasks and their attempts."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from undaunted.errors import InvalidTaskError, NotFoundError, StoreError
from undaunted.store.records import TaskFailureRecord
from undaunted.store.store import Store
from undaunted.store.types import NaiveDatetimeError
from undaunted.tasks import (
    Attempt,
    AttemptOutcome,
    IllegalTransitionError,
    PermissionDenial,
    Task,
    TaskState,
    Usage,
)

FULL_TASK = Task(
    prompt="--help\n\x00 ünïcode 🦊",
    id="task-1",
    cwd="/srv/project",
    permissions="full",
    agents=("claude", "gemini"),
    models={"": "small", "claude": "opus"},
    agent_args={"claude": ("--a", "b c"), "": ()},
    env_names=("FOO", "BAR"),
    session_id="my-group",
    timeout_s=1.5,
    idle_timeout_s=2.5,
    deadline_s=3.5,
    max_wait_s=4.5,
    attempts=7,
)


def attempt(number: int, at: datetime, *, agent: str = "claude") -> Attempt:
    return Attempt(
        number=number,
        agent=agent,
        account="default",
        model="opus",
        token=f"token-{number}",
        started_at=at,
        reason_chosen="first in the configured order",
    )


def failure(task_id: str, at: datetime, *agents: str) -> TaskFailureRecord:
    return TaskFailureRecord(
        task_id=task_id,
        error_message="every agent failed",
        attempted_agents=agents,
        duration_s=12.5,
        timestamp=at,
    )


async def running(store: Store, at: datetime, task: Task = FULL_TASK) -> str:
    await store.create_task(task, created_at=at)
    await store.start_task(task.id, at)
    return task.id


async def test_a_task_comes_back_as_it_was_accepted(store: Store, now: datetime) -> None:
    """Every field of a task survives, and nothing but what was asked is set."""
    defaults = Task(prompt="")
    assert [
        f.name for f in fields(Task) if getattr(FULL_TASK, f.name) == getattr(defaults, f.name)
    ] == []
    await store.create_task(FULL_TASK, created_at=now)
    record = await store.task("task-1")
    assert record.task == FULL_TASK
    assert (record.state, record.created_at, record.attempts) == (TaskState.QUEUED, now, ())
    assert (record.started_at, record.finished_at, record.content) == (None, None, None)


async def test_a_finished_task_comes_back_with_all_that_came_of_it(
    store: Store, now: datetime
) -> None:
    """Every argument of finish_task is in the record."""
    task_id = await running(store, now)
    end = now + timedelta(seconds=9)
    said: dict[str, Any] = {
        "agent": "gemini",
        "account": "work",
        "model": "pro",
        "content": "answer " * 50_000,
        "agent_session_id": "s-1",
        "switches": 2,
        "error_kind": "limit_reached",
        "error_code": "TASK_EXECUTION_ERROR",
        "error_detail_code": "EXECUTION_FAILED",
        "error_message": "too many turns",
        "retry_after_s": 1.5,
    }
    assert await store.finish_task(task_id, TaskState.FAILED, at=end, **said)
    record = await store.task(task_id)
    assert {name: getattr(record, name) for name in said} == said
    assert (record.state, record.started_at, record.finished_at) == (TaskState.FAILED, now, end)


async def test_an_attempt_comes_back_as_it_was_closed(store: Store, now: datetime) -> None:
    """Every field of an attempt survives, nested records and empty ones included."""
    task_id = await running(store, now)
    opened = attempt(1, now)
    closed = replace(
        opened,
        duration_s=1.25,
        outcome=AttemptOutcome.FAILED,
        kind="rate_limited",
        action="retry",
        message="429",
        evidence="result event: api_error_status=429",
        exit_code=-9,
        retry_after_s=30.0,
        resets_at=now + timedelta(hours=5),
        inner_retries=2,
        permission_denials=(PermissionDenial("Write", "a.txt"), PermissionDenial("Bash")),
        usage=Usage(input_tokens=10, cached_input_tokens=0),
        cost_usd=0.0125,
        agent_session_id="s-1",
        command=("claude", "-p"),
    )
    assert [f.name for f in fields(Attempt) if getattr(closed, f.name) is None] == []
    await store.open_attempt(task_id, opened)
    assert (await store.task(task_id)).attempts == (opened,)
    assert await store.close_attempt(task_id, closed)
    assert (await store.task(task_id)).attempts == (closed,)


async def test_an_id_is_taken_once(store: Store, now: datetime) -> None:
    """A second task with the id of a first is the caller's mistake, and changes nothing."""
    await store.create_task(FULL_TASK, created_at=now)
    with pytest.raises(InvalidTaskError, match="task-1 exists") as caught:
        await store.create_task(replace(FULL_TASK, prompt="other"), created_at=now)
    assert caught.value.field == "id"
    assert (await store.task("task-1")).task == FULL_TASK


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "a b", "x" * 201, "a\n"])
async def test_an_id_that_can_not_name_a_file_is_refused(
    store: Store, now: datetime, bad: str
) -> None:
    """The id names the run lock's file: what would lead out of its folder is refused."""
    with pytest.raises(InvalidTaskError, match="can't be a task's id"):
        await store.create_task(Task(prompt="x", id=bad), created_at=now)


@pytest.mark.parametrize("field", ["prompt", "cwd"])
async def test_a_task_that_is_no_text_is_refused(store: Store, now: datetime, field: str) -> None:
    """Bytes of an argument that were no UTF-8 are not silently made into something else."""
    broken: dict[str, Any] = {field: "/srv/\udcff"}
    with pytest.raises(InvalidTaskError, match=f"the {field} is not Unicode text") as caught:
        await store.create_task(replace(FULL_TASK, **broken), created_at=now)
    assert caught.value.field == field


async def test_an_answer_with_half_a_character_is_kept(store: Store, now: datetime) -> None:
    """A lone surrogate, which JSON can spell, costs one character and never the answer."""
    task_id = await running(store, now)
    await store.finish_task(
        task_id, TaskState.SUCCEEDED, at=now, content="cut \ud83e", error_message="\ud83e\udd8a"
    )
    record = await store.task(task_id)
    assert (record.content, record.error_message) == ("cut \ufffd", "🦊")


async def test_an_instant_keeps_its_place_in_time_whatever_its_zone(
    store: Store, now: datetime
) -> None:
    """An instant of another zone is the same instant in UTC when it comes back."""
    there = now.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    await store.create_task(FULL_TASK, created_at=there)
    created_at = (await store.task("task-1")).created_at
    assert created_at == now
    assert created_at.tzinfo is UTC


async def test_an_instant_without_a_zone_is_refused(store: Store, now: datetime) -> None:
    """A naive datetime is a bug of ours and is not guessed at."""
    with pytest.raises(NaiveDatetimeError):
        await store.create_task(FULL_TASK, created_at=now.replace(tzinfo=None))
    assert await store.list_tasks() == []


async def test_a_task_waits_and_is_taken_up_again(store: Store, now: datetime) -> None:
    """Waiting has its end in the record, running again does not; the first start stays."""
    task_id = await running(store, now)
    until = now + timedelta(hours=1)
    await store.set_waiting(task_id, until)
    waiting = await store.task(task_id)
    assert (waiting.state, waiting.waiting_until) == (TaskState.WAITING, until)
    await store.resume_waiting(task_id)
    resumed = await store.task(task_id)
    assert (resumed.state, resumed.waiting_until) == (TaskState.RUNNING, None)
    assert resumed.started_at == now


async def test_a_change_of_state_that_the_table_lacks_is_refused(
    store: Store, now: datetime
) -> None:
    """The store guards the table of states, and a refused change changes nothing."""
    await store.create_task(FULL_TASK, created_at=now)
    with pytest.raises(IllegalTransitionError):
        await store.set_waiting("task-1", now)
    with pytest.raises(IllegalTransitionError):
        await store.resume_waiting("task-1")
    with pytest.raises(IllegalTransitionError):
        await store.finish_task("task-1", TaskState.SUCCEEDED, at=now)
    with pytest.raises(IllegalTransitionError):
        await store.finish_task("task-1", TaskState.RUNNING, at=now)
    assert (await store.task("task-1")).state is TaskState.QUEUED


@pytest.mark.parametrize("state", [TaskState.CANCELLED, TaskState.FAILED])
async def test_a_task_may_end_before_it_runs_and_while_it_waits(
    store: Store, now: datetime, state: TaskState
) -> None:
    """Queued and waiting tasks can be cancelled and can fail, and then wait for nothing."""
    await store.create_task(replace(FULL_TASK, id="queued"), created_at=now)
    await running(store, now, replace(FULL_TASK, id="waiting"))
    await store.set_waiting("waiting", now)
    for task_id in ("queued", "waiting"):
        assert await store.finish_task(task_id, state, at=now)
        record = await store.task(task_id)
        assert (record.state, record.waiting_until) == (state, None)


async def test_a_task_has_one_final_state(store: Store, now: datetime) -> None:
    """Of many who end a task at once one succeeds, and only that one's failure is recorded."""
    task_id = await running(store, now)
    ended = await asyncio.gather(
        *(
            store.finish_task(
                task_id,
                TaskState.FAILED,
                at=now,
                error_message=str(n),
                failure=failure(task_id, now, f"agent-{n}"),
            )
            for n in range(12)
        )
    )
    assert ended.count(True) == 1
    winner = ended.index(True)
    assert (await store.task(task_id)).error_message == str(winner)
    assert [f.attempted_agents for f in await store.task_failures()] == [(f"agent-{winner}",)]
    assert not await store.finish_task(task_id, TaskState.SUCCEEDED, at=now, content="late")
    assert (await store.task(task_id)).content is None


async def test_a_failure_is_written_with_the_state_or_not_at_all(
    store: Store, now: datetime
) -> None:
    """A record that can't be written leaves the task unfinished: it is one transaction."""
    task_id = await running(store, now)
    with pytest.raises(StoreError):
        await store.finish_task(
            task_id, TaskState.FAILED, at=now, failure=failure("no such task", now)
        )
    assert (await store.task(task_id)).state is TaskState.RUNNING
    assert await store.task_failures() == []


async def test_failures_come_newest_first(store: Store, now: datetime) -> None:
    """The records of failed tasks (S13) come back whole, the newest first, at most `limit`."""
    written: list[TaskFailureRecord] = []
    for n in range(4):
        task_id = await running(store, now, replace(FULL_TASK, id=f"task-{n}"))
        record = failure(task_id, now + timedelta(seconds=n), *["claude", "gemini"][: n % 3])
        assert await store.finish_task(task_id, TaskState.FAILED, at=now, failure=record)
        written.insert(0, record)
    assert await store.task_failures() == written
    assert await store.task_failures(limit=2) == written[:2]


async def test_only_the_current_attempt_counts(store: Store, now: datetime) -> None:
    """A result for an attempt that another has replaced is refused, and its row stays open."""
    task_id = await running(store, now)
    first, second = attempt(1, now), attempt(2, now, agent="gemini")
    await store.open_attempt(task_id, first)
    await store.open_attempt(task_id, second)
    assert not await store.close_attempt(
        task_id, replace(first, outcome=AttemptOutcome.SUCCEEDED, message="late")
    )
    assert await store.close_attempt(task_id, replace(second, outcome=AttemptOutcome.SUCCEEDED))
    one, two = (await store.task(task_id)).attempts
    assert one == first
    assert two.outcome is AttemptOutcome.SUCCEEDED


async def test_a_current_token_does_not_open_other_attempts(store: Store, now: datetime) -> None:
    """The current token closes the attempt it was made for and no other number."""
    task_id = await running(store, now)
    await store.open_attempt(task_id, attempt(1, now))
    await store.open_attempt(task_id, attempt(2, now))
    for number in (1, 3):
        stray = replace(attempt(number, now), token="token-2", outcome=AttemptOutcome.FAILED)
        assert not await store.close_attempt(task_id, stray)
    assert (await store.task(task_id)).attempts == (attempt(1, now), attempt(2, now))


async def test_an_attempt_is_closed_once(store: Store, now: datetime) -> None:
    """What was written at the end of an attempt stays."""
    task_id = await running(store, now)
    await store.open_attempt(task_id, attempt(1, now))
    closed = replace(attempt(1, now), outcome=AttemptOutcome.FAILED, message="first")
    assert await store.close_attempt(task_id, closed)
    assert not await store.close_attempt(task_id, replace(closed, message="second"))
    assert (await store.task(task_id)).attempts == (closed,)


async def test_a_running_attempt_can_be_closed_after_its_task_was_cancelled(
    store: Store, now: datetime
) -> None:
    """The row of an attempt gets its facts although somebody else ended the task."""
    task_id = await running(store, now)
    await store.open_attempt(task_id, attempt(1, now))
    assert await store.finish_task(task_id, TaskState.CANCELLED, at=now)
    closed = replace(attempt(1, now), outcome=AttemptOutcome.CANCELLED)
    assert await store.close_attempt(task_id, closed)
    record = await store.task(task_id)
    assert (record.state, record.attempts) == (TaskState.CANCELLED, (closed,))


async def test_only_a_running_task_takes_an_attempt(store: Store, now: datetime) -> None:
    """No process is started for a task that is queued or over."""
    await store.create_task(FULL_TASK, created_at=now)
    with pytest.raises(IllegalTransitionError, match="queued takes no attempt"):
        await store.open_attempt("task-1", attempt(1, now))
    assert await store.finish_task("task-1", TaskState.CANCELLED, at=now)
    with pytest.raises(IllegalTransitionError, match="cancelled takes no attempt"):
        await store.open_attempt("task-1", attempt(1, now))
    assert (await store.task("task-1")).attempts == ()


async def test_attempts_come_in_the_order_of_their_numbers(store: Store, now: datetime) -> None:
    """The tenth attempt follows the ninth."""
    task_id = await running(store, now)
    for number in range(1, 12):
        await store.open_attempt(task_id, attempt(number, now))
    assert [a.number for a in (await store.task(task_id)).attempts] == list(range(1, 12))


async def test_an_unknown_task_is_said_to_be_unknown(store: Store, now: datetime) -> None:
    """Every operation on a task that is not there says so."""
    for operation in (
        store.task("nobody"),
        store.start_task("nobody", now),
        store.set_waiting("nobody", now),
        store.resume_waiting("nobody"),
        store.finish_task("nobody", TaskState.FAILED, at=now),
        store.open_attempt("nobody", attempt(1, now)),
        store.close_attempt("nobody", attempt(1, now)),
    ):
        with pytest.raises(NotFoundError, match="no task nobody"):
            await operation


async def test_a_task_is_found_by_the_beginning_of_its_id(store: Store, now: datetime) -> None:
    """A prefix finds the one task it fits; otherwise the error says how many it fits."""
    for task_id in ("abcd-1", "abcd-2", "abcd-22", "a_cd-3", "xyz"):
        await store.create_task(Task(prompt="x", id=task_id), created_at=now)
    assert (await store.find_task("abcd-1")).task.id == "abcd-1"
    assert (await store.find_task("abcd-22")).task.id == "abcd-22"
    assert (await store.find_task("abcd-2")).task.id == "abcd-2", "a whole id is no prefix"
    assert (await store.find_task("xyz")).task.id == "xyz", "a whole id may be short"
    assert (await store.find_task("a_cd")).task.id == "a_cd-3", "no character is a wildcard"
    with pytest.raises(NotFoundError, match="3 tasks"):
        await store.find_task("abcd")
    with pytest.raises(NotFoundError, match="no task has an id"):
        await store.find_task("abce")
    for short in ("a_c", ""):
        with pytest.raises(NotFoundError, match="too short"):
            await store.find_task(short)


async def test_the_list_is_newest_first_and_goes_on_where_a_page_ended(
    store: Store, now: datetime
) -> None:
    """Pages of any size hold every task once, in order, tasks of the same instant included."""
    expected: list[str] = []
    for n in range(7):
        created_at = now + timedelta(seconds=n // 3)
        await store.create_task(Task(prompt="x", id=f"task-{n}"), created_at=created_at)
        expected.insert(0, f"task-{n}")
    for size in (1, 2, 3, 7, 8):
        seen: list[str] = []
        before = None
        while page := await store.list_tasks(limit=size, before=before):
            assert len(page) <= size
            seen += [record.task.id for record in page]
            before = (page[-1].created_at, page[-1].task.id)
        assert seen == expected


async def test_the_list_can_be_of_one_state_and_has_the_attempts(
    store: Store, now: datetime
) -> None:
    """Only tasks of the state asked for are listed, each with its own attempts."""
    await store.create_task(Task(prompt="x", id="queued"), created_at=now)
    task_id = await running(store, now)
    await store.open_attempt(task_id, attempt(1, now))
    assert [r.task.id for r in await store.list_tasks(state=TaskState.QUEUED)] == ["queued"]
    (only,) = await store.list_tasks(state=TaskState.RUNNING)
    assert only == await store.task(task_id)
    assert only.attempts == (attempt(1, now),)
    assert await store.list_tasks(state=TaskState.FAILED) == []
