from __future__ import annotations

import asyncio
import inspect
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from resilience.script import Script
from undaunted.resilience import (
    CircuitBreaker,
    CircuitChanged,
    CircuitOpenError,
    CircuitState,
    ExecutionRejectedError,
    PermanentError,
    Pipeline,
    Timeout,
    TransientError,
)
from undaunted.testing import FakeClock

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class StatusError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__(status_code)
        self.status_code = status_code


async def fail(breaker: CircuitBreaker, error: BaseException | None = None, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(BaseException):  # noqa: B017, PT011 - any, as long as it is raised
            await breaker.call(Script(error or TransientError()))


async def succeed(breaker: CircuitBreaker) -> None:
    assert await breaker.call(Script("ok")) == "ok"


async def opened(clock: FakeClock, **settings: object) -> CircuitBreaker:
    breaker = CircuitBreaker(2, 60, clock=clock, **settings)  # type: ignore[arg-type]
    await fail(breaker, times=2)
    assert breaker.state is OPEN
    return breaker


# The document's breaker (S5).


def test_the_documents_arguments_come_first_and_the_rest_is_named() -> None:
    """Code written against the document runs, with positions and with keywords."""
    breaker = CircuitBreaker(3, 10, ConnectionError)
    assert (breaker.failure_threshold, breaker.timeout_duration) == (3, 10)
    assert breaker.expected_exception is ConnectionError
    parameters = inspect.signature(CircuitBreaker).parameters
    assert [(p.name, p.default) for p in list(parameters.values())[:3]] == [
        ("failure_threshold", 5),
        ("timeout_duration", 60),
        ("expected_exception", Exception),
    ]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters.values())[3:])


def test_call_async_is_call() -> None:
    """The document's name and the library's are one function."""
    breaker = CircuitBreaker()
    assert breaker.call_async is breaker.call


def test_the_states_have_the_documents_values() -> None:
    """They are text, for metrics and rows."""
    assert [state.value for state in (CLOSED, OPEN, HALF_OPEN)] == ["closed", "open", "half_open"]


async def test_the_documents_life_of_a_circuit(clock: FakeClock) -> None:
    """Five failures open it, sixty seconds later one success closes it."""
    breaker = CircuitBreaker(clock=clock)
    await fail(breaker, times=4)
    assert (breaker.state, breaker.failure_count) == (CLOSED, 4)
    await fail(breaker)
    assert (breaker.state, breaker.failure_count) == (OPEN, 5)
    clock.advance(59.999)
    assert breaker.state is OPEN
    clock.advance(0.001)
    assert breaker.state is HALF_OPEN
    await succeed(breaker)
    assert (breaker.state, breaker.failure_count) == (CLOSED, 0)


async def test_an_open_circuit_runs_nothing_and_says_when(clock: FakeClock) -> None:
    """The refusal carries seconds and instant of the next chance."""
    breaker = await opened(clock, name="claude")
    clock.advance(20)
    work = Script("never")
    with pytest.raises(CircuitOpenError, match="'claude' is open for 40 s") as caught:
        await breaker.call(work)
    assert work.runs == 0
    assert caught.value.retry_after_s == breaker.retry_after_s == 40
    assert caught.value.open_until == breaker.open_until == clock.now() + timedelta(seconds=40)
    assert not caught.value.isolated


async def test_a_failed_probe_opens_again(clock: FakeClock) -> None:
    """One failure is enough while half open, and the time starts anew."""
    breaker = await opened(clock)
    clock.advance(60)
    await fail(breaker)
    assert (breaker.state, breaker.failure_count, breaker.retry_after_s) == (OPEN, 3, 60)


async def test_a_success_ends_a_row_of_failures(clock: FakeClock) -> None:
    """Only failures in a row count."""
    breaker = CircuitBreaker(2, clock=clock)
    for _ in range(5):
        await fail(breaker)
        await succeed(breaker)
    assert (breaker.state, breaker.failure_count) == (CLOSED, 0)


async def test_a_failure_is_counted_once(clock: FakeClock) -> None:
    """The document's own code counts each one twice."""
    breaker = CircuitBreaker(clock=clock)
    await fail(breaker)
    assert breaker.failure_count == 1


