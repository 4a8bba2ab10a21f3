"""Leaving alone what keeps failing, and finding out when it works again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.breaker.circuit import (
    Circuit,
    CircuitChanged,
    Closed,
    HalfOpen,
    Open,
    State,
)
from undaunted.resilience.breaker.permit import Permit
from undaunted.resilience.breaker.snapshot import BreakerSnapshot, CircuitState
from undaunted.resilience.classification import is_callers_mistake
from undaunted.resilience.clock import Clock, SystemClock
from undaunted.resilience.errors import ExecutionRejectedError, PermanentError
from undaunted.resilience.policy import Policy, RunsFunctions

__all__ = ["CircuitBreaker"]

P = ParamSpec("P")
R = TypeVar("R")

_ErrorClasses = type[BaseException] | tuple[type[BaseException], ...]

# A hundred years: beyond it nobody means a time, and datetime comes to its end.
_LONGEST_OPEN_S = 100 * 365 * 86_400.0


class CircuitBreaker(Policy):
    """Refuses calls for a time after several failures in a row (S5).

    States: closed, open, half open (see `breaker.circuit`). A result of a call begun before the
    last change of state is ignored. One probe runs at a time; one that is cancelled, or fails in
    a way that does not count, gives its place to the next call.

    What counts as a failure: an instance of `expected_exception` that is neither a refusal nor the
    caller's own mistake (`is_callers_mistake`: status 400, a validation error). A mistake whose
    class `expected_exception` names does count: `expected_exception=ValueError` means it. What
    does not count neither lengthens nor ends a row of failures.

    Args:
        failure_threshold: Consecutive failures that open the circuit, at least 1.
        timeout_duration: Seconds it stays open before a probe, 0 or more.
        expected_exception: Class or classes of what may count.
        name: For texts and events.
        clock: Where time comes from.
        counts: Whether an error counts; replaces the rule above. Not asked about cancellation,
            which never counts.
        on_change: Told of every change of state, after it. Must not block or raise.

    Concurrency: any number of calls in one event loop. There is no await between looking at the
    state and acting on it, so no lock is needed; threads are not provided for.

    Cancellation: never caught, never counted.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        timeout_duration: float = 60,
        expected_exception: _ErrorClasses = Exception,
        *,
        name: str = "",
        clock: Clock | None = None,
        counts: Callable[[Exception], bool] | None = None,
        on_change: Callable[[CircuitChanged], object] | None = None,
    ) -> None:
        if failure_threshold < 1:
            raise ValueError(f"failure_threshold is at least 1, not {failure_threshold}")
        if not 0 <= timeout_duration <= _LONGEST_OPEN_S:
            raise ValueError(f"timeout_duration is 0 s to 100 years, not {timeout_duration} s")
        self.failure_threshold = failure_threshold
        self.timeout_duration = timeout_duration
        self.expected_exception = expected_exception
        self.name = name
        self._clock: Clock = clock or SystemClock()
        self._counts = counts or _counting_rule(expected_exception)
        self._circuit = Circuit(
            name=name,
            failure_threshold=failure_threshold,
            open_s=timeout_duration,
            clock=self._clock,
            on_change=on_change,
        )

    # Running work.

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner`, or raises CircuitOpenError without running it."""
        circuit, counts = self._circuit, self._counts

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            state = circuit.state.enter()
            try:
                result = await inner(*args, **kwargs)
            except Exception as error:
                if counts(error):
                    state.failed()
                else:
                    state.released()
                raise
            except BaseException:
                state.released()
                raise
            state.succeeded()
            return result

        return call

    @property
    def call_async(self) -> RunsFunctions:
        """The specification's name for `call`."""
        return self.call

    def acquire(self) -> Permit:
        """Leave to run one call, whose end the caller reports.

        Raises:
            CircuitOpenError: The call must not run.
        """
        return Permit(self._circuit.state.enter(), self._counts)

    # Looking.

    @property
    def state(self) -> CircuitState:
        """The state as of now: an open circuit reads HALF_OPEN as soon as its time has come."""
        return self._circuit.state.named

    @property
    def failure_count(self) -> int:
        """Consecutive failures; kept until the circuit closes."""
        return self._circuit.state.failure_count

    @property
    def open_until(self) -> datetime | None:
        """When an open circuit lets a probe in (aware, UTC); None if it is not open, or isolated.

        A time that has come is no longer told: the circuit then reads half open.
        """
        state = self._circuit.state
        return state.open_until if isinstance(state, Open) and state.left_s else None

    @property
    def isolated(self) -> bool:
        """Whether only a reset closes it."""
        state = self._circuit.state
        return isinstance(state, Open) and state.isolated

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until a call may be let in, 0 for now; None if isolated or while a probe runs."""
        match self._circuit.state:
            case Open(isolated=True) | HalfOpen(probing=True):
                return None
            case Open(left_s=left_s):
                return left_s
            case _:
                return 0.0

    # Forcing.

    def open_for(self, seconds: float) -> None:
        """Opens the circuit for `seconds` (above 0), whatever the count: a quota's wall.

        Of several such times the latest holds, and an isolated circuit stays so.
        """
        if not 0 < seconds <= _LONGEST_OPEN_S:
            raise ValueError(f"a circuit opens for up to 100 years, not {seconds} s")
        self._open(seconds, self._clock.now() + timedelta(seconds=seconds))

    def open_until_at(self, at: datetime) -> None:
        """Opens the circuit until the instant `at` (aware), as `open_for` does.

        An instant that has passed changes nothing.
        """
        if at.tzinfo is None:
            raise ValueError("open_until_at needs an aware instant")
        seconds = (at - self._clock.now()).total_seconds()
        if seconds > 0:
            self._open(seconds, at.astimezone(UTC))

    def _open(self, seconds: float, until: datetime) -> None:
        match self._circuit.state:
            case Open(open_until=None):
                return
            case Open(open_until=datetime() as earlier) if earlier >= until:
                return
        self._circuit.open(seconds, until, self.failure_count)

    def isolate(self) -> None:
        """Opens the circuit until `reset`."""
        if not self.isolated:
            self._circuit.isolate()

    def reset(self) -> None:
        """Closes the circuit and forgets its failures; calls that still run no longer count."""
        self._circuit.close()

    # Surviving a restart.

    def snapshot(self) -> BreakerSnapshot:
        """The state as of now, in values that survive the process."""
        state = self._circuit.state
        open_until = self.open_until
        return BreakerSnapshot(
            state=state.named.value,
            failure_count=state.failure_count,
            opened_at=state.opened_at.isoformat() if isinstance(state, (Open, HalfOpen)) else None,
            open_until=open_until.isoformat() if open_until else None,
            isolated=self.isolated,
            generation=self._circuit.generation,
            probing=isinstance(state, HalfOpen) and state.probing,
        )

    def restore(self, snapshot: BreakerSnapshot, *, keep_probe: bool = False) -> None:
        """Takes the state of `snapshot`; calls that run in this breaker no longer count.

        `on_change` is not told: nothing happened.

        Args:
            snapshot: From this breaker, or from another one or another process.
            keep_probe: If a probe was under way, its place stays taken: by somebody who still runs
                it and whose next snapshot will tell. By default the place is free, as after a
                crash that took the probe with it.
        """
        self._circuit.generation = snapshot.generation
        self._circuit.state = self._restored(snapshot, keep_probe=keep_probe)

    def _restored(self, snapshot: BreakerSnapshot, *, keep_probe: bool) -> State:
        circuit, failures = self._circuit, snapshot.failure_count
        if snapshot.state == CircuitState.CLOSED:
            return Closed(circuit, failures)
        told = snapshot.opened_at
        opened_at = self._clock.now() if told is None else datetime.fromisoformat(told)
        if snapshot.isolated:
            return Open(circuit, failures, opened_at=opened_at)
        if snapshot.open_until is None:
            probing = snapshot.probing and keep_probe
            return HalfOpen(circuit, failures, opened_at=opened_at, probing=probing)
        until = datetime.fromisoformat(snapshot.open_until)
        now = self._clock.now()
        # Opened in the future: the wall clock was set back since. Nobody can say how long ago it
        # was, and a probe too early costs less than a day of waiting.
        left_s = (until - now).total_seconds() if now >= opened_at else 0.0
        until_s = self._clock.monotonic() + left_s
        return Open(circuit, failures, opened_at=opened_at, until_s=until_s, open_until=until)


def _counting_rule(expected: _ErrorClasses) -> Callable[[Exception], bool]:
    """The rule that CircuitBreaker states, for its `expected_exception`."""
    classes = expected if isinstance(expected, tuple) else (expected,)
    named = tuple(c for c in classes if issubclass(c, (PermanentError, ValueError)))

    def counts(error: Exception) -> bool:
        if not isinstance(error, expected) or isinstance(error, ExecutionRejectedError):
            return False
        return isinstance(error, named) or not is_callers_mistake(error)

    return counts
