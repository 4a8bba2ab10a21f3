from __future__ import annotations

import asyncio

import pytest

from resilience.script import Script
from undaunted.resilience import (
    CircuitOpenError,
    Deadline,
    ExecutionRejectedError,
    Exponential,
    NetworkError,
    PermanentError,
    Pipeline,
    ResourceExhaustedError,
    Retry,
    RetryEvent,
    TransientError,
)
from undaunted.testing import FakeClock

PLAIN = Exponential(1.0, 2.0, 60.0)


async def test_attempts_include_the_first(clock: FakeClock) -> None:
    """Three attempts are three runs, and the third one's success is the result."""
    work = Script(TransientError(), NetworkError(), "done")
    assert await Retry(3, clock=clock).call(work) == "done"
    assert work.runs == 3


async def test_one_attempt_is_no_retry(clock: FakeClock) -> None:
    """The least number runs the work once."""
    work = Script(TransientError())
    with pytest.raises(TransientError):
        await Retry(1, clock=clock).call(work)
    assert work.runs == 1


@pytest.mark.parametrize("attempts", [0, -1])
def test_less_than_one_attempt_is_refused(attempts: int) -> None:
    """Work that is never tried is a mistake in the settings."""
    with pytest.raises(ValueError, match="at least 1"):
        Retry(attempts)


def test_an_unknown_jitter_is_refused_at_once() -> None:
    """A misspelt setting is told when the policy is made, not at the first failure."""
    with pytest.raises(ValueError, match="jitter"):
        Retry(jitter="fuzzy")  # type: ignore[arg-type]


async def test_the_last_error_is_raised_as_it_is(clock: FakeClock) -> None:
    """The same object, with nothing chained to it."""
    first, last = TransientError("first"), TransientError("last")
    with pytest.raises(TransientError) as caught:
        await Retry(2, clock=clock).call(Script(first, last))
    assert caught.value is last
    assert (last.__cause__, last.__context__) == (None, None)


async def test_what_is_permanent_is_tried_once(clock: FakeClock) -> None:
    """A permanent or unknown error is raised at once."""
    for error in (PermanentError(), ValueError(), RuntimeError()):
        work = Script(error)
        with pytest.raises(type(error)):
            await Retry(clock=clock).call(work)
        assert work.runs == 1
    assert clock.monotonic() == FakeClock().monotonic()


async def test_retry_if_decides(clock: FakeClock) -> None:
    """The caller's own rule replaces the classification."""
    work = Script(RuntimeError(), "done")
    retry = Retry(clock=clock, retry_if=lambda error: isinstance(error, RuntimeError))
    assert await retry.call(work) == "done"
    with pytest.raises(TransientError):
        await retry.call(Script(TransientError()))


@pytest.mark.parametrize("refusal", [ExecutionRejectedError(), CircuitOpenError(retry_after_s=1)])
async def test_a_refusal_is_never_retried(clock: FakeClock, refusal: Exception) -> None:
    """Not even when the rule would have it: the work was not tried."""
    work = Script(refusal)
    with pytest.raises(ExecutionRejectedError):
        await Retry(clock=clock, retry_if=lambda _: True).call(work)
    assert work.runs == 1


