"""The state machine of a circuit breaker: three states, one class each, and what they belong to.

CLOSED    ──failure_threshold failures in a row──> OPEN
OPEN      ──its time has come, a call arrives────> HALF_OPEN
HALF_OPEN ──the probe succeeds───────────────────> CLOSED
HALF_OPEN ──the probe fails──────────────────────> OPEN

A call reports its end to the state object that let it in. Once the circuit has moved on, that
object is out of use, and what it is told changes nothing. The object itself is thus the call's
generation: a result from before the last change of state needs no number to be recognised by.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from undaunted.resilience.breaker.snapshot import CircuitState
from undaunted.resilience.clock import Clock
from undaunted.resilience.errors import CircuitOpenError

__all__ = ["Circuit", "CircuitChanged", "Closed", "HalfOpen", "Open", "State"]


class State(ABC):
    """One state, from one change to the next."""

    def __init__(self, circuit: Circuit, failure_count: int) -> None:
        self._circuit = circuit
        self.failure_count = failure_count

    @property
    @abstractmethod
    def named(self) -> CircuitState:
        """The state's name as of now."""

    @abstractmethod
    def enter(self) -> State:
        """Lets a call in and returns the state that it reports to, or raises CircuitOpenError."""

    @abstractmethod
    def succeeded(self) -> None:
        """A call that was let in succeeded."""

    @abstractmethod
    def failed(self) -> None:
        """A call that was let in failed in a way that counts."""

    @abstractmethod
    def released(self) -> None:
        """A call that was let in ended without telling anything about the service."""


class Closed(State):
    """Every call goes through; failures in a row are counted."""

    named = CircuitState.CLOSED

    def enter(self) -> State:
        """Lets every call in."""
        return self

    def succeeded(self) -> None:
        """Ends the row of failures."""
        self.failure_count = 0

    def failed(self) -> None:
        """Opens the circuit if the row of failures is long enough."""
        self.failure_count += 1
        if self.failure_count >= self._circuit.failure_threshold and self._circuit.state is self:
            self._circuit.trip(self.failure_count)

    def released(self) -> None:
        """Changes nothing."""


class Open(State):
    """No call goes through until a time, or until a reset.

    Args:
        circuit: What it belongs to.
        failure_count: Consecutive failures so far.
        opened_at: When it opened (aware, UTC).
        until_s: The monotonic reading at which a probe may start; infinity if isolated.
        open_until: The same as an instant (aware, UTC); None if isolated.
    """

    def __init__(
        self,
        circuit: Circuit,
        failure_count: int,
        *,
        opened_at: datetime,
        until_s: float = math.inf,
        open_until: datetime | None = None,
    ) -> None:
        super().__init__(circuit, failure_count)
        self.opened_at = opened_at
        self.until_s = until_s
        self.open_until = open_until

    @property
    def isolated(self) -> bool:
        """Whether only a reset ends it."""
        return self.until_s == math.inf

    @property
    def left_s(self) -> float:
        """Seconds until a probe may start; 0 when it may."""
        return max(0.0, self.until_s - self._circuit.clock.monotonic())

    @property
    def named(self) -> CircuitState:
        """Half open as soon as the time has come, though nobody has called yet."""
        return CircuitState.OPEN if self.left_s else CircuitState.HALF_OPEN

    def enter(self) -> State:
        """Lets the first call after the time in, as the probe."""
        left_s = self.left_s
        if not left_s:
            return self._circuit.half_open(self.failure_count, self.opened_at).enter()
        if self.isolated:
            raise CircuitOpenError(f"circuit {self._circuit.name!r} is isolated", isolated=True)
        raise CircuitOpenError(
            f"circuit {self._circuit.name!r} is open for {left_s:.3g} s",
            retry_after_s=left_s,
            open_until=self.open_until,
        )

    def succeeded(self) -> None:
        """Nothing is let in, so nothing is told."""

    def failed(self) -> None:
        """Nothing is let in, so nothing is told."""

    def released(self) -> None:
        """Nothing is let in, so nothing is told."""


