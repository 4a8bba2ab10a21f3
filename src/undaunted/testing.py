"""For tests of code that waits: a clock that moves when it is told to, or by itself."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from undaunted.resilience.clock import TimerHandle

__all__ = ["FakeClock"]

_START_AT = datetime(2026, 1, 1, tzinfo=UTC)


class _Timer:
    """A callback and its time; ordered by time, then by the order of arming."""

    __slots__ = ("_clock", "callback", "order", "when")

    def __init__(
        self, clock: FakeClock, when: float, order: int, callback: Callable[[], object]
    ) -> None:
        self._clock = clock
        self.when = when
        self.order = order
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: _Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)

    def cancel(self) -> None:
        self.callback = None
        self._clock._forget(self)  # noqa: SLF001 - a timer is a part of its clock


class FakeClock:
    """A `Clock` whose time stands still until it is moved.

    Moved by hand: `advance(seconds)` goes through the timers due, in order of their times and,
    at one time, of their arming. Each callback sees its own time as `monotonic()`; one that arms
    a timer still due has it called in the same go. Callbacks run inside `advance`; the tasks that
    they wake run when the event loop next gets its turn, so a task that sleeps several times in a
    row needs as many `advance`s with a turn between them.

    Moved by itself, with `autojump`: while at least one task is in `sleep`, and the event loop has
    made `idle_turns` turns in which nobody slept, armed or cancelled a timer, time jumps to the
    earliest timer of any kind, and no further: what it wakes runs before the next jump. Only a
    sleep makes time move; timers alone (a timeout around work that waits for something else)
    never do. `sleep(math.inf)` is a hang: it lets time move to the timers there are, and is never
    reached. Readings of the clock don't count as activity, so a loop that polls them ends.

    Threads, sockets and processes are invisible to the clock: hold it (`held`) while one works.
    asyncio's own timers (`asyncio.sleep`, `asyncio.timeout`) keep real time.

    Args:
        autojump: Whether time moves by itself.
        idle_turns: Turns without activity before a jump. More than the longest chain of wake-ups
            between two uses of the clock: 50 is about ten times that of a pipeline in a task group.
        start_at: What `now` says at first (aware).
        start_s: What `monotonic` says at first. Not 0, so that nobody takes it for "unset".
    """

    def __init__(
        self,
        *,
        autojump: bool = False,
        idle_turns: int = 50,
        start_at: datetime = _START_AT,
        start_s: float = 1000.0,
    ) -> None:
        self._autojump = autojump
        self._idle_turns = idle_turns
        self._start_at = start_at
        self._start_s = start_s
        self._time_s = start_s
        self._timers: list[_Timer] = []
        self._armed = 0
        self._sleeps: set[_Timer] = set()
        self._idle = 0
        self._holds = 0
        self._watched: asyncio.AbstractEventLoop | None = None

    def monotonic(self) -> float:
        """Seconds; moves only as the class says."""
        return self._time_s

    def now(self) -> datetime:
        """The wall clock's instant, aware, in UTC; moves with `monotonic`."""
        return self._start_at + timedelta(seconds=self._time_s - self._start_s)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> TimerHandle:
        """Calls `callback` when time has moved by `delay_s` seconds."""
        return self._arm(delay_s, callback)

    async def sleep(self, seconds: float) -> None:
        """Returns when time has moved by `seconds`; at once, giving way, for zero or less."""
        if math.isnan(seconds):
            raise ValueError("can't sleep for NaN seconds")
        if seconds <= 0:
            self._idle = 0
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self._arm(seconds, wake)
        self._sleeps.add(timer)
        self._watch()
        try:
            await woken
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Moves time forward by `seconds` (0 or more) and calls what is due, in order.

        What a callback raises comes out of here; time has then stopped at that callback.
        """
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError(f"time moves forward, not by {seconds} seconds")
        self._move_to(self._time_s + seconds)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps time from moving by itself inside the `with` block; `advance` still works."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._idle = 0
            self._watch()

    def _arm(self, delay_s: float, callback: Callable[[], object]) -> _Timer:
        self._idle = 0
        self._armed += 1
        timer = _Timer(self, self._time_s + max(delay_s, 0.0), self._armed, callback)
        heapq.heappush(self._timers, timer)
        self._watch()
        return timer

    def _move_to(self, target_s: float) -> None:
        while self._timers and self._timers[0].when <= target_s:
            timer = heapq.heappop(self._timers)
            self._sleeps.discard(timer)
            if timer.callback is not None:
                self._time_s = timer.when
                timer.callback()
        # A callback may itself have moved time beyond the target.
        self._time_s = max(self._time_s, target_s)

    def _forget(self, timer: _Timer) -> None:
        """Takes note of a cancelled timer; it leaves the heap when it comes to the top."""
        self._idle = 0
        self._sleeps.discard(timer)

    def _watch(self) -> None:
        """Counts the turns of the running loop if a sleep asks for it, unless that is done."""
        if not self._autojump or self._holds or not self._sleeps:
            return
        loop = asyncio.get_running_loop()
        # By identity of the loop: a test may run several loops on one clock, one after another,
        # and a count that was under way in a loop that is closed will never go on.
        if self._watched is not loop:
            self._watched = loop
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One turn of the loop: counts it if idle, jumps if there were enough."""
        loop = asyncio.get_running_loop()
        if self._watched is not loop:
            return
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if self._holds or not self._sleeps or math.isinf(self._timers[0].when):
            self._watched = None
            return
        # First: a callback that raises must not end the watch.
        loop.call_soon(self._turn)
        if self._idle < self._idle_turns:
            self._idle += 1
        else:
            self._idle = 0
            self._move_to(self._timers[0].when)
