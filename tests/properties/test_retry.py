from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from undaunted.resilience import (
    CircuitOpenError,
    Deadline,
    Exponential,
    PermanentError,
    Pipeline,
    ResourceExhaustedError,
    Retry,
    RetryEvent,
    TransientError,
    is_transient_or_exhausted,
)
from undaunted.testing import FakeClock

delays = st.floats(min_value=0, max_value=200)
errors = st.one_of(
    st.builds(TransientError),
    st.builds(PermanentError),
    st.builds(CircuitOpenError),
    st.builds(ResourceExhaustedError, retry_after_s=st.none() | delays),
)
steps = st.tuples(delays, st.none() | errors)  # an attempt's duration and its end
backoffs = st.builds(Exponential, base_s=delays, factor=st.floats(1, 4), max_s=st.floats(0, 300))


def run(work: Coroutine[Any, Any, object]) -> BaseException | None:
    async def ended() -> BaseException | None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the outcome under test
            return error
        return None

    return asyncio.run(ended())


@given(
    attempts=st.integers(1, 6),
    script=st.lists(steps, min_size=6, max_size=6),
    backoff=backoffs,
    random=st.floats(0, 1, exclude_max=True),
    cap_s=delays,
    deadline_s=st.floats(0.5, 1000),
)
def test_a_retry_keeps_its_promises(
    attempts: int,
    script: list[tuple[float, Exception | None]],
    backoff: Exponential,
    random: float,
    cap_s: float,
    deadline_s: float,
) -> None:
    """Attempts, waits, stated times and the deadline hold, and the end is the last attempt's."""
    clock = FakeClock(autojump=True)
    events: list[RetryEvent] = []
    started: list[float] = []
    ended: list[Exception | None] = []

    async def work() -> None:
        duration_s, error = script[len(started)]
        started.append(clock.monotonic())
        await clock.sleep(duration_s)
        ended.append(error)
        if error is not None:
            raise error

    begun = clock.monotonic()
    retry = Retry(
        attempts,
        backoff=backoff,
        clock=clock,
        random=lambda: random,
        max_retry_after_s=cap_s,
        on_retry=events.append,
    )
    outcome = run(Pipeline(Deadline(deadline_s, clock), retry).call(work))

    # Never more attempts than allowed, one wait between two.
    assert 1 <= len(started) <= attempts
    assert len(events) == len(started) - 1
    # Every retried failure was worth it, and waited as long as it asked, up to the cap.
    for number, (event, error) in enumerate(zip(events, ended, strict=False), start=1):
        assert event.attempt == number
        assert event.error is error
        assert is_transient_or_exhausted(event.error)
        stated_s = getattr(event.error, "retry_after_s", None)
        assert event.retry_after_s == stated_s
        assert stated_s is None or stated_s <= min(cap_s, event.delay_s)
        assert event.delay_s <= max(backoff(number), stated_s or 0.0)
    # The whole call keeps its deadline (to a rounding error), and no wait was begun in vain.
    assert clock.monotonic() - begun <= deadline_s + 1e-6
    # What comes out is the last attempt's end, unless that was cut by the deadline.
    if len(ended) == len(started) and not isinstance(outcome, TimeoutError):
        assert outcome is ended[-1]
    else:
        assert clock.monotonic() - begun >= deadline_s - 1e-6


@given(attempts=st.integers(1, 20), failing=st.integers(0, 25))
def test_it_succeeds_if_any_allowed_attempt_does(attempts: int, failing: int) -> None:
    """Work that fails n times succeeds under more than n attempts, and only then."""
    clock = FakeClock(autojump=True, idle_turns=5)
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs <= failing:
            raise TransientError

    outcome = run(Retry(attempts, clock=clock).call(work))
    assert (outcome is None) == (failing < attempts)
    assert runs == min(attempts, failing + 1)
