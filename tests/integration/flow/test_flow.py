"""The flow, rule by rule: scripted agents, a fake clock, a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from integration.flow.conftest import MakeWorld, World
from undaunted.agents.agent import (
    AgentRequest,
    AgentResult,
    Availability,
    Inspection,
    OutputSink,
    RunNotice,
)
from undaunted.config import Settings
from undaunted.errors import AnswerNotRecordedError, StoreError
from undaunted.events import AgentSkipped, BreakerOpened, RetryScheduled, SlotAwaited, WaitStarted
from undaunted.failures import Failure, FailureKind
from undaunted.redaction import REDACTED, Redactor
from undaunted.tasks import Permissions, Task, TaskRecord, TaskState, agent_key
from undaunted.testing import FakeClock

K = FailureKind
Step = Failure | str | float | BaseException
"""A failure; an answer; seconds to pass first; an error of ours to raise."""


@dataclass
class StepAgent:
    """Does the next step of its list at each run, the last one again and again."""

    name: str
    clock: FakeClock
    steps: list[list[Step]]
    account: str = "default"
    missing: str = ""
    mark: str = "key-1"
    secret: str = ""
    session: str | None = None
    resumes: bool = True
    runs: list[AgentRequest] = field(default_factory=list)

    @property
    def key(self) -> str:
        return agent_key(self.name, self.account)

    def credential(self) -> None:
        return None

    async def inspect(self) -> Inspection:
        return Inspection("1.0.0", "1.0.0", "tested")

    def availability(self) -> Availability:
        return Availability(not self.missing, self.missing or "here")

    def credential_mark(self) -> str:
        return self.mark

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        return ()

    def refuse(self, request: AgentRequest) -> Failure | None:
        return None

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        self.runs.append(request)
        sink("stdout", f"run {len(self.runs)} {self.secret}\n".encode())
        for step in self.steps[min(len(self.runs), len(self.steps)) - 1]:
            if isinstance(step, float):
                await self.clock.sleep(step)
            elif isinstance(step, Failure):
                return AgentResult("a part", step, agent_session_id=self.session, exit_code=1)
            elif isinstance(step, BaseException):
                raise step
            else:
                told = self.secret or None
                return AgentResult(step, None, agent_session_id=told, model=told, exit_code=0)
        raise AssertionError("a step list ends with an end")


def limited(clock: FakeClock, seconds: float, kind: FailureKind = K.RATE_LIMITED) -> Failure:
    at = clock.now() + timedelta(seconds=seconds)
    return Failure(kind, "limited", retry_after_s=seconds, resets_at=at)


def task(world: World, **changes: object) -> Task:
    return Task(prompt="do it", cwd=str(world.folder), **changes)  # type: ignore[arg-type]


def kinds(record: TaskRecord) -> list[tuple[str, str | None, str | None]]:
    return [(a.agent, a.kind, a.action) for a in record.attempts]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(autojump=True)


async def test_first_success_wins(make_world: MakeWorld, clock: FakeClock) -> None:
    """The first agent that answers ends the task; nobody else is asked."""
    first, second = (StepAgent(n, clock, [["done"]]) for n in ("first", "second"))
    async with make_world([first, second], clock) as world:
        record = await world.service.run(task(world))
    assert (record.state, record.agent, record.content) == ("succeeded", "first", "done")
    assert second.runs == []


@pytest.mark.parametrize("kind", [K.OVERLOADED, K.SERVER_ERROR, K.NETWORK, K.BROKEN_RESPONSE])
async def test_transient_failures_are_retried(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """What may pass is tried again, as often as the task says, then handed on."""
    bad, good = StepAgent("bad", clock, [[Failure(kind, "x")]]), StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        record = await world.service.run(task(world, attempts=3))
    assert kinds(record) == [
        ("bad", kind, "retry"),
        ("bad", kind, "retry"),
        ("bad", kind, "switch"),
        ("good", None, "done"),
    ]
    assert [a.outcome for a in record.attempts] == ["failed", "failed", "failed", "succeeded"]
    assert record.switches == 1
    assert sum(isinstance(e, RetryScheduled) for e in world.events) == 2


@pytest.mark.parametrize("kind", [K.CRASHED, K.UNKNOWN])
async def test_crashes_are_retried_once(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """A crash gets one more chance, however many attempts there are."""
    bad, good = StepAgent("bad", clock, [[Failure(kind, "x")]]), StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        record = await world.service.run(task(world, attempts=9))
    assert [a.agent for a in record.attempts] == ["bad", "bad", "good"]


@pytest.mark.parametrize(
    "kind",
    [
        K.TIMEOUT,
        K.QUOTA_EXHAUSTED,
        K.BILLING,
        K.AUTH,
        K.PERMISSION,
        K.NOT_FOUND,
        K.NOT_INSTALLED,
        K.MISCONFIGURED,
        K.CONTEXT_TOO_LONG,
        K.CONTENT_POLICY,
        K.INVALID_REQUEST,
    ],
)
async def test_what_will_not_pass_switches_at_once(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """What another attempt would only repeat goes to the next agent without a wait."""
    bad, good = StepAgent("bad", clock, [[Failure(kind, "x")]]), StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        began = clock.monotonic()
        record = await world.service.run(task(world))
    assert kinds(record) == [("bad", kind, "switch"), ("good", None, "done")]
    assert clock.monotonic() == began


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(K.INVALID_REQUEST, "your prompt", blames_task=True), "VALIDATION_ERROR"),
        (Failure(K.LIMIT_REACHED, "turns"), "TASK_EXECUTION_ERROR"),
    ],
)
async def test_what_no_agent_can_help_fails_the_task(
    make_world: MakeWorld, clock: FakeClock, failure: Failure, code: str
) -> None:
    """A fault of the task itself ends it, with what there is of an answer."""
    bad, good = StepAgent("bad", clock, [[failure]]), StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        record = await world.service.run(task(world))
    assert (record.state, record.error_code, record.content) == ("failed", code, "a part")
    assert good.runs == []


async def test_a_short_rate_limit_is_waited_for(make_world: MakeWorld, clock: FakeClock) -> None:
    """A stated wait within the cap is slept through, and the next attempt is the probe."""
    agent = StepAgent("a", clock, [[limited(clock, 20)], ["done"]])
    async with make_world([agent], clock) as world:
        record = await world.service.run(task(world))
    first, second = record.attempts
    assert (record.state, first.action, second.outcome) == ("succeeded", "retry", "succeeded")
    assert second.started_at >= (first.resets_at or second.started_at + timedelta(1))


async def test_a_long_rate_limit_switches(make_world: MakeWorld, clock: FakeClock) -> None:
    """A stated wait beyond the cap hands the task on, and the agent is left alone meanwhile."""
    agent = StepAgent("a", clock, [[limited(clock, 600)], ["again"]])
    other = StepAgent("b", clock, [["done"]])
    async with make_world([agent, other], clock) as world:
        first = await world.service.run(task(world))
        second = await world.service.run(task(world))
        clock.advance(601)
        third = await world.service.run(task(world))
    assert [r.agent for r in (first, second, third)] == ["b", "b", "a"]
    assert first.attempts[0].action == "switch"
    assert len(agent.runs) == 2
    skipped = [e for e in world.events if isinstance(e, AgentSkipped)]
    assert [e.agent for e in skipped] == ["a"]
    assert skipped[0].back_at is not None
    assert third.attempts[0].reason_chosen == "first in the configured order"


async def test_five_failures_open_the_breaker_for_the_next_task(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """Failures add up over tasks; the fifth opens the breaker, and a script skips the agent."""
    bad = StepAgent("bad", clock, [[Failure(K.SERVER_ERROR, "x")]])
    good = StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        for _ in range(3):
            await world.service.run(task(world, attempts=2))
        assert len(bad.runs) == 5
        assert sum(isinstance(e, BreakerOpened) for e in world.events) == 1
        record = await world.service.run(task(world))
        assert len(bad.runs) == 5
        assert [a.agent for a in record.attempts] == ["good"]
        report = {r.name: r.health for r in await world.service.agents()}
        assert report["bad"].state == "open"
        assert "5 failures in a row" in report["bad"].closed_reason
        clock.advance(61)
        await world.service.run(task(world, attempts=3))
        assert len(bad.runs) == 6, "one probe, and it failed"
        await world.service.reset_agent("bad")
        await world.service.run(task(world, attempts=1))
        assert len(bad.runs) == 7


@pytest.mark.parametrize("kind", [K.RATE_LIMITED, K.NOT_FOUND, K.CONTEXT_TOO_LONG, K.INTERRUPTED])
async def test_what_is_no_fault_of_the_agent_opens_no_breaker(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """Failures whose kind does not count never add up to an open breaker."""
    agent = StepAgent("a", clock, [[Failure(kind, "x")]])
    async with make_world([agent], clock, settings=Settings(breaker_failures=2)) as world:
        for _ in range(4):
            await world.service.run(task(world, attempts=1))
        report = await world.service.agents()
    assert len(agent.runs) == 4
    assert report[0].health.closed_reason == ""


async def test_a_breaker_that_opens_while_a_slot_is_awaited(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """What was read when the agent was chosen is not believed after a wait."""
    agent = StepAgent("a", clock, [[60.0, Failure(K.AUTH, "x")], ["never"]])
    async with make_world([agent], clock, settings=Settings(slots=1)) as world:
        records = await asyncio.gather(*(world.service.run(task(world)) for _ in range(2)))
    assert len(agent.runs) == 1
    assert sorted(len(r.attempts) for r in records) == [0, 1]
    assert {r.state for r in records} == {TaskState.FAILED}


async def test_no_waiting_for_a_breaker_that_just_opened(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """The failure that opens the breaker is the visit's last; the next agent starts at once."""
    bad = StepAgent("bad", clock, [[Failure(K.SERVER_ERROR, "x")]])
    good = StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock, settings=Settings(breaker_failures=1)) as world:
        began = clock.monotonic()
        record = await world.service.run(task(world, attempts=9))
    assert kinds(record) == [("bad", "server_error", "switch"), ("good", None, "done")]
    assert clock.monotonic() == began
    assert record.attempts[1].reason_chosen == "next in order: bad failed (server_error)"


