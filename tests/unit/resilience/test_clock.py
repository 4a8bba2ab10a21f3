from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from undaunted.resilience import Clock, SystemClock
from undaunted.testing import FakeClock


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    """`now` can be compared with any other aware instant."""
    at = SystemClock().now()
    assert at.tzinfo is UTC
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)


def test_monotonic_never_goes_back() -> None:
    """A later reading is not smaller."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


async def test_a_sleep_of_nothing_gives_way() -> None:
    """Others run during `sleep(0)`."""
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "other")
    await SystemClock().sleep(0)
    assert ran == ["other"]


async def test_a_timer_calls_back() -> None:
    """`call_later` calls in the running loop."""
    called = asyncio.Event()
    SystemClock().call_later(0, called.set)
    await called.wait()


async def test_a_cancelled_timer_does_not_call() -> None:
    """A callback taken back is not called when its time comes."""
    called: list[str] = []
    later = asyncio.Event()
    SystemClock().call_later(0, lambda: called.append("cancelled")).cancel()
    SystemClock().call_later(0, later.set)
    await later.wait()
    assert called == []


def test_both_clocks_are_clocks() -> None:
    """Either implementation fits where a Clock is asked for."""
    clocks: list[Clock] = [SystemClock(), FakeClock()]
    assert all(clock.now().tzinfo for clock in clocks)
