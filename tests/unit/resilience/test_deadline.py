from __future__ import annotations

import asyncio
import math

import pytest

from undaunted.resilience import (
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    Retry,
    Timeout,
    TransientError,
    remaining_s,
)
from undaunted.testing import FakeClock


async def test_the_total_time_is_limited(clock: FakeClock) -> None:
    """DeadlineExceededError comes at the limit, and names it."""
    started = clock.monotonic()
    with pytest.raises(DeadlineExceededError, match="10 s"):
        await Deadline(10, clock).call(clock.sleep, math.inf)
    assert clock.monotonic() - started == 10


async def test_a_late_value_has_missed_the_deadline(clock: FakeClock) -> None:
    """Work that swallows the cancellation and returns is too late all the same."""

    async def work() -> str:
        try:
            await clock.sleep(math.inf)
        except asyncio.CancelledError:
            return "late"
        return "never"

    with pytest.raises(DeadlineExceededError):
        await Deadline(10, clock).call(work)


async def test_the_time_left_is_told_inside(clock: FakeClock) -> None:
    """It falls with time, and is None outside."""

    async def work() -> list[float | None]:
        before = remaining_s()
        await clock.sleep(4)
        return [before, remaining_s()]

    assert remaining_s() is None
    assert await Deadline(10, clock).call(work) == [10, 6]
    assert remaining_s() is None


@pytest.mark.parametrize(("outer_s", "inner_s"), [(10, 30), (30, 10)])
async def test_the_nearest_deadline_holds(clock: FakeClock, outer_s: int, inner_s: int) -> None:
    """Of two deadlines the one that comes first is told, and ends the work."""

    async def work() -> None:
        assert remaining_s() == 10
        await clock.sleep(math.inf)

    started = clock.monotonic()
    with pytest.raises(DeadlineExceededError, match="10 s"):
        await Pipeline(Deadline(outer_s, clock), Deadline(inner_s, clock)).call(work)
    assert clock.monotonic() - started == 10


async def test_what_the_work_starts_knows_the_deadline(clock: FakeClock) -> None:
    """Tasks started inside see the time left."""

    async def work() -> list[float | None]:
        async def child() -> float | None:
            return remaining_s()

        return list(await asyncio.gather(child(), child()))

    assert await Deadline(10, clock).call(work) == [10, 10]


async def test_calls_at_one_time_have_their_own_deadline(clock: FakeClock) -> None:
    """One policy, two tasks: each sees its own time left."""
    deadline = Deadline(10, clock)

    async def work(start_s: float) -> float | None:
        await clock.sleep(start_s)
        return remaining_s()

    assert await asyncio.gather(*(deadline.call(work, s) for s in (0, 3))) == [10, 7]


@pytest.mark.parametrize("timeout_s", [10, 30])
async def test_an_attempt_ends_at_the_deadline(clock: FakeClock, timeout_s: float) -> None:
    """A longer or equal attempt timeout is cut: the deadline's error, and nothing counted."""
    breaker = CircuitBreaker(clock=clock)
    pipeline = Pipeline(Deadline(10, clock), Retry(clock=clock), breaker, Timeout(timeout_s, clock))
    with pytest.raises(DeadlineExceededError):
        await pipeline.call(clock.sleep, math.inf)
    assert breaker.failure_count == 0


async def test_attempts_and_waits_share_the_deadline(clock: FakeClock) -> None:
    """Time spent in attempts counts as much as time spent waiting."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        await clock.sleep(3)
        raise TransientError

    # 3 + 1 + 3 + 2 + 3 leaves too little for a wait of 4.
    started = clock.monotonic()
    pipeline = Pipeline(Deadline(13, clock), Retry(9, jitter="none", clock=clock))
    with pytest.raises(TransientError):
        await pipeline.call(work)
    assert (runs, clock.monotonic() - started) == (3, 12)


async def test_an_outer_cancellation_stays_one(clock: FakeClock) -> None:
    """Cancelling the task is not a missed deadline."""
    task = asyncio.create_task(Deadline(5, clock).call(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
