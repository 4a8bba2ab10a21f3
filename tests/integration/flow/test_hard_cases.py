"""The flow at its hard moments: a cancellation, a full store, another run, a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from integration.flow.conftest import MakeWorld
from integration.flow.test_flow import K, StepAgent, limited, task
from undaunted.agents.agent import AgentRequest, AgentResult, OutputSink, RunNotice
from undaunted.config import Settings
from undaunted.errors import AnswerNotRecordedError, StoreError
from undaunted.failures import Failure
from undaunted.redaction import Redactor
from undaunted.tasks import TaskState
from undaunted.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(autojump=True)


def quota(clock: FakeClock, s: float = 3600.0) -> Failure:
    return limited(clock, s, K.QUOTA_EXHAUSTED)


async def test_two_runs_wait_for_one_reset(make_world: MakeWorld, clock: FakeClock) -> None:
    """Two tasks wait for the same quota to come back; both get done."""
    q = quota(clock)
    agent = StepAgent("a", clock, [[1.0, q], [1.0, q], [30.0, "done"]])
    async with make_world([agent], clock) as world:
        two = [task(world, max_wait_s=7200.0) for _ in range(2)]
        records = await asyncio.gather(*(world.service.run(t) for t in two))
    assert [(r.state, r.error_message) for r in records] == [(TaskState.SUCCEEDED, None)] * 2


async def test_an_agent_that_came_back_before_the_wait_ended(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """`agents reset` (or another run's probe) closes the breaker while a task waits for it."""
    agent = StepAgent("a", clock, [[quota(clock)], ["done"]])
    async with make_world([agent], clock) as world:
        running = asyncio.create_task(world.service.run(task(world, max_wait_s=7200.0)))
        await clock.sleep(100.0)
        await world.service.reset_agent("a")
        record = await running
        took = (record.finished_at - record.created_at).total_seconds()  # type: ignore[operator]
    assert (record.state, record.error_message) == (TaskState.SUCCEEDED, None)
    assert took < 3600, "HOUSE: waiting ends when the agent came back early, or a person said so"


async def test_two_short_rate_limits(make_world: MakeWorld, clock: FakeClock) -> None:
    """Two runs are told to retry after 5 s; both are done after a while, neither fails."""
    agent = StepAgent("a", clock, [[limited(clock, 5)], [limited(clock, 5)], [300.0, "done"]])
    async with make_world([agent], clock) as world:
        records = await asyncio.gather(*(world.service.run(task(world)) for _ in range(2)))
    assert [(r.state, r.error_message) for r in records] == [(TaskState.SUCCEEDED, None)] * 2


async def test_probe_owner_was_killed(make_world: MakeWorld, clock: FakeClock) -> None:
    """A probe's owner dies; a task that may wait waits for the end of the claim."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:
        health = world.service._health
        from undaunted.health_records import HealthKey

        key = HealthKey("a", "default")
        adm = await health.admit(key, "key-1", 1800.0)
        await health.settle(key, adm, quota(clock, 10), credential_mark="key-1", figures=(1, None))
        await clock.sleep(11.0)
        await health.admit(key, "key-1", 1800.0)  # the probe, whose process is killed now
        record = await world.service.run(task(world, max_wait_s=7200.0))
    assert (record.state, record.error_message) == (TaskState.SUCCEEDED, None)


async def test_deadline_passes_during_the_look(make_world: MakeWorld, clock: FakeClock) -> None:
    """The store is slow (another process writes); the deadline passes meanwhile: 124, not 70."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:
        real = world.store.health

        async def slow() -> object:
            clock.advance(10.0)
            return await real()

        world.store.health = slow  # type: ignore[method-assign,assignment]
        record = await world.service.run(task(world, deadline_s=10.0))
    assert record.error_detail_code == "DEADLINE_EXCEEDED"


async def test_settle_fails_after_an_answer(make_world: MakeWorld, clock: FakeClock) -> None:
    """The breaker's row can't be written after a success: the answer is not lost."""
    agent = StepAgent("a", clock, [["the answer"]])
    async with make_world([agent], clock) as world:

        @asynccontextmanager
        async def broken(_key: object):
            raise StoreError("the disk is full")
            yield

        world.store.health_update = broken  # type: ignore[method-assign,assignment]
        try:
            record = await world.service.run(task(world))
            content = record.content
        except AnswerNotRecordedError as error:
            content = error.content
        assert content == "the answer"


async def test_deadline_during_settle_of_an_answer(make_world: MakeWorld, clock: FakeClock) -> None:
    """The deadline passes while the answer's rows are written: the answer stands."""
    agent = StepAgent("a", clock, [[9.0, "the answer"]])
    async with make_world([agent], clock) as world:
        real = world.store.close_attempt

        async def slow(*args: object) -> bool:
            await clock.sleep(2.0)
            return await real(*args)  # type: ignore[arg-type]

        world.store.close_attempt = slow  # type: ignore[method-assign,assignment]
        # HeldStore holds the clock: call the store's own method.
        world.service._orchestrator._attempts._store = world.store
        record = await world.service.run(task(world, deadline_s=10.0))
    assert (record.state, record.content) == (TaskState.SUCCEEDED, "the answer")
    assert all(a.outcome is not None for a in record.attempts)


@pytest.mark.parametrize("method", ["open_attempt", "close_attempt"])
async def test_cancelled_while_the_row_is_written(
    make_world: MakeWorld, clock: FakeClock, method: str
) -> None:
    """Ctrl-C as a row is opened or closed: no attempt of the ended task still `runs`."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:
        real = getattr(world.store, method)

        async def during(*args: object) -> object:
            if method == "open_attempt":
                await real(*args)  # the commit was on its way already
            running.cancel()
            await asyncio.sleep(0)
            return await real(*args)

        setattr(world.store, method, during)
        t = task(world)
        running = asyncio.create_task(world.service.run(t))
        with pytest.raises(asyncio.CancelledError):
            await running
        record = await world.store.task(t.id)
    assert record.state is not TaskState.RUNNING
    assert [a.outcome is None for a in record.attempts] == [False]


async def test_cancelled_while_a_probe_is_settled(make_world: MakeWorld, clock: FakeClock) -> None:
    """Ctrl-C as a probe's end is written: its claim does not keep the agent out."""
    agent = StepAgent("a", clock, [[quota(clock, 10)], ["done"]])
    async with make_world([agent], clock) as world:
        await world.service.run(task(world))
        await clock.sleep(11.0)
        health = world.service._health
        real = health.settle

        async def during(*args: object, **kwargs: object) -> object:
            running.cancel()
            await asyncio.sleep(0)
            return await real(*args, **kwargs)  # type: ignore[arg-type]

        health.settle = during  # type: ignore[method-assign,assignment]
        running = asyncio.create_task(world.service.run(task(world)))
        with pytest.raises(asyncio.CancelledError):
            await running
        health.settle = real  # type: ignore[method-assign]
        report = await world.service.agents()
    assert report[0].health.closed_reason == ""


async def test_cancellation_stays_one(make_world: MakeWorld, clock: FakeClock) -> None:
    """HOUSE rule 5: a store that fails while a cancelled task is written down hides nothing."""
    agent = StepAgent("a", clock, [[100.0, "done"]])
    async with make_world([agent], clock) as world:
        running = asyncio.create_task(world.service.run(task(world)))
        await clock.sleep(1.0)

        async def full(*_: object, **__: object) -> bool:
            raise StoreError("full")

        world.store.finish_task = full  # type: ignore[method-assign]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_taken_slot_leaves_time_for_the_next(
    make_world: MakeWorld, clock: FakeClock
) -> None:
    """All slots of the first agent hang; the second gets its part of the time."""
    first = StepAgent("first", clock, [[1e6, "never"]])
    second = StepAgent("second", clock, [["done"]])
    async with make_world([first, second], clock, settings=Settings(slots=1)) as world:
        hog = asyncio.create_task(
            world.service.run(task(world, deadline_s=50000.0, timeout_s=20000.0))
        )
        await clock.sleep(1.0)
        record = await world.service.run(task(world, deadline_s=600.0))
        hog.cancel()
        await asyncio.wait((hog,))
    assert (record.state, record.error_message) == (TaskState.SUCCEEDED, None)


