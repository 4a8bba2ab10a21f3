"""A circuit breaker against a model of it that is written the other way round.

The model keeps a number for the generation and three plain values; every permit remembers the
number. The breaker keeps state objects. Both are told the same.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from undaunted.resilience import (
    BreakerSnapshot,
    CircuitBreaker,
    CircuitChanged,
    CircuitOpenError,
    CircuitState,
    Permit,
    TransientError,
)
from undaunted.testing import FakeClock

# Whole seconds, so that the model's arithmetic and the breaker's agree to the last digit.
whole_seconds = st.integers(min_value=0, max_value=100)


@dataclass
class Running:
    """A call under way: its permit, and what the model knows of it."""

    permit: Permit
    generation: int
    is_probe: bool


class BreakerMachine(RuleBasedStateMachine):
    running = Bundle("running")

    @initialize(threshold=st.integers(1, 4), open_s=whole_seconds)
    def make(self, threshold: int, open_s: int) -> None:
        self.clock = FakeClock(start_s=0)
        self.threshold, self.open_s = threshold, open_s
        self.changes: list[CircuitChanged] = []
        self.breaker = self.new_breaker()
        # The model. Open is a time in the future, infinity for isolated; None is closed.
        self.until: float | None = None
        self.is_half_open = False
        self.failures = 0
        self.probe_runs = False
        self.generation = 0

    def new_breaker(self) -> CircuitBreaker:
        return CircuitBreaker(
            self.threshold, self.open_s, clock=self.clock, on_change=self.changes.append
        )

    def moved(self) -> None:
        self.generation += 1
        self.probe_runs = False

    def model_opens(self, until: float) -> None:
        self.until, self.is_half_open = until, False
        self.moved()

    def model_closes(self) -> None:
        self.until, self.is_half_open, self.failures = None, False, 0
        self.moved()

    def expected_state(self) -> CircuitState:
        if self.is_half_open:
            return CircuitState.HALF_OPEN
        if self.until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.until > self.clock.monotonic() else CircuitState.HALF_OPEN

    @rule(target=running)
    def call_begins(self) -> object:
        answer = self.ask()
        if isinstance(answer, CircuitOpenError):
            self.check_refusal(answer)
            return multiple()
        assert self.expected_state() is not CircuitState.OPEN
        assert not self.probe_runs
        is_probe = self.expected_state() is CircuitState.HALF_OPEN
        if is_probe:
            if not self.is_half_open:
                self.is_half_open, self.until = True, None
                self.moved()
            self.probe_runs = True
        return Running(answer, self.generation, is_probe)

    def ask(self) -> Permit | CircuitOpenError:
        try:
            return self.breaker.acquire()
        except CircuitOpenError as refusal:
            return refusal

    def check_refusal(self, refusal: CircuitOpenError) -> None:
        if self.expected_state() is not CircuitState.OPEN:
            assert self.probe_runs
            assert (refusal.retry_after_s, refusal.isolated) == (None, False)
        elif self.until == math.inf:
            assert (refusal.retry_after_s, refusal.isolated) == (None, True)
        else:
            assert self.until is not None
            left_s = self.until - self.clock.monotonic()
            assert (refusal.retry_after_s, refusal.isolated) == (left_s, False)

    @rule(call=consumes(running))
    def call_succeeds(self, call: Running) -> None:
        call.permit.success()
        if call.generation == self.generation:
            if call.is_probe:
                self.model_closes()
            else:
                self.failures = 0

    @rule(call=consumes(running))
    def call_fails(self, call: Running) -> None:
        call.permit.failure(TransientError())
        if call.generation == self.generation:
            self.failures += 1
            if call.is_probe or self.failures >= self.threshold:
                self.model_opens(self.clock.monotonic() + self.open_s)

    @rule(call=consumes(running), how=st.sampled_from(["cancelled", "mistake", "released"]))
    def call_ends_without_counting(self, call: Running, how: str) -> None:
        if how == "cancelled":
            call.permit.failure(KeyboardInterrupt())
        elif how == "mistake":
            call.permit.failure(ValueError())
        else:
            call.permit.release()
        if call.generation == self.generation and call.is_probe:
            self.probe_runs = False

    @rule(call=running, error=st.booleans())
    def a_permit_is_used_twice(self, call: Running, error: bool) -> None:
        """Only the first word counts: here both, for the bundle keeps it for a third."""
        call.permit.release()
        (call.permit.failure if error else call.permit.success)()
        if call.generation == self.generation and call.is_probe:
            self.probe_runs = False
        call.generation, call.is_probe = -1, False

    @rule(seconds=whole_seconds)
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.integers(1, 200), by_instant=st.booleans())
    def a_wall_is_told(self, seconds: int, by_instant: bool) -> None:
        if by_instant:
            self.breaker.open_until_at(self.clock.now() + timedelta(seconds=seconds))
        else:
            self.breaker.open_for(seconds)
        until = self.clock.monotonic() + seconds
        if self.until is None or self.until < until:
            self.model_opens(until)

    @rule()
    def a_person_isolates(self) -> None:
        self.breaker.isolate()
        if self.until != math.inf:
            self.model_opens(math.inf)

    @rule()
    def a_person_resets(self) -> None:
        self.breaker.reset()
        self.model_closes()

    @rule(down_s=whole_seconds, origin_s=st.integers(0, 1000), probe_lives=st.booleans())
    def the_process_restarts(self, down_s: int, origin_s: int, probe_lives: bool) -> None:
        """Another monotonic origin, some time later; running calls are lost, or elsewhere."""
        snapshot = BreakerSnapshot(**json.loads(json.dumps(asdict(self.breaker.snapshot()))))
        state = self.expected_state()
        left_s = None if self.until is None else self.until - self.clock.monotonic()
        self.clock = FakeClock(
            start_at=self.clock.now() + timedelta(seconds=down_s), start_s=origin_s
        )
        self.breaker = self.new_breaker()
        self.breaker.restore(snapshot, keep_probe=probe_lives)
        probe_ran = self.probe_runs
        self.moved()  # of what ran before, nothing counts
        self.probe_runs = probe_ran and probe_lives
        self.is_half_open = state is CircuitState.HALF_OPEN
        if state is CircuitState.OPEN:
            assert left_s is not None
            self.until = self.clock.monotonic() + left_s - down_s
        else:
            self.until = None

    @invariant()
    def breaker_and_model_agree(self) -> None:
        state = self.expected_state()
        assert self.breaker.state is state
        assert self.breaker.failure_count == self.failures
        assert self.breaker.isolated == (self.until == math.inf)
        if state is CircuitState.CLOSED:
            assert self.breaker.retry_after_s == 0
            assert self.failures < self.threshold
        elif state is CircuitState.HALF_OPEN:
            assert self.breaker.retry_after_s == (None if self.probe_runs else 0)
        elif self.until == math.inf:
            assert (self.breaker.retry_after_s, self.breaker.open_until) == (None, None)
        else:
            assert self.until is not None
            left_s = self.until - self.clock.monotonic()
            assert self.breaker.retry_after_s == left_s
            assert self.breaker.open_until == self.clock.now() + timedelta(seconds=left_s)

    @invariant()
    def changes_are_the_drawn_ones(self) -> None:
        """No arrow that the picture of the states has not, but for those that people draw."""
        for change in self.changes:
            assert (change.old, change.new) != (CircuitState.CLOSED, CircuitState.HALF_OPEN)
            assert change.old is not change.new or change.new is CircuitState.OPEN
            assert (change.open_until is not None) == (
                change.new is CircuitState.OPEN and not change.isolated
            )


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