@pytest.mark.parametrize("ending", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_what_ends_a_program_is_never_retried(
    clock: FakeClock, ending: type[BaseException]
) -> None:
    """Cancellation, Ctrl-C and exit pass through whatever the rule says."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise ending

    # Driven by hand: in a task, asyncio lets KeyboardInterrupt and SystemExit out of the loop.
    with pytest.raises(ending):
        Retry(clock=clock, retry_if=lambda _: True).call(work).send(None)
    assert runs == 1


async def test_cancellation_ends_a_wait() -> None:
    """A retry that sleeps is gone as soon as its task is cancelled."""
    still = FakeClock()
    work = Script(TransientError())
    task = asyncio.create_task(Retry(clock=still).call(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.runs == 1


async def test_the_waits_are_the_backoffs(clock: FakeClock) -> None:
    """Without jitter the waits are the formula's, attempt by attempt."""
    events: list[RetryEvent] = []
    retry = Retry(5, backoff=PLAIN, jitter="none", clock=clock, on_retry=events.append)
    started = clock.monotonic()
    with pytest.raises(TransientError):
        await retry.call(Script(TransientError()))
    assert [event.delay_s for event in events] == [1, 2, 4, 8]
    assert [event.attempt for event in events] == [1, 2, 3, 4]
    assert clock.monotonic() - started == 15


@pytest.mark.parametrize(("jitter", "delays"), [("full", [0.25, 0.5]), ("equal", [0.625, 1.25])])
async def test_jitter_uses_the_given_randomness(
    clock: FakeClock, jitter: str, delays: list[float]
) -> None:
    """The same numbers give the same waits."""
    events: list[RetryEvent] = []
    retry = Retry(
        backoff=PLAIN,
        jitter=jitter,  # type: ignore[arg-type]
        clock=clock,
        random=lambda: 0.25,
        on_retry=events.append,
    )
    with pytest.raises(TransientError):
        await retry.call(Script(TransientError()))
    assert [event.delay_s for event in events] == delays


async def test_a_stated_time_is_waited_for(clock: FakeClock) -> None:
    """It replaces a shorter backoff, without jitter; a longer backoff stays."""
    events: list[RetryEvent] = []
    retry = Retry(backoff=PLAIN, clock=clock, random=lambda: 0.999, on_retry=events.append)
    work = Script(
        ResourceExhaustedError(retry_after_s=30.0), ResourceExhaustedError(retry_after_s=0.5), "ok"
    )
    assert await retry.call(work) == "ok"
    assert [(event.delay_s, event.retry_after_s) for event in events] == [(30, 30), (1.998, 0.5)]


async def test_a_stated_time_of_another_class_is_waited_for(clock: FakeClock) -> None:
    """Every retried error may state one, here in a response's header."""

    class LimitedError(Exception):
        status_code = 429
        headers = {"Retry-After": "20"}  # noqa: RUF012 - never changed

    started = clock.monotonic()
    assert await Retry(clock=clock).call(Script(LimitedError(), "ok")) == "ok"
    assert clock.monotonic() - started == 20


async def test_a_stated_time_that_is_too_long_is_not_slept_through(clock: FakeClock) -> None:
    """The error is raised at once, so that another agent can be tried."""
    work = Script(ResourceExhaustedError(retry_after_s=60.1))
    started = clock.monotonic()
    with pytest.raises(ResourceExhaustedError):
        await Retry(clock=clock, max_retry_after_s=60).call(work)
    assert (work.runs, clock.monotonic()) == (1, started)


async def test_a_retry_is_told_before_its_wait(clock: FakeClock) -> None:
    """`on_retry` gets error and delay before time moves, and is not told of the last failure."""
    told: list[tuple[float, RetryEvent]] = []
    error = TransientError()
    retry = Retry(
        2,
        backoff=PLAIN,
        jitter="none",
        clock=clock,
        on_retry=lambda event: told.append((clock.monotonic(), event)),
    )
    started = clock.monotonic()
    with pytest.raises(TransientError):
        await retry.call(Script(error))
    assert told == [(started, RetryEvent(1, error, 1.0, None))]


async def test_no_wait_begins_that_would_pass_the_deadline(clock: FakeClock) -> None:
    """The last error is raised at once instead of sleeping into the deadline."""
    work = Script(TransientError("the reason"))
    retry = Retry(10, backoff=PLAIN, jitter="none", clock=clock)
    started = clock.monotonic()
    with pytest.raises(TransientError, match="the reason"):
        await Pipeline(Deadline(10, clock), retry).call(work)
    # Waits of 1, 2 and 4 seconds fit; the fourth, of 8, does not.
    assert (work.runs, clock.monotonic() - started) == (4, 7)


async def test_calls_at_one_time_have_their_own_count(clock: FakeClock) -> None:
    """Attempts and delays of one call don't show in another's."""
    events: list[RetryEvent] = []
    retry = Retry(backoff=PLAIN, jitter="none", clock=clock, on_retry=events.append)
    works = [Script(TransientError(), TransientError(), n) for n in range(4)]
    assert await asyncio.gather(*(retry.call(work) for work in works)) == [0, 1, 2, 3]
    assert sorted(event.delay_s for event in events) == [1] * 4 + [2] * 4


async def test_arguments_reach_the_work_each_time(clock: FakeClock) -> None:
    """Every attempt gets the same positional and keyword arguments."""
    work = Script(TransientError(), "ok")
    await Retry(clock=clock).call(work, 1, two=2)
    assert work.calls == [((1,), {"two": 2})] * 2
