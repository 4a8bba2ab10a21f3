from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from undaunted.resilience import Deadline, Timeout, TransientError
from undaunted.testing import FakeClock


async def test_work_in_time_gives_its_result(clock: FakeClock) -> None:
    """A limit that is not reached is not seen."""

    async def work() -> str:
        await clock.sleep(4.9)
        return "done"

    assert await Timeout(5, clock).call(work) == "done"


async def test_work_that_takes_too_long_is_stopped(clock: FakeClock) -> None:
    """TimeoutError comes at the limit, and names it."""
    started = clock.monotonic()
    with pytest.raises(TimeoutError, match="5 s"):
        await Timeout(5, clock).call(clock.sleep, math.inf)
    assert clock.monotonic() - started == 5


@pytest.mark.parametrize("policy", [Timeout, Deadline])
@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_limit_is_a_positive_number(policy: type[Timeout | Deadline], seconds: float) -> None:
    """A limit that ends nothing, or everything, is a mistake in the settings."""
    with pytest.raises(ValueError, match="positive"):
        policy(seconds)


async def test_the_error_waits_for_the_clean_up(clock: FakeClock) -> None:
    """When TimeoutError is raised, the work has ended, however long its clean-up took."""
    steps: list[str] = []

    async def work() -> None:
        try:
            await clock.sleep(math.inf)
        finally:
            await clock.sleep(3)
            steps.append("cleaned up")

    started = clock.monotonic()
    with pytest.raises(TimeoutError):
        await Timeout(5, clock).call(work)
    assert steps == ["cleaned up"]
    assert clock.monotonic() - started == 8


async def test_a_late_value_is_a_timeout(clock: FakeClock) -> None:
    """Work that swallows the cancellation and returns has timed out all the same."""

    async def work() -> str:
        try:
            await clock.sleep(math.inf)
        except asyncio.CancelledError:
            return "late"
        return "never"

    with pytest.raises(TimeoutError):
        await Timeout(5, clock).call(work)
    await clock.sleep(1)  # and no cancellation is left over for the caller


async def test_a_late_error_is_a_timeout_with_that_cause(clock: FakeClock) -> None:
    """What the clean-up raises does not hide why it ran."""

    async def work() -> None:
        try:
            await clock.sleep(math.inf)
        finally:
            raise ValueError("clean-up failed")

    with pytest.raises(TimeoutError) as caught:
        await Timeout(5, clock).call(work)
    assert isinstance(caught.value.__cause__, ValueError)
    await clock.sleep(1)


async def test_the_works_own_error_passes(clock: FakeClock) -> None:
    """An error before the limit is not touched."""
    error = TransientError()

    async def work() -> None:
        raise error

    with pytest.raises(TransientError) as caught:
        await Timeout(5, clock).call(work)
    assert caught.value is error


async def test_the_works_own_timeout_error_passes(clock: FakeClock) -> None:
    """A TimeoutError of something inside is not taken for this one."""

    async def work() -> None:
        raise TimeoutError("the socket's")

    with pytest.raises(TimeoutError, match="socket"):
        await Timeout(5, clock).call(work)


