from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

from undaunted.resilience import Timeout
from undaunted.testing import FakeClock

# Moved by hand.


def test_time_stands_still() -> None:
    """Nothing moves it but `advance`; wall and monotonic time move together."""
    at = datetime(2030, 1, 1, tzinfo=UTC)
    clock = FakeClock(start_at=at, start_s=50)
    assert (clock.monotonic(), clock.now()) == (50, at)
    assert (clock.monotonic(), clock.now()) == (50, at)
    clock.advance(1.5)
    assert (clock.monotonic(), clock.now()) == (51.5, at + timedelta(seconds=1.5))


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_time_moves_forward_by_a_number_of_seconds(seconds: float) -> None:
    """Back, nowhere and for ever are told."""
    with pytest.raises(ValueError, match="forward"):
        FakeClock().advance(seconds)


def test_timers_fire_in_order_of_time_then_of_arming() -> None:
    """Each sees its own time."""
    clock = FakeClock(start_s=0)
    fired: list[tuple[str, float]] = []
    for name, delay_s in [("c", 3), ("a", 1), ("b1", 2), ("b2", 2), ("late", 5)]:
        clock.call_later(delay_s, lambda name=name: fired.append((name, clock.monotonic())))
    clock.advance(4)
    assert fired == [("a", 1), ("b1", 2), ("b2", 2), ("c", 3)]
    assert clock.monotonic() == 4
    clock.advance(1)
    assert fired[-1] == ("late", 5)


def test_a_timer_without_delay_waits_for_the_next_move() -> None:
    """A callback is never called from within `call_later`, and a negative delay is none."""
    clock = FakeClock()
    fired: list[int] = []
    clock.call_later(0, lambda: fired.append(0))
    clock.call_later(-5, lambda: fired.append(1))
    assert fired == []
    clock.advance(0)
    assert fired == [0, 1]


def test_a_timer_that_arms_another_has_it_fired_if_it_is_due() -> None:
    """A chain runs as far as time goes, without skipping and without drifting."""
    clock = FakeClock(start_s=0)
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(clock.monotonic())
        clock.call_later(2, tick)

    clock.call_later(1, tick)
    clock.advance(6)
    assert ticks == [1, 3, 5]


def test_a_cancelled_timer_does_not_fire() -> None:
    """Also if it is cancelled by one that fires at the same time; twice does no harm."""
    clock = FakeClock()
    fired: list[str] = []
    early = clock.call_later(1, lambda: fired.append("early"))
    clock.call_later(2, lambda: same.cancel())  # noqa: PLW0108 - `same` is armed below
    same = clock.call_later(2, lambda: fired.append("same"))
    early.cancel()
    early.cancel()
    clock.advance(3)
    same.cancel()
    assert fired == []


def test_a_callback_may_move_time_itself() -> None:
    """Time never goes back because of it."""
    clock = FakeClock(start_s=0)
    seen: list[float] = []
    clock.call_later(1, lambda: clock.advance(10))
    clock.call_later(2, lambda: seen.append(clock.monotonic()))
    clock.call_later(12, lambda: seen.append(clock.monotonic()))
    clock.advance(3)
    assert (seen, clock.monotonic()) == ([2], 11)


def test_a_callbacks_error_comes_out_and_the_rest_stays_due() -> None:
    """A test sees it; time has stopped there and can go on."""
    clock = FakeClock(start_s=0)
    fired: list[str] = []
    clock.call_later(1, lambda: 1 / 0)
    clock.call_later(2, lambda: fired.append("after"))
    with pytest.raises(ZeroDivisionError):
        clock.advance(5)
    assert (fired, clock.monotonic()) == ([], 1)
    clock.advance(4)
    assert fired == ["after"]


async def turns(count: int = 5) -> None:
    """Lets the event loop turn a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_sleep_ends_when_its_time_has_come() -> None:
    """Not before."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(10))
    await turns()
    clock.advance(9.99)
    await turns()
    assert not task.done()
    clock.advance(0.01)
    await task


async def test_a_sleep_of_nothing_gives_way_once() -> None:
    """Zero and less don't wait, and don't hang without a move of time."""
    clock = FakeClock()
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "other")
    await clock.sleep(0)
    assert ran == ["other"]
    await clock.sleep(-1)
    with pytest.raises(ValueError, match="NaN"):
        await clock.sleep(math.nan)