async def test_no_time_open_means_a_probe_at_once(clock: FakeClock) -> None:
    """A duration of 0 s goes from closed to half open."""
    breaker = CircuitBreaker(1, 0, clock=clock)
    await fail(breaker)
    assert breaker.state is HALF_OPEN
    await succeed(breaker)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("wrong", [(0,), (5, -1), (5, math.nan), (5, math.inf)])
def test_settings_without_a_meaning_are_refused(wrong: tuple[int, ...]) -> None:
    """A mistake is told when the breaker is made, not at its first failure."""
    with pytest.raises(ValueError, match="is"):
        CircuitBreaker(*wrong)


# The probe.


async def test_one_probe_at_a_time(clock: FakeClock) -> None:
    """Of a hundred calls at once one goes through; the others are told nothing they can't know."""
    breaker = await opened(clock)
    clock.advance(60)
    runs = 0

    async def probe() -> str:
        nonlocal runs
        runs += 1
        await clock.sleep(1)
        return "ok"

    results = await asyncio.gather(
        *(breaker.call(probe) for _ in range(100)), return_exceptions=True
    )
    assert runs == results.count("ok") == 1
    refusals = [error for error in results if isinstance(error, CircuitOpenError)]
    assert len(refusals) == 99
    assert {error.retry_after_s for error in refusals} == {None}
    assert breaker.state is CLOSED


async def test_a_cancelled_probe_gives_its_place_back(clock: FakeClock) -> None:
    """It neither closes nor opens the circuit, and the next call is the probe."""
    breaker = await opened(clock)
    clock.advance(60)
    task = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    assert breaker.retry_after_s is None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (breaker.state, breaker.retry_after_s) == (HALF_OPEN, 0)
    await succeed(breaker)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_whatever_ends_a_probe_gives_its_place_back(
    clock: FakeClock, ending: type[BaseException]
) -> None:
    """No way out of a call keeps the circuit half open for ever."""
    breaker = await opened(clock)
    clock.advance(60)
    with pytest.raises(ending):
        breaker.call(Script(ending())).send(None)
    await succeed(breaker)


@pytest.mark.parametrize("error", [StatusError(400), ValueError(), ExecutionRejectedError()])
async def test_a_probe_whose_end_does_not_count_gives_its_place_back(
    clock: FakeClock, error: Exception
) -> None:
    """It tells nothing of the service: the circuit stays half open."""
    breaker = await opened(clock)
    clock.advance(60)
    await fail(breaker, error)
    assert (breaker.state, breaker.retry_after_s) == (HALF_OPEN, 0)


# Results from before the last change of state.


async def test_a_success_from_before_the_opening_changes_nothing(clock: FakeClock) -> None:
    """A slow call that began while closed does not close an open circuit."""
    breaker = CircuitBreaker(2, 60, clock=clock)
    slow = breaker.acquire()
    await fail(breaker, times=2)
    slow.success()
    assert (breaker.state, breaker.failure_count) == (OPEN, 2)


async def test_results_from_before_the_opening_do_not_decide_the_probe(clock: FakeClock) -> None:
    """Neither a failure nor a success of an old call ends a later half-open state."""
    breaker = CircuitBreaker(2, 60, clock=clock)
    slow_failure, slow_success, slow_release = (breaker.acquire() for _ in range(3))
    await fail(breaker, times=2)
    clock.advance(60)
    probe = breaker.acquire()
    slow_failure.failure(TransientError())
    slow_success.success()
    slow_release.release()
    assert (breaker.state, breaker.retry_after_s) == (HALF_OPEN, None)
    probe.success()
    assert breaker.state is CLOSED


async def test_a_probe_from_before_a_reset_changes_nothing(clock: FakeClock) -> None:
    """A person's decision stands."""
    breaker = await opened(clock)
    clock.advance(60)
    probe = breaker.acquire()
    breaker.reset()
    probe.failure(TransientError())
    assert (breaker.state, breaker.failure_count) == (CLOSED, 0)


async def test_a_probe_from_before_a_wall_changes_nothing(clock: FakeClock) -> None:
    """A quota that ended meanwhile is not forgotten because of an older success."""
    breaker = await opened(clock)
    clock.advance(60)
    probe = breaker.acquire()
    breaker.open_for(3600)
    probe.success()
    assert (breaker.state, breaker.retry_after_s) == (OPEN, 3600)