class HalfOpen(State):
    """One call at a time goes through: the probe, whose end decides.

    Args:
        circuit: What it belongs to.
        failure_count: Consecutive failures so far.
        opened_at: When the circuit opened (aware, UTC).
        probing: The probe's place is taken.
    """

    named = CircuitState.HALF_OPEN

    def __init__(
        self, circuit: Circuit, failure_count: int, *, opened_at: datetime, probing: bool = False
    ) -> None:
        super().__init__(circuit, failure_count)
        self.opened_at = opened_at
        self.probing = probing

    def enter(self) -> State:
        """Lets a call in if no probe is under way."""
        if self.probing:
            raise CircuitOpenError(f"circuit {self._circuit.name!r} waits for its probe to end")
        self.probing = True
        return self

    def succeeded(self) -> None:
        """Closes the circuit."""
        if self._circuit.state is self:
            self._circuit.close()

    def failed(self) -> None:
        """Opens the circuit again."""
        if self._circuit.state is self:
            self._circuit.trip(self.failure_count + 1)

    def released(self) -> None:
        """Gives the probe's place to the next call."""
        self.probing = False


@dataclass(frozen=True, slots=True)
class CircuitChanged:
    """A circuit changed its state.

    Attributes:
        name: The breaker's name.
        old: The state before.
        new: The state now; the same as `old` if an open circuit was given another time.
        open_until: When a probe may start (aware, UTC); None if not open, or isolated.
        isolated: Only a reset closes it.
    """

    name: str
    old: CircuitState
    new: CircuitState
    open_until: datetime | None
    isolated: bool


class Circuit:
    """Holds the current state and makes the changes.

    Args:
        name: For texts and events.
        failure_threshold: Consecutive failures that open it.
        open_s: Seconds for which they do.
        clock: Where time comes from.
        on_change: Told of every change, after it.
    """

    def __init__(
        self,
        *,
        name: str,
        failure_threshold: int,
        open_s: float,
        clock: Clock,
        on_change: Callable[[CircuitChanged], object] | None,
    ) -> None:
        self.name = name
        self.failure_threshold = failure_threshold
        self.clock = clock
        self._open_s = open_s
        self._on_change = on_change
        self.generation = 0
        self.state: State = Closed(self, 0)

    def close(self) -> None:
        """Closed, with no failure; what still runs is ignored."""
        self._change(Closed(self, 0))

    def trip(self, failure_count: int) -> None:
        """Open for the circuit's own time after so many failures."""
        until = self.clock.now() + timedelta(seconds=self._open_s)
        self.open(self._open_s, until, failure_count)

    def open(self, seconds: float, until: datetime, failure_count: int) -> None:
        """Open for `seconds`, which is until the instant `until` (aware, UTC)."""
        self._change(
            Open(
                self,
                failure_count,
                opened_at=self.clock.now(),
                until_s=self.clock.monotonic() + seconds,
                open_until=until,
            )
        )

    def isolate(self) -> None:
        """Open until somebody closes it."""
        self._change(Open(self, self.state.failure_count, opened_at=self.clock.now()))

    def half_open(self, failure_count: int, opened_at: datetime) -> State:
        """Half open, the probe's place free; returns the new state."""
        state = HalfOpen(self, failure_count, opened_at=opened_at)
        self._change(state)
        return state

    def _change(self, new: State) -> None:
        old, self.state = self.state, new
        self.generation += 1
        if self._on_change is None or (isinstance(old, Closed) and isinstance(new, Closed)):
            return
        opened = new if isinstance(new, Open) else None
        self._on_change(
            CircuitChanged(
                name=self.name,
                # An open circuit whose time has come reads half open, but changes only now.
                old=CircuitState.OPEN if isinstance(old, Open) else old.named,
                new=CircuitState.OPEN if opened else new.named,
                open_until=opened.open_until if opened else None,
                isolated=opened is not None and opened.isolated,
            )
        )