async def test_a_cancelled_sleep_ends_and_leaves_nothing() -> None:
    """Its timer does not fire afterwards."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(10))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.advance(20)


async def test_a_sleep_cancelled_at_the_moment_it_ends_is_cancelled() -> None:
    """Both in one turn: the cancellation is not lost."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(10))
    await turns()
    clock.advance(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Moved by itself.


async def test_a_sleep_makes_time_jump() -> None:
    """A year passes in no time, to the second."""
    clock = FakeClock(autojump=True, start_s=0)
    await clock.sleep(365 * 86_400)
    assert clock.monotonic() == 365 * 86_400


async def test_without_autojump_nothing_jumps() -> None:
    """The default leaves time to the test."""
    clock = FakeClock(start_s=0)
    task = asyncio.create_task(clock.sleep(1))
    await turns(500)
    assert (task.done(), clock.monotonic()) == (False, 0)
    task.cancel()


async def test_sleepers_wake_in_order_each_at_its_time() -> None:
    """Also when they sleep several times; at one time, whoever lay down first."""
    clock = FakeClock(autojump=True, start_s=0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps_s: float) -> None:
        for nap_s in naps_s:
            await clock.sleep(nap_s)
            woken.append((name, clock.monotonic()))

    await asyncio.gather(sleeper("a", 1, 5, 1), sleeper("b", 2, 2), sleeper("c", 3, 4))
    assert woken == [("a", 1), ("b", 2), ("c", 3), ("b", 4), ("a", 6), ("c", 7), ("a", 7)]


async def test_plain_timers_fire_on_the_way_and_what_they_wake_runs() -> None:
    """A timer between two sleeps wakes its task at the timer's own time."""
    clock = FakeClock(autojump=True, start_s=0)
    event = asyncio.Event()
    seen: list[float] = []

    async def waiter() -> None:
        await event.wait()
        seen.append(clock.monotonic())

    clock.call_later(3, event.set)
    await asyncio.gather(waiter(), clock.sleep(10))
    assert (seen, clock.monotonic()) == ([3], 10)


async def test_timers_alone_do_not_move_time() -> None:
    """Only a sleep does: a limit on work that waits for something else is not reached."""
    clock = FakeClock(autojump=True, start_s=0)
    task = asyncio.create_task(Timeout(5, clock).call(asyncio.Event().wait))
    await turns(500)
    assert (task.done(), clock.monotonic()) == (False, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_endless_sleep_lets_timers_come_but_never_ends() -> None:
    """It is a hang that a limit can end; with no timer left, time stands still."""
    clock = FakeClock(autojump=True, start_s=0)
    fired: list[float] = []
    hang = asyncio.create_task(clock.sleep(math.inf))
    clock.call_later(5, lambda: fired.append(clock.monotonic()))
    await turns(200)
    assert (fired, clock.monotonic()) == ([5], 5)
    # A timer armed only now is reached as well.
    clock.call_later(2, lambda: fired.append(clock.monotonic()))
    await turns(200)
    assert (fired, hang.done()) == ([5, 7], False)
    hang.cancel()


async def test_a_timeout_inside_a_sleep_and_a_sleep_inside_a_timeout() -> None:
    """Limits and sleeps meet at their exact times."""
    clock = FakeClock(autojump=True, start_s=0)

    async def nested() -> str:
        with pytest.raises(TimeoutError):
            await Timeout(2, clock).call(clock.sleep, 100)
        assert clock.monotonic() == 2
        await clock.sleep(2.5)
        return "done"

    assert await Timeout(5, clock).call(nested) == "done"
    assert clock.monotonic() == 4.5


async def test_a_sleep_that_is_cancelled_no_longer_moves_time() -> None:
    """Time stops at the last sleep that is left."""
    clock = FakeClock(autojump=True, start_s=0)
    long = asyncio.create_task(clock.sleep(1000))
    await clock.sleep(3)
    long.cancel()
    await turns(200)
    assert clock.monotonic() == 3


async def test_time_waits_for_work_that_is_under_way() -> None:
    """A task that has turns to go through is not overtaken by another one's sleep."""
    clock = FakeClock(autojump=True, start_s=0)

    async def busy() -> float:
        await turns(40)
        return clock.monotonic()

    _, at = await asyncio.gather(clock.sleep(1000), busy())
    assert at == 0


@pytest.mark.parametrize("activity", ["arm", "cancel", "give way", "sleep"])
async def test_activity_starts_the_count_anew(activity: str) -> None:
    """Turns are idle only if in none of them the clock was used; what takes longer says so."""
    clock = FakeClock(autojump=True, start_s=0, idle_turns=10)
    timers = [clock.call_later(5000, lambda: None) for _ in range(20)]
    sleeps: list[asyncio.Task[None]] = []

    async def busy() -> float:
        for _ in range(20):
            await turns(8)
            if activity == "arm":
                clock.call_later(5000, lambda: None)
            elif activity == "cancel":
                timers.pop().cancel()
            elif activity == "give way":
                await clock.sleep(0)
            else:
                sleeps.append(asyncio.create_task(clock.sleep(5000)))
        return clock.monotonic()

    _, at = await asyncio.gather(clock.sleep(1000), busy())
    assert at == 0
    for task in sleeps:
        task.cancel()


async def test_polling_the_time_ends() -> None:
    """A loop that reads the clock until it has moved does not keep it from moving."""
    clock = FakeClock(autojump=True, start_s=0)

    async def poll() -> None:
        while clock.monotonic() < 10:  # noqa: ASYNC110 - the poll is what is tested
            await asyncio.sleep(0)

    await asyncio.gather(poll(), clock.sleep(10))


async def test_a_held_clock_does_not_jump() -> None:
    """Work that the clock can't see keeps it still; afterwards time goes on."""
    clock = FakeClock(autojump=True, start_s=0)
    task = asyncio.create_task(clock.sleep(10))
    with clock.held():
        await turns(200)
        with clock.held():
            await asyncio.to_thread(lambda: None)
        await turns(200)
        assert (task.done(), clock.monotonic()) == (False, 0)
    await task
    assert clock.monotonic() == 10


async def test_a_hold_that_begins_during_the_count_is_in_time() -> None:
    """Turns counted before and after a hold are not added up."""
    clock = FakeClock(autojump=True, start_s=0)
    task = asyncio.create_task(clock.sleep(10))
    for _ in range(10):
        await turns(40)
        with clock.held():
            await turns(3)
    assert clock.monotonic() == 0
    await task


def test_a_clock_serves_one_event_loop_after_another() -> None:
    """Also if the first one was closed while it was counting turns for a sleep."""
    clock = FakeClock(autojump=True, start_s=0)

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(clock.sleep(99))

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(begin())
    loop.run_until_complete(turns(3))
    loop.close()
    asyncio.run(clock.sleep(5))
    assert clock.monotonic() == 5
    abandon(task)


def abandon(task: asyncio.Task[None]) -> None:
    """Lets a task of a closed loop go without the message that it never ended."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def test_a_failing_timer_does_not_stop_time() -> None:
    """Its error goes to the loop's handler, and sleepers wake all the same."""
    clock = FakeClock(autojump=True, start_s=0)
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    clock.call_later(1, lambda: 1 / 0)
    await clock.sleep(2)
    assert clock.monotonic() == 2
    assert len(told) == 1


async def test_many_tasks_run_the_same_every_time() -> None:
    """Two runs of a tangle of sleeps, limits and cancellations give the same story."""

    async def story() -> list[tuple[int, str, float]]:
        clock = FakeClock(autojump=True, start_s=0)
        told: list[tuple[int, str, float]] = []
        limit = Timeout(7, clock)
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def actor(n: int) -> None:
            await clock.sleep(n % 5)
            try:
                await limit.call(clock.sleep, n % 11)
                told.append((n, "slept", clock.monotonic()))
            except TimeoutError:
                told.append((n, "timed out", clock.monotonic()))
            queue.put_nowait(n)
            other = await queue.get()
            told.append((other, "passed on", clock.monotonic()))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(actor(n)) for n in range(200)]
            await clock.sleep(6)
            for task in tasks[::7]:
                task.cancel()
        return told

    first, second = await story(), await story()
    assert first == second
    assert len(first) > 300
    assert [at for _, _, at in first] == sorted(at for _, _, at in first)