# What counts.


@pytest.mark.parametrize(
    "error",
    [TransientError(), RuntimeError(), TimeoutError(), StatusError(500), StatusError(429),
     StatusError(401), StatusError(403)],
)  # fmt: skip
async def test_it_counts(clock: FakeClock, error: Exception) -> None:
    """What tells something of the service counts; a refused key does, too."""
    breaker = CircuitBreaker(clock=clock)
    await fail(breaker, error)
    assert breaker.failure_count == 1


@pytest.mark.parametrize(
    "error",
    [StatusError(400), StatusError(404), StatusError(422), ValueError(), PermanentError(),
     ExecutionRejectedError(), CircuitOpenError(), asyncio.CancelledError()],
)  # fmt: skip
async def test_it_does_not_count(clock: FakeClock, error: BaseException) -> None:
    """The caller's own mistakes, refusals and cancellation neither lengthen nor end the row."""
    breaker = CircuitBreaker(2, clock=clock)
    await fail(breaker)
    await fail(breaker, error, times=10)
    assert (breaker.state, breaker.failure_count) == (CLOSED, 1)


async def test_only_the_expected_exception_counts(clock: FakeClock) -> None:
    """A class, or several."""
    breaker = CircuitBreaker(5, 60, ConnectionError, clock=clock)
    await fail(breaker, TimeoutError())
    await fail(breaker, ConnectionResetError())
    assert breaker.failure_count == 1
    breaker = CircuitBreaker(5, 60, (ConnectionError, TimeoutError), clock=clock)
    await fail(breaker, TimeoutError())
    await fail(breaker, ConnectionResetError())
    assert breaker.failure_count == 2


async def test_an_expected_exception_that_is_a_mistake_counts(clock: FakeClock) -> None:
    """Who names ValueError means it."""
    breaker = CircuitBreaker(5, 60, (ValueError, OSError), clock=clock)
    await fail(breaker, ValueError())
    await fail(breaker, PermanentError())
    assert breaker.failure_count == 1


async def test_a_rule_of_the_callers_replaces_the_built_in_one(clock: FakeClock) -> None:
    """`counts` decides about every error, and is not asked about cancellation."""
    asked: list[Exception] = []

    def counts(error: Exception) -> bool:
        asked.append(error)
        return isinstance(error, ValueError)

    breaker = CircuitBreaker(clock=clock, counts=counts)
    errors = [ValueError(), TransientError()]
    for error in (*errors, asyncio.CancelledError()):
        await fail(breaker, error)
    assert asked == errors
    assert breaker.failure_count == 1


async def test_a_timeout_inside_counts(clock: FakeClock) -> None:
    """Work that hangs opens the circuit."""
    breaker = CircuitBreaker(2, clock=clock)
    pipeline = Pipeline(breaker, Timeout(5, clock))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await pipeline.call(clock.sleep, math.inf)
    assert breaker.state is OPEN


# Permits.


async def test_a_permit_is_used_once(clock: FakeClock) -> None:
    """The first word counts, later ones change nothing."""
    breaker = CircuitBreaker(clock=clock)
    for settle in ("success", "release"):
        permit = breaker.acquire()
        permit.failure(TransientError())
        permit.failure(TransientError())
        getattr(permit, settle)()
    assert breaker.failure_count == 2


async def test_a_permits_failure_goes_by_the_rule(clock: FakeClock) -> None:
    """What would not count in a call does not count here; without an error it counts."""
    breaker = CircuitBreaker(clock=clock)
    for error in (ValueError(), asyncio.CancelledError(), KeyboardInterrupt()):
        breaker.acquire().failure(error)
    assert breaker.failure_count == 0
    breaker.acquire().failure()
    assert breaker.failure_count == 1


async def test_a_permit_can_be_the_probe(clock: FakeClock) -> None:
    """Its place is taken until it is told, and then free."""
    breaker = await opened(clock)
    clock.advance(60)
    permit = breaker.acquire()
    with pytest.raises(CircuitOpenError, match="waits for its probe"):
        breaker.acquire()
    permit.release()
    breaker.acquire().success()
    assert breaker.state is CLOSED


# Forcing.


