"""Faults that were seen in other libraries when their behaviour was probed: none of them is here.

Each test names what was seen. The probes were run on the versions current in 2026 of tenacity,
stamina, backoff, hyx, aiobreaker, purgatory, circuitbreaker, pybreaker, nopanic, interlock,
pyresilience, fluxgate, grit and redress.
"""

from __future__ import annotations

import asyncio
import gc
import math
import tracemalloc

import pytest

from resilience.script import Script
from undaunted.resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    Deadline,
    Exponential,
    Pipeline,
    Retry,
    RetryEvent,
    Timeout,
    TransientError,
)
from undaunted.testing import FakeClock


async def failures(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(TransientError):
            await breaker.call(Script(TransientError()))


async def cancelled(breaker: CircuitBreaker) -> None:
    task = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_runs_while_open(clock: FakeClock) -> None:
    """The work is not called at all after the third failure of three."""
    breaker = CircuitBreaker(3, clock=clock)
    await failures(breaker, 3)
    work = Script("never")
    with pytest.raises(CircuitOpenError):
        await breaker.call(work)
    assert work.runs == 0


async def test_half_open_is_no_stampede(clock: FakeClock) -> None:
    """Six libraries let 92 to 100 of 100 calls through at once; failing ones, one after another."""
    breaker = CircuitBreaker(1, 60, clock=clock)
    await failures(breaker, 1)
    clock.advance(60)
    runs = 0

    async def probe() -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        raise TransientError

    await asyncio.gather(*(breaker.call(probe) for _ in range(100)), return_exceptions=True)
    assert runs == 1


async def test_a_stale_success_does_not_let_traffic_through(clock: FakeClock) -> None:
    """One library closed its circuit when a call from before the opening succeeded."""
    breaker = CircuitBreaker(3, clock=clock)
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await go_on.wait()

    task = asyncio.create_task(breaker.call(slow))
    await begun.wait()
    await failures(breaker, 3)
    go_on.set()
    await task
    with pytest.raises(CircuitOpenError):
        breaker.acquire()


async def test_cancellations_do_not_open(clock: FakeClock) -> None:
    """One library opened after six cancelled calls."""
    breaker = CircuitBreaker(5, clock=clock)
    for _ in range(6):
        await cancelled(breaker)
    assert breaker.state is CircuitState.CLOSED


async def test_a_cancellation_does_not_end_a_row_of_failures(clock: FakeClock) -> None:
    """One library forgot its failures: fail, fail, cancel, fail did not open."""
    breaker = CircuitBreaker(3, clock=clock)
    await failures(breaker, 2)
    await cancelled(breaker)
    await failures(breaker, 1)
    assert breaker.state is CircuitState.OPEN


async def test_a_cancelled_probe_neither_closes_nor_blocks(clock: FakeClock) -> None:
    """One library closed on it, and one never let a call through again."""
    breaker = CircuitBreaker(3, 60, clock=clock)
    await failures(breaker, 3)
    clock.advance(60)
    await cancelled(breaker)
    work = Script(TransientError())
    for _ in range(3):
        with pytest.raises((TransientError, CircuitOpenError)):
            await breaker.call(work)
    assert work.runs == 1
    clock.advance(60)
    assert await breaker.call(Script("ok")) == "ok"


async def test_a_refusal_leaks_nothing(clock: FakeClock) -> None:
    """One library kept 1456 bytes for every refused call."""
    breaker = CircuitBreaker(1, clock=clock)
    await failures(breaker, 1)

    async def refuse(times: int) -> None:
        for _ in range(times):
            with pytest.raises(CircuitOpenError):
                await breaker.call(asyncio.sleep, 0)

    await refuse(50)
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await refuse(500)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 500 < 20


async def test_cancellation_is_not_retried_by_a_negative_rule(clock: FakeClock) -> None:
    """One library's "unless it is a ValueError" retried CancelledError, so tasks did not end."""
    retry = Retry(clock=clock, retry_if=lambda error: not isinstance(error, ValueError))
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(retry.call(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runs == 1


async def test_three_attempts_are_three_calls_and_the_works_own_error(clock: FakeClock) -> None:
    """One library ran the work four times and raised an error of its own."""
    work = Script(TransientError("mine"))
    with pytest.raises(TransientError, match="mine"):
        await Retry(3, clock=clock).call(work)
    assert work.runs == 3


async def test_concurrent_callers_do_not_share_a_backoff(clock: FakeClock) -> None:
    """One library's four callers waited 0.01 to 40.96 s off one common series."""
    events: list[RetryEvent] = []
    retry = Retry(5, backoff=Exponential(0.01), jitter="none", clock=clock, on_retry=events.append)
    await asyncio.gather(
        *(retry.call(Script(TransientError())) for _ in range(4)), return_exceptions=True
    )
    by_attempt = {event.attempt: event.delay_s for event in events}
    assert len(events) == 16
    assert by_attempt == {1: 0.01, 2: 0.02, 3: 0.04, 4: 0.08}
    assert all(event.delay_s == by_attempt[event.attempt] for event in events)


async def test_an_async_function_is_awaited_before_it_counts(clock: FakeClock) -> None:
    """One library took the coroutine object for a success: ten failures, still closed."""
    breaker = CircuitBreaker(10, clock=clock)
    await failures(breaker, 10)
    assert (breaker.state, breaker.failure_count) == (CircuitState.OPEN, 10)


async def test_a_deadline_is_not_overshot(clock: FakeClock) -> None:
    """Two libraries took 0.8 s for a limit of 0.5 s: they slept first and looked afterwards."""
    pipeline = Pipeline(
        Deadline(0.5, clock),
        Retry(10, backoff=Exponential(0.2, 2.0), jitter="none", clock=clock),
    )
    started = clock.monotonic()
    with pytest.raises(TransientError):
        await pipeline.call(Script(TransientError()))
    assert clock.monotonic() - started <= 0.5


async def test_a_deadline_bounds_an_attempt(clock: FakeClock) -> None:
    """One library returned "ok" after 2 s under a limit of 0.5 s."""
    started = clock.monotonic()
    with pytest.raises(TimeoutError):
        await Pipeline(Deadline(0.5, clock), Retry(clock=clock)).call(clock.sleep, 2.0)
    assert clock.monotonic() - started == 0.5


async def test_a_late_value_after_a_swallowed_cancellation_is_a_timeout(clock: FakeClock) -> None:
    """Five of five returned the late value as if it had been in time."""

    async def work() -> str:
        try:
            await clock.sleep(math.inf)
        except asyncio.CancelledError:
            return "late value"
        return "never"

    with pytest.raises(TimeoutError):
        await Timeout(1, clock).call(work)
