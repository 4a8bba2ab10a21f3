"""Instants for a person at this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from undaunted.cli.local_time import clock_time, moment, until

NOW = datetime(2026, 11, 23, 18, 2, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's zone is one hour ahead of UTC."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_it_is_the_local_clock() -> None:
    """Not UTC."""
    assert clock_time(NOW) == "19:02:11"


def test_another_day_is_named() -> None:
    """Today's day goes without saying; it ends at local midnight."""
    assert moment(NOW + timedelta(hours=4), NOW) == "23:02:11"
    assert moment(NOW + timedelta(hours=5), NOW) == "Tue 24 Nov 00:02:11"


def test_until_says_how_long_too() -> None:
    """What is past is now."""
    assert until(NOW + timedelta(minutes=2, seconds=3), NOW) == "19:04:14 (in 2m 3s)"
    assert until(NOW - timedelta(seconds=1), NOW) == "now"