async def test_kind_when_all_are_out(make_world: MakeWorld, clock: FakeClock) -> None:
    """Agents that are out until a time are not called `not_installed`."""
    agent = StepAgent("a", clock, [[quota(clock)]])
    async with make_world([agent], clock) as world:
        await world.service.run(task(world))
        record = await world.service.run(task(world))
    assert record.retry_after_s
    assert record.error_kind != "not_installed"


async def test_swept_while_it_ran(make_world: MakeWorld, clock: FakeClock) -> None:
    """`finish_task` says that its result does not count: no event says the contrary."""
    agent = StepAgent("a", clock, [["done"]])
    async with make_world([agent], clock) as world:
        real = world.store.finish_task

        async def late(*args: object, **kwargs: object) -> bool:
            for lock in (world.store.folder / "runs").iterdir():
                lock.unlink()  # somebody tidied up
            await world.store.sweep_interrupted(clock.now())
            return await real(*args, **kwargs)  # type: ignore[arg-type]

        world.store.finish_task = late  # type: ignore[method-assign]
        try:
            record = await world.service.run(task(world))
        except AnswerNotRecordedError:
            return
        told = [type(e).__name__ for e in world.events]
    assert (record.state is TaskState.SUCCEEDED) == ("TaskSucceeded" in told)


