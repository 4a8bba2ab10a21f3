"""A limit on everything inside: attempts and the waits between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.clock import Clock, SystemClock
from undaunted.resilience.errors import DeadlineExceededError
from undaunted.resilience.limit import limited, positive_seconds
from undaunted.resilience.policy import Policy

__all__ = ["Deadline", "remaining_s"]

P = ParamSpec("P")
R = TypeVar("R")

_remaining: ContextVar[Callable[[], float] | None] = ContextVar("deadline", default=None)


def remaining_s() -> float | None:
    """Seconds until the nearest enclosing deadline, never below 0; None outside of any."""
    remaining = _remaining.get()
    return None if remaining is None else remaining()


class Deadline(Policy):
    """Limits the total time of everything inside and raises DeadlineExceededError.

    The work is stopped as `Timeout` stops it. What is inside can read the time it has left
    (`remaining_s`): a `Retry` does not begin a wait that would not end in time, and raises its
    last error at once instead. The nearest of several enclosing deadlines holds.

    Args:
        seconds: The limit, above 0.
        clock: Where time comes from.

    Raises:
        DeadlineExceededError: The time was up (from `call`).

    Cancellation: from outside it stays one.
    """

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._seconds = positive_seconds(seconds)
        self._clock: Clock = clock or SystemClock()

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner` for so long at most."""
        monotonic = self._clock.monotonic
        run = limited(inner, seconds=self._seconds, clock=self._clock, error=self._error)

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            outer = _remaining.get()
            end = monotonic() + self._seconds

            def remaining() -> float:
                own_s = max(0.0, end - monotonic())
                # Asked, not compared once: the outer deadline may be on another clock.
                return own_s if outer is None else min(own_s, outer())

            token = _remaining.set(remaining)
            try:
                return await run(*args, **kwargs)
            finally:
                _remaining.reset(token)

        return call

    def _error(self) -> DeadlineExceededError:
        return DeadlineExceededError(f"deadline of {self._seconds:g} s passed")
