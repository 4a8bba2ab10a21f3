"""A limit on one attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.clock import Clock, SystemClock
from undaunted.resilience.limit import limited, positive_seconds
from undaunted.resilience.policy import Policy

__all__ = ["Timeout"]

P = ParamSpec("P")
R = TypeVar("R")


class Timeout(Policy):
    """Stops the work after a time and raises TimeoutError.

    Stopped means ended: the work is cancelled, and the error is raised when it has returned, after
    all its clean-up. Work that takes the cancellation and returns a value all the same has timed
    out too. Work that never ends can't be stopped in one process; then this waits with it.

    Inside a `Deadline` that comes first, the deadline ends the work and its error is raised.

    Args:
        seconds: The limit, above 0.
        clock: Where time comes from.

    Raises:
        TimeoutError: The time was up (from `call`).

    Cancellation: from outside it stays one, also at the moment the time is up.
    """

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._seconds = positive_seconds(seconds)
        self._clock: Clock = clock or SystemClock()

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner` for so long at most."""
        return limited(inner, seconds=self._seconds, clock=self._clock, error=self._error)

    def _error(self) -> TimeoutError:
        return TimeoutError(f"not done after {self._seconds:g} s")
