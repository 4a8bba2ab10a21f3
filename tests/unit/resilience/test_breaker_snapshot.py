from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

import pytest

from undaunted.resilience import BreakerSnapshot, CircuitBreaker, CircuitOpenError, CircuitState
from undaunted.testing import FakeClock

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def fresh(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(3, 60, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.acquire().failure()


def closed_with_failures(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker, 2)


def open_by_failures(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(10.25)


def open_until_later(breaker: CircuitBreaker, clock: FakeClock) -> None:
    breaker.open_until_at(clock.now() + timedelta(hours=3, microseconds=7))


def isolated(breaker: CircuitBreaker, clock: FakeClock) -> None:
    breaker.isolate()


def time_has_come(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(60)


def half_open(breaker: CircuitBreaker, clock: FakeClock) -> None:
    time_has_come(breaker, clock)
    breaker.acquire().release()


def probing(breaker: CircuitBreaker, clock: FakeClock) -> None:
    time_has_come(breaker, clock)
    breaker.acquire()


def new(breaker: CircuitBreaker, clock: FakeClock) -> None:
    pass


SITUATIONS = [
    new, closed_with_failures, open_by_failures, open_until_later, isolated, time_has_come,
    half_open, probing,
]  # fmt: skip
Situation = Callable[[CircuitBreaker, FakeClock], None]


def after_restart(clock: FakeClock, down_s: float = 0.0) -> FakeClock:
    """The clock of a process started `down_s` later: other monotonic origin, same wall."""
    return FakeClock(start_at=clock.now() + timedelta(seconds=down_s), start_s=3.5)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_snapshot_is_json(situation: Situation) -> None:
    """It goes through JSON and is the same."""
    clock = FakeClock()
    breaker = fresh(clock)
    situation(breaker, clock)
    snapshot = breaker.snapshot()
    assert BreakerSnapshot(**json.loads(json.dumps(asdict(snapshot)))) == snapshot


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_restart_changes_nothing(situation: Situation) -> None:
    """Restored on another monotonic origin, a breaker says and does the same."""
    clock = FakeClock()
    breaker = fresh(clock)
    situation(breaker, clock)
    twin = fresh(after_restart(clock))
    twin.restore(breaker.snapshot(), keep_probe=True)
    assert twin.snapshot() == breaker.snapshot()
    assert twin.state is breaker.state
    assert twin.open_until == breaker.open_until
    assert twin.retry_after_s == pytest.approx(breaker.retry_after_s)


def test_time_passes_while_the_process_is_down() -> None:
    """An open circuit's time runs on the wall clock."""
    clock = FakeClock()
    breaker = fresh(clock)
    fail(breaker, 3)
    soon, late = after_restart(clock, 59), after_restart(clock, 61)
    for at, state in ((soon, OPEN), (late, HALF_OPEN)):
        twin = fresh(at)
        twin.restore(breaker.snapshot())
        assert twin.state is state
    twin = fresh(soon)
    twin.restore(breaker.snapshot())
    soon.advance(1)
    twin.acquire().success()
    assert twin.state is CLOSED


def test_a_probe_that_went_down_with_its_process_frees_its_place() -> None:
    """By default the next call is the probe."""
    clock = FakeClock()
    breaker = fresh(clock)
    probing(breaker, clock)
    assert breaker.snapshot().probing
    twin = fresh(clock)
    twin.restore(breaker.snapshot())
    twin.acquire().success()
    assert twin.state is CLOSED


def test_a_probe_that_somebody_still_runs_keeps_its_place() -> None:
    """Asked to, the breaker refuses until a later snapshot says otherwise."""
    clock = FakeClock()
    breaker = fresh(clock)
    probing(breaker, clock)
    twin = fresh(clock)
    twin.restore(breaker.snapshot(), keep_probe=True)
    with pytest.raises(CircuitOpenError, match="probe"):
        twin.acquire()
    breaker.reset()
    twin.restore(breaker.snapshot(), keep_probe=True)
    twin.acquire().success()


def test_failures_in_a_row_go_on_after_a_restart() -> None:
    """Two before and one after open a circuit of three: the sixth run of a script knows."""
    clock = FakeClock()
    breaker = fresh(clock)
    fail(breaker, 2)
    twin = fresh(clock)
    twin.restore(breaker.snapshot())
    fail(twin)
    assert twin.state is OPEN


def test_calls_from_before_a_restore_no_longer_count() -> None:
    """What ran in the replaced state reports to nobody."""
    clock = FakeClock()
    breaker = fresh(clock)
    old = breaker.acquire()
    breaker.restore(breaker.snapshot())
    old.failure()
    assert breaker.failure_count == 0


def test_a_restore_is_no_event() -> None:
    """Nothing happened, so nobody is told."""
    told: list[object] = []
    clock = FakeClock()
    source = fresh(clock)
    fail(source, 3)
    breaker = CircuitBreaker(3, 60, clock=clock, on_change=told.append)
    breaker.restore(source.snapshot())
    assert (breaker.state, told) == (OPEN, [])


def test_an_open_snapshot_that_does_not_say_since_when_is_open() -> None:
    """A row of another making must not close a circuit for want of a detail."""
    clock = FakeClock()
    breaker = fresh(clock)
    until = clock.now() + timedelta(seconds=5)
    breaker.restore(BreakerSnapshot("open", 3, open_until=until.isoformat()))
    assert breaker.state is OPEN


def test_the_generation_counts_changes_and_survives() -> None:
    """It never falls, also over restarts, so that rows can be compared."""
    clock = FakeClock()
    breaker = fresh(clock)
    generations = [breaker.snapshot().generation]
    for act in (lambda: fail(breaker, 3), breaker.reset, breaker.isolate, breaker.reset):
        act()
        generations.append(breaker.snapshot().generation)
    assert generations == [0, 1, 2, 3, 4]
    twin = fresh(clock)
    twin.restore(breaker.snapshot())
    twin.isolate()
    assert twin.snapshot().generation == 5


def test_instants_are_utc_and_aware() -> None:
    """A reader in another zone reads the same instant."""
    clock = FakeClock()
    breaker = fresh(clock)
    fail(breaker, 3)
    snapshot = breaker.snapshot()
    assert snapshot.opened_at is not None
    assert snapshot.open_until is not None
    opened_at, until = map(datetime.fromisoformat, (snapshot.opened_at, snapshot.open_until))
    assert opened_at.utcoffset() == until.utcoffset() == timedelta(0)
    assert until - opened_at == timedelta(seconds=60)
