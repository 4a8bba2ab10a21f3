"""Stopping work when its time is up: what `Timeout` and `Deadline` share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.clock import Clock, TimerHandle

__all__ = ["limited", "positive_seconds"]

P = ParamSpec("P")
R = TypeVar("R")

# A timer may be called a rounding error before its time; such a limit counts as reached.
_ROUNDING_S = 1e-9


def positive_seconds(seconds: float) -> float:
    """`seconds` as a float.

    Raises:
        ValueError: It is not above 0 and finite: for no limit, leave the policy out.
    """
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"a time limit is a positive number of seconds, not {seconds}")
    return float(seconds)


def limited(
    inner: Callable[P, Awaitable[R]],
    *,
    seconds: float,
    clock: Clock,
    error: Callable[[], TimeoutError],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """`inner`, cancelled after `seconds`; once it has ended, `error()` is raised.

    The work runs in the caller's task and is stopped by cancelling that. Whatever it makes of the
    cancellation (obeys, returns a value, raises something else), the outcome is the time limit's
    error, with the work's own as its cause. An outer cancellation stays one, also when both come
    together: asyncio's `cancelling` and `uncancel` count them apart.

    Args:
        inner: The work.
        seconds: Its limit.
        clock: Where time comes from.
        error: Makes the error.
    """
    queue = _Queue(seconds, clock)

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        limit = queue.start()
        try:
            result = await inner(*args, **kwargs)
        except asyncio.CancelledError as cancellation:
            if limit.expired and limit.withdraw():
                raise error() from cancellation
            raise
        except Exception as failure:
            if limit.expired:
                raise await limit.outcome(error) from failure
            raise
        finally:
            queue.end(limit)
        if limit.expired:
            raise await limit.outcome(error)
        return result

    return call


class _Limit:
    """One call's limit, and what it did to the call's task."""

    __slots__ = ("_cancelling", "expired", "task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.expired = False
        self._cancelling = task.cancelling()

    def expire(self) -> None:
        self.expired = True
        self.task.cancel()

    async def outcome(self, error: Callable[[], TimeoutError]) -> BaseException:
        """What to raise when the work took the cancellation and ended in another way.

        The cancellation may also be on its way still, if time was moved by the work itself, as a
        test does with a fake clock: asyncio delivers it at the next await, so that is done here.
        """
        with suppress(asyncio.CancelledError):  # an outer one too: `withdraw` sees that it came
            await asyncio.sleep(0)
        return error() if self.withdraw() else asyncio.CancelledError()

    def withdraw(self) -> bool:
        """Takes this limit's cancellation back; False if somebody else's remains."""
        return self.task.uncancel() <= self._cancelling


class _Queue:
    """The limits of the calls that run. All last equally long, so the first begun ends first.

    That is why one timer will do for all of them: it is armed for the oldest, and kept from one
    call to the next. A timer for each would cost more than the rest of a pipeline together.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._ends: dict[_Limit, float] = {}
        self._timer: TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keep_timer = False

    def start(self) -> _Limit:
        """A limit on the running task, from now."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time limit needs a task to run in")
        limit = _Limit(task)
        loop = task.get_loop()
        if loop is not self._loop:
            if self._timer is not None:
                # It went down with an earlier event loop, and so did the calls it was for.
                self._disarm()
                self._ends = {}
            self._loop = loop
            self._timer = self._clock.call_later(self._seconds, self._expire_due)
        self._ends[limit] = self._clock.monotonic() + self._seconds
        return limit

    def end(self, limit: _Limit) -> None:
        """Lifts the limit; does nothing if it expired."""
        self._ends.pop(limit, None)
        if not self._keep_timer and not self._ends:
            # A policy made for one call leaves no timer behind; one that is used again keeps it.
            self._keep_timer = True
            self._disarm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None

    def _expire_due(self) -> None:
        now = self._clock.monotonic()
        while self._ends:
            limit, end = next(iter(self._ends.items()))
            if end > now + _ROUNDING_S:
                self._timer = self._clock.call_later(end - now, self._expire_due)
                return
            del self._ends[limit]
            limit.expire()
        self._timer = self._loop = None