@pytest.mark.parametrize("kind", [K.AUTH, K.BILLING])
async def test_a_wrong_key_closes_the_agent_until_it_changes(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """After an auth failure time does not help; another credential does, and so does a person."""
    bad = StepAgent("bad", clock, [[Failure(kind, "x")], [Failure(kind, "x")], ["fine"]])
    good = StepAgent("good", clock, [["y"]])
    async with make_world([bad, good], clock) as world:
        await world.service.run(task(world))
        clock.advance(7 * 86400)
        record = await world.service.run(task(world))
        assert ([a.agent for a in record.attempts], len(bad.runs)) == (["good"], 1)
        bad.mark = "key-2"
        await world.service.run(task(world))
        assert len(bad.runs) == 2
        await world.service.run(task(world))
        assert len(bad.runs) == 2, "the new key is as bad"
        assert await world.service.reset_agent("bad") == 1
        record = await world.service.run(task(world))
    assert (record.agent, record.content) == ("bad", "fine")


async def test_a_hanging_first_agent_leaves_time_for_the_next(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """An attempt gets what is left divided by the agents still untried."""
    hang = StepAgent("hang", clock, [[1e9, "late"]])
    good = StepAgent("good", clock, [[100.0, "done"]])
    async with make_world([hang, good], clock) as world:
        record = await world.service.run(task(world, deadline_s=600.0, timeout_s=1800.0))
    assert kinds(record) == [("hang", "timeout", "switch"), ("good", None, "done")]
    assert hang.runs[0].timeout_s == pytest.approx(300)
    assert good.runs[0].timeout_s <= 300


async def test_the_deadline_ends_the_task(make_world: MakeWorld, clock: FakeClock) -> None:
    """When the time is used up the task fails and says so."""
    hang = StepAgent("hang", clock, [[1e9, "late"]])
    async with make_world([hang], clock) as world:
        record = await world.service.run(task(world, deadline_s=60.0))
    assert (record.state, record.error_detail_code) == ("failed", "DEADLINE_EXCEEDED")
    assert "deadline of 1m passed" in (record.error_message or "")


async def test_a_missing_program_is_passed_over(make_world: MakeWorld, clock: FakeClock) -> None:
    """An agent that is not installed is no attempt, and its reason is told."""
    gone = StepAgent("gone", clock, [["x"]], missing="gone is not on PATH")
    good = StepAgent("good", clock, [["y"]])
    async with make_world([gone, good], clock) as world:
        record = await world.service.run(task(world))
    assert [(a.agent, a.number) for a in record.attempts] == [("good", 1)]
    assert "gone is out (gone is not on PATH)" in record.attempts[0].reason_chosen


async def test_nobody_usable(make_world: MakeWorld, clock: FakeClock) -> None:
    """With no agent to try the task fails as unavailable."""
    gone = StepAgent("gone", clock, [["x"]], missing="gone is not on PATH")
    async with make_world([gone], clock) as world:
        record = await world.service.run(task(world))
        failures = await world.store.task_failures()
    assert (record.error_code, record.error_detail_code) == (
        "AGENT_UNAVAILABLE",
        "NO_AGENT_AVAILABLE",
    )
    assert "gone is not on PATH" in (record.error_message or "")
    assert [f.task_id for f in failures] == [record.task.id]
    assert failures[0].attempted_agents == ()


async def test_all_failed_says_each_failure_and_when_to_come_back(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """The error carries every agent's failure and the first known return."""
    one = StepAgent("one", clock, [[limited(clock, 3600, K.QUOTA_EXHAUSTED)]])
    two = StepAgent("two", clock, [[Failure(K.NOT_FOUND, "no such model")]])
    async with make_world([one, two], clock) as world:
        record = await world.service.run(task(world))
        failures = await world.store.task_failures()
    assert record.retry_after_s is not None
    assert 3600 <= record.retry_after_s <= 3630  # the reset, and a little jitter
    for part in ("one (quota_exhausted): limited", "two (not_found): no such model", "one is back"):
        assert part in (record.error_message or "")
    assert failures[0].attempted_agents == ("one", "two")


async def test_waiting_for_the_first_to_return(make_world: MakeWorld, clock: FakeClock) -> None:
    """With leave to wait the task sleeps until the first agent is back, and goes on with it."""
    one = StepAgent("one", clock, [[limited(clock, 7200, K.QUOTA_EXHAUSTED)], ["one is back"]])
    two = StepAgent("two", clock, [[limited(clock, 3600, K.QUOTA_EXHAUSTED)], ["two is back"]])
    async with make_world([one, two], clock) as world:
        record = await world.service.run(task(world, max_wait_s=7000.0, deadline_s=600.0))
    assert (record.state, record.content) == ("succeeded", "two is back")
    waits = [e for e in world.events if isinstance(e, WaitStarted)]
    assert [e.agent for e in waits] == ["two"]


async def test_waiting_has_a_limit(make_world: MakeWorld, clock: FakeClock) -> None:
    """A return beyond the limit is not waited for."""
    one = StepAgent("one", clock, [[limited(clock, 7200, K.QUOTA_EXHAUSTED)], ["back"]])
    async with make_world([one], clock) as world:
        began = clock.monotonic()
        record = await world.service.run(task(world, max_wait_s=7000.0))
    assert record.state is TaskState.FAILED
    assert clock.monotonic() == began


async def test_a_bound_on_switches(make_world: MakeWorld, clock: FakeClock) -> None:
    """With a bound on switches the agents behind it are not asked."""
    agents = [StepAgent(n, clock, [[Failure(K.NOT_FOUND, "x")]]) for n in "abcd"]
    async with make_world(agents, clock, max_switches=1) as world:
        record = await world.service.run(task(world))
    assert [a.agent for a in record.attempts] == ["a", "b"]
    assert record.switches == 1


async def test_cancellation_is_written_down_and_goes_through(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """A cancelled task ends as cancelled, its attempt too, and nothing is counted or retried."""
    started = asyncio.Event()
    agent = StepAgent("a", clock, [["never"]])

    async def run(request: AgentRequest, **_: object) -> AgentResult:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    agent.run = run  # type: ignore[assignment, method-assign]
    async with make_world([agent], clock) as world:
        wanted = task(world)
        running = asyncio.create_task(world.service.run(wanted))
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        record = await world.store.task(wanted.id)
        report = await world.service.agents()
    assert (record.state, record.attempts[0].outcome) == ("cancelled", "cancelled")
    assert report[0].health.row is None, "it says nothing of the agent"


async def test_a_cancellation_at_the_very_end(make_world: MakeWorld, clock: FakeClock) -> None:
    """A task that is being written down as done when it is cancelled is done."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:
        wanted = task(world)
        finish = world.store.finish_task
        running: asyncio.Task[TaskRecord]

        async def cancelled_meanwhile(*args: object, **columns: object) -> bool:
            running.cancel()
            await asyncio.sleep(0)
            return await finish(*args, **columns)  # type: ignore[arg-type]

        world.store.finish_task = cancelled_meanwhile  # type: ignore[assignment, method-assign]
        running = asyncio.create_task(world.service.run(wanted))
        with pytest.raises(asyncio.CancelledError):
            await running
        record = await world.store.task(wanted.id)
    assert (record.state, record.content) == ("succeeded", "done")


async def test_a_fault_of_ours_still_ends_the_task(make_world: MakeWorld, clock: FakeClock) -> None:
    """An unexpected error is raised, and the task does not stay open."""
    agent = StepAgent("a", clock, [[RuntimeError("bug with /a/path")]])
    async with make_world([agent], clock) as world:
        wanted = task(world)
        with pytest.raises(RuntimeError):
            await world.service.run(wanted)
        record = await world.store.task(wanted.id)
    assert (record.state, record.error_code) == ("failed", "INTERNAL_ERROR")
    assert "/a/path" not in (record.error_message or "")


@pytest.mark.parametrize("broken", ["close_attempt", "finish_task"])
async def test_an_answer_survives_a_store_that_fails(
    make_world: MakeWorld, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """An answer that can't be written down is not lost: the error carries it."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:

        async def full(*args: object, **columns: object) -> bool:
            raise StoreError("the disk is full")

        monkeypatch.setattr(world.store, broken, full)
        wanted = task(world)
        with pytest.raises(AnswerNotRecordedError, match="the disk is full") as caught:
            await world.service.run(wanted)
        monkeypatch.undo()
        swept = await world.service.sweep()
        record = await world.store.task(wanted.id)
    assert caught.value.content == "done"
    assert record.state is TaskState.FAILED, "and the task does not stay open"
    assert [r.task.id for r in swept] == ([wanted.id] if broken == "finish_task" else [])


async def test_slots_are_waited_for(make_world: MakeWorld, clock: FakeClock) -> None:
    """With one slot two tasks take turns, and the second one says that it waits."""
    agent = StepAgent("a", clock, [[60.0, "done"]])
    async with make_world([agent], clock, settings=Settings(slots=1)) as world:
        records = await asyncio.gather(*(world.service.run(task(world)) for _ in range(2)))
    one, two = sorted((r.attempts[0] for r in records), key=lambda a: a.started_at)
    assert two.started_at >= one.started_at + timedelta(seconds=60)
    assert sum(isinstance(e, SlotAwaited) for e in world.events) == 1


async def test_secrets_do_not_get_in(
    make_world: MakeWorld, clock: FakeClock, tmp_path: Path
) -> None:
    """A known secret is in no row, no answer, no transcript and no event."""
    secret = "correct-horse-battery"
    agent = StepAgent("a", clock, [[Failure(K.SERVER_ERROR, secret)], [secret]], secret=secret)
    async with make_world([agent], clock, redactor=Redactor([secret])) as world:
        record = await world.service.run(task(world))
        chunks = await world.service.transcript(record.task.id)
    assert record.content == REDACTED
    assert (record.agent_session_id, record.model) == (REDACTED, REDACTED)
    assert record.attempts[0].message == REDACTED
    assert b"".join(c.data for c in chunks) == f"run 1 {REDACTED}\nrun 2 {REDACTED}\n".encode()
    assert all(secret not in repr(e) for e in world.events)
    assert secret.encode() not in (world.store.folder / "undaunted.db").read_bytes()