async def test_a_wall_opens_the_circuit_until_its_time(clock: FakeClock) -> None:
    """Without a single failure, by seconds or by an instant in any zone."""
    by_seconds, by_instant = CircuitBreaker(clock=clock), CircuitBreaker(clock=clock)
    at = clock.now() + timedelta(hours=5)
    by_seconds.open_for(5 * 3600)
    by_instant.open_until_at(at.astimezone(timezone(timedelta(hours=9))))
    for breaker in (by_seconds, by_instant):
        assert (breaker.state, breaker.open_until, breaker.failure_count) == (OPEN, at, 0)
        assert breaker.open_until is not None
        assert breaker.open_until.tzinfo is UTC
    clock.advance(5 * 3600)
    for breaker in (by_seconds, by_instant):
        assert (breaker.state, breaker.open_until, breaker.retry_after_s) == (HALF_OPEN, None, 0)


async def test_the_later_wall_holds(clock: FakeClock) -> None:
    """A shorter one does not shorten, a longer one lengthens, and counts as a change."""
    changes: list[CircuitChanged] = []
    breaker = CircuitBreaker(clock=clock, on_change=changes.append)
    for seconds in (100, 50, 100, 200):
        breaker.open_for(seconds)
    assert breaker.retry_after_s == 200
    assert [(change.old, change.new) for change in changes] == [(CLOSED, OPEN), (OPEN, OPEN)]


async def test_a_wall_that_has_passed_changes_nothing(clock: FakeClock) -> None:
    """A reset time read from an old message is no reason to stop."""
    breaker = CircuitBreaker(clock=clock)
    breaker.open_until_at(clock.now())
    breaker.open_until_at(datetime(2020, 1, 1, tzinfo=UTC))
    assert breaker.state is CLOSED


def test_walls_without_a_meaning_are_refused(clock: FakeClock) -> None:
    """A naive instant and a time that is none are told."""
    breaker = CircuitBreaker(clock=clock)
    with pytest.raises(ValueError, match="aware"):
        breaker.open_until_at(datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake under test
    for seconds in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="100 years"):
            breaker.open_for(seconds)


async def test_an_isolated_circuit_stays_open_until_a_reset(clock: FakeClock) -> None:
    """No time and no wall changes that."""
    breaker = CircuitBreaker(clock=clock, name="claude")
    breaker.isolate()
    breaker.open_for(10)
    clock.advance(10**6)
    assert (breaker.state, breaker.isolated) == (OPEN, True)
    assert (breaker.open_until, breaker.retry_after_s) == (None, None)
    with pytest.raises(CircuitOpenError, match="'claude' is isolated") as caught:
        breaker.acquire()
    assert caught.value.isolated
    breaker.reset()
    assert (breaker.state, breaker.isolated) == (CLOSED, False)
    await succeed(breaker)


async def test_isolating_an_open_circuit_outlasts_its_time(clock: FakeClock) -> None:
    """The person's decision is stronger than the clock."""
    breaker = await opened(clock)
    breaker.isolate()
    clock.advance(10**6)
    assert breaker.state is OPEN


# Telling.


async def test_every_change_is_told_after_it(clock: FakeClock) -> None:
    """Listeners get old and new state, and see the breaker in the new one."""
    seen: list[tuple[CircuitState, CircuitState, datetime | None, bool]] = []

    def listener(change: CircuitChanged) -> None:
        assert change.name == "claude"
        assert change.new is breaker.state
        seen.append((change.old, change.new, change.open_until, change.isolated))

    breaker = CircuitBreaker(2, 60, name="claude", clock=clock, on_change=listener)
    await fail(breaker, times=2)
    until = clock.now() + timedelta(seconds=60)
    clock.advance(60)
    await succeed(breaker)
    breaker.isolate()
    breaker.isolate()
    breaker.reset()
    breaker.reset()
    assert seen == [
        (CLOSED, OPEN, until, False),
        (OPEN, HALF_OPEN, None, False),
        (HALF_OPEN, CLOSED, None, False),
        (CLOSED, OPEN, None, True),
        (OPEN, CLOSED, None, False),
    ]


async def test_breakers_are_independent(clock: FakeClock) -> None:
    """One agent's failures open its own circuit only."""
    one, other = CircuitBreaker(1, clock=clock), CircuitBreaker(1, clock=clock)
    await fail(one)
    assert (one.state, other.state) == (OPEN, CLOSED)
