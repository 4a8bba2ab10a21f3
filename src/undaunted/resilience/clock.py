"""Time as the policies see it: two readings, one sleep, one timer; injected, so tests need none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "TimerHandle"]


class TimerHandle(Protocol):
    """A callback that waits for its time."""

    def cancel(self) -> None:
        """Keeps the callback from being called; harmless after it was called."""
        ...


class Clock(Protocol):
    """Where a policy reads time and waits for it.

    `undaunted.testing.FakeClock` is the other implementation.
    """

    def monotonic(self) -> float:
        """Seconds since an unspecified origin; never goes back. For durations."""
        ...

    def now(self) -> datetime:
        """The wall clock's instant, aware, in UTC. For people, headers and restarts."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`; at once, having given way once, for zero or less."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> TimerHandle:
        """Calls `callback` in `delay_s` seconds, in the running event loop."""
        ...


class SystemClock:
    """The machine's time and the running event loop's timers."""

    # The C function itself: a Python method around it would cost as much again on every call.
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """The wall clock's instant, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""
        await asyncio.sleep(seconds)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> TimerHandle:
        """Calls `callback` in `delay_s` seconds, in the running event loop."""
        return asyncio.get_running_loop().call_later(delay_s, callback)