class Leaky(StepAgent):
    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        return AgentResult(
            "done", None, agent_session_id="s-hunter2-hunter2", model="m-hunter2-hunter2"
        )


async def test_secret_in_a_session_id(make_world: MakeWorld, clock: FakeClock) -> None:
    """Whatever an agent states is redacted, its session id and model too."""
    async with make_world(
        [Leaky("a", clock, [])], clock, redactor=Redactor(["hunter2-hunter2"])
    ) as world:
        record = await world.service.run(task(world))
    assert "hunter2" not in repr(record)


async def test_the_mark_is_the_openers(make_world: MakeWorld, clock: FakeClock) -> None:
    """A late end of a run with another key does not reopen what the present key closed."""
    from undaunted.health_records import HealthKey

    agent = StepAgent("a", clock, [["done"]], mark="new-key")
    async with make_world([agent], clock) as world:
        health, key = world.service._health, HealthKey("a", "default")
        old = await health.admit(key, "old-key", 10.0)
        new = await health.admit(key, "new-key", 10.0)
        bad = Failure(K.AUTH, "wrong key")
        await health.settle(key, new, bad, credential_mark="new-key", figures=(1, None))
        await health.settle(key, old, None, credential_mark="old-key", figures=(1, None))
        assert (await world.service.agents())[0].health.closed_reason != ""


async def test_the_clock_is_set_back(make_world: MakeWorld) -> None:
    """A breaker of 60 s is not open for a day because the clock went back by one."""
    from undaunted.health_records import HealthKey

    class Jumpy(FakeClock):
        skew = timedelta()

        def now(self):
            return super().now() + self.skew

    clock = Jumpy(autojump=True)
    async with make_world([StepAgent("a", clock, [["done"]])], clock) as world:
        health, key = world.service._health, HealthKey("a", "default")
        for _ in range(5):
            adm = await health.admit(key, "key-1", 10.0)
            f = Failure(K.SERVER_ERROR, "x")
            await health.settle(key, adm, f, credential_mark="key-1", figures=(1, None))
        clock.skew = -timedelta(days=1)
        clock.advance(61.0)
        assert (await world.service.agents())[0].health.closed_reason == ""


async def test_the_laptop_slept(make_world: MakeWorld) -> None:
    """Monotonic time stands still while a machine sleeps; a wait ends by the wall clock."""

    class Slept(FakeClock):
        skew = timedelta()

        def now(self):
            return super().now() + self.skew

    clock = Slept(autojump=True)
    agent = StepAgent("a", clock, [[quota(clock, 18000)], ["done"]])
    async with make_world([agent], clock) as world:
        running = asyncio.create_task(world.service.run(task(world, max_wait_s=20000.0)))
        await clock.sleep(100.0)
        clock.skew = timedelta(seconds=18000)  # the lid was closed for five hours
        opened_s = clock.monotonic()
        await running
    assert clock.monotonic() - opened_s < 600


@pytest.mark.parametrize("changes", [{"attempts": 0}, {"deadline_s": float("inf")}])
async def test_wrong_numbers_are_the_tasks(
    make_world: MakeWorld, clock: FakeClock, changes: dict[str, float]
) -> None:
    """A task with numbers that mean nothing is refused before it is accepted."""
    from undaunted.errors import InvalidTaskError

    async with make_world([StepAgent("a", clock, [["done"]])], clock) as world:
        with pytest.raises(InvalidTaskError):
            await world.service.run(task(world, **changes))


async def test_nan_cost(make_world: MakeWorld, clock: FakeClock) -> None:
    """A cost that is no number costs no answer."""

    class Nan(StepAgent):
        async def run(self, request, *, sink, notify):
            return AgentResult("done", None, cost_usd=float("nan"))

    async with make_world([Nan("a", clock, [])], clock) as world:
        record = await world.service.run(task(world))
    assert record.content == "done"