async def test_an_outer_cancellation_stays_one(clock: FakeClock) -> None:
    """Cancelling the task is not a timeout."""
    task = asyncio.create_task(Timeout(5, clock).call(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("first", ["limit", "outer"])
async def test_an_outer_cancellation_at_the_limit_stays_one(first: str) -> None:
    """When both come before the work can react, the outer one wins, in either order."""
    clock = FakeClock()
    task = asyncio.create_task(Timeout(5, clock).call(asyncio.Event().wait))
    await asyncio.sleep(0)
    both: list[Callable[[], object]] = [lambda: clock.advance(5), task.cancel]
    for act in both if first == "limit" else reversed(both):
        act()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_outer_cancellation_during_the_clean_up_stays_one(clock: FakeClock) -> None:
    """A task that is cancelled while its timed-out work cleans up ends as cancelled."""
    in_cleanup = asyncio.Event()

    async def work() -> str:
        try:
            await clock.sleep(math.inf)
        except asyncio.CancelledError:
            in_cleanup.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "late"
        return "never"

    task = asyncio.create_task(Timeout(5, clock).call(work))
    await in_cleanup.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("outer_s", "inner_s"), [(5, 50), (50, 5), (5, 5)])
async def test_nested_limits_end_at_the_nearer(
    clock: FakeClock, outer_s: float, inner_s: float
) -> None:
    """The nearer limit raises; at the same time the outer one does, and nothing is left over."""
    outer, inner = Timeout(outer_s, clock), Timeout(inner_s, clock)
    seen: list[BaseException] = []

    async def watched() -> None:
        try:
            await inner.call(clock.sleep, math.inf)
        except BaseException as error:
            seen.append(error)
            raise

    started = clock.monotonic()
    with pytest.raises(TimeoutError):
        await outer.call(watched)
    assert clock.monotonic() - started == 5
    expected = TimeoutError if inner_s < outer_s else asyncio.CancelledError
    assert [type(error) for error in seen] == [expected]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_can_go_on_after_a_timeout(clock: FakeClock) -> None:
    """The limit's cancellation is taken back: asyncio's own timeout works afterwards."""
    with pytest.raises(TimeoutError):
        await Timeout(5, clock).call(clock.sleep, math.inf)
    async with asyncio.timeout(60):
        await clock.sleep(100)


async def test_time_that_the_work_itself_moves_counts() -> None:
    """Work that passes the limit without an await has timed out, and the caller is left alone."""
    clock = FakeClock()

    async def work() -> str:
        clock.advance(10)
        return "late"

    async def failing() -> str:
        clock.advance(10)
        raise ValueError

    for slow in (work, failing):
        with pytest.raises(TimeoutError):
            await Timeout(5, clock).call(slow)
        await asyncio.sleep(0)


async def test_calls_end_each_at_their_own_time(clock: FakeClock) -> None:
    """Calls of one policy that began at different times time out at different times."""
    timeout = Timeout(5, clock)
    ended: dict[int, float] = {}
    origin = clock.monotonic()

    async def call(start_s: int) -> None:
        await clock.sleep(start_s)
        with pytest.raises(TimeoutError):
            await timeout.call(clock.sleep, math.inf)
        ended[start_s] = clock.monotonic() - origin

    await asyncio.gather(*(call(start_s) for start_s in (0, 1, 3, 3, 7, 20)))
    assert ended == {0: 5, 1: 6, 3: 8, 7: 12, 20: 25}


async def test_a_call_that_ended_does_not_shift_the_others(clock: FakeClock) -> None:
    """The one timer for all calls finds the next limit also when the oldest call is gone."""
    timeout = Timeout(5, clock)
    origin = clock.monotonic()

    async def later() -> float:
        await clock.sleep(3)
        with pytest.raises(TimeoutError):
            await timeout.call(clock.sleep, math.inf)
        return clock.monotonic() - origin

    _, ended = await asyncio.gather(timeout.call(clock.sleep, 4), later())
    assert ended == 8


async def test_hundreds_of_calls_at_a_time(clock: FakeClock) -> None:
    """Each call has its own limit: the slow ones time out, the quick ones don't."""
    timeout = Timeout(5, clock)

    async def work(n: int) -> int:
        await clock.sleep(math.inf if n % 2 else 1)
        return n

    results = await asyncio.gather(
        *(timeout.call(work, n) for n in range(300)), return_exceptions=True
    )
    assert [n for n in results if isinstance(n, int)] == list(range(0, 300, 2))
    assert sum(isinstance(error, TimeoutError) for error in results) == 150


class CountingClock(FakeClock):
    """Keeps the timers that are armed and were neither called nor cancelled."""

    @property
    def pending(self) -> int:
        return sum(timer.callback is not None for timer in self._timers)


async def test_a_single_call_leaves_no_timer_behind() -> None:
    """A policy made for one call is forgotten with it, not kept until its limit."""
    clock = CountingClock(autojump=True)
    await Timeout(1800, clock).call(asyncio.sleep, 0)
    assert clock.pending == 0


async def test_many_calls_leave_one_timer() -> None:
    """However many calls end in time, at most one timer waits."""
    clock = CountingClock(autojump=True)
    timeout = Timeout(1800, clock)
    for _ in range(5):
        await asyncio.gather(*(timeout.call(asyncio.sleep, 0) for _ in range(10)))
    assert clock.pending == 1
    clock.advance(1800)
    assert clock.pending == 0
    with pytest.raises(TimeoutError):
        await timeout.call(clock.sleep, math.inf)


def test_a_policy_serves_one_event_loop_after_another() -> None:
    """A limit also holds in a new loop, though the policy's timer went down with the old one."""
    clock = FakeClock(autojump=True)
    timeout = Timeout(5, clock)

    async def twice() -> None:
        await timeout.call(asyncio.sleep, 0)
        await timeout.call(asyncio.sleep, 0)

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            await timeout.call(clock.sleep, math.inf)

    for run in (twice, hang, twice, hang):
        asyncio.run(run())


def test_a_limit_on_the_systems_time_holds_in_a_second_event_loop() -> None:
    """The timer is armed anew where the work runs, not taken for one that is gone."""
    timeout = Timeout(0.01)

    async def twice() -> None:
        await timeout.call(asyncio.sleep, 0)
        await timeout.call(asyncio.sleep, 0)

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            await timeout.call(asyncio.Event().wait)

    asyncio.run(twice())
    asyncio.run(hang())


def test_a_call_that_went_down_with_its_event_loop_is_forgotten() -> None:
    """It is not in the way of the limits of calls in a later loop."""
    clock = FakeClock(autojump=True)
    timeout = Timeout(5, clock)

    async def begin() -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.create_task(timeout.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    lost = loop.run_until_complete(begin())
    loop.close()

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            await timeout.call(clock.sleep, math.inf)

    asyncio.run(hang())
    lost._log_destroy_pending = False  # type: ignore[attr-defined]


async def test_work_outside_of_a_task_is_told() -> None:
    """Nothing could stop it, so a callback of the loop can't run it."""
    told: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def callback() -> None:
        try:
            Timeout(5, FakeClock()).call(asyncio.sleep, 0).send(None)
        except RuntimeError as error:
            told.set_result(error)

    asyncio.get_running_loop().call_soon(callback)
    assert "task" in str(await told)


async def test_a_task_group_inside_is_ended_with_its_tasks(clock: FakeClock) -> None:
    """The limit reaches what the work started under a task group."""
    ended: list[int] = []

    async def child(n: int) -> None:
        try:
            await clock.sleep(math.inf)
        finally:
            ended.append(n)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(child(n))

    with pytest.raises(TimeoutError):
        await Timeout(5, clock).call(work)
    assert sorted(ended) == [0, 1, 2]


@pytest.mark.parametrize("policy", [Timeout, Deadline])
async def test_the_systems_time_ends_work(policy: type[Timeout | Deadline]) -> None:
    """Without a clock given, real time is the limit."""
    work: Callable[[], Awaitable[object]] = asyncio.Event().wait
    with pytest.raises(TimeoutError):
        await policy(0.001).call(work)
