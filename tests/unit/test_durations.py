"""Durations are read and written as people do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undaunted.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (90, 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172800),
        ("500ms", 0.5),
        (" 2H ", 7200),
        ("1h 5s", 3605),
        ("0", 0),
    ],
)
def test_parse(text: str | float, seconds: float) -> None:
    """Plain numbers are seconds, units add up."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "5 parsecs", "1h-2m", "nan", "inf", "1hh", "h"])
def test_parse_refuses(text: str) -> None:
    """What is no duration is refused with what would do."""
    with pytest.raises(ValueError, match="write seconds, or 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.45, "450ms"),
        (2, "2s"),
        (2.5, "2.5s"),
        (59.6, "1m"),
        (45, "45s"),
        (60, "1m"),
        (61, "1m 1s"),
        (5400, "1h 30m"),
        (183600, "2d 3h"),
        (7200, "2h"),
    ],
)
def test_format(seconds: float, text: str) -> None:
    """A duration is shown in its two largest units."""
    assert format_duration(seconds) == text


@given(st.floats(0, 1e7))
def test_formatted_durations_are_near(seconds: float) -> None:
    """What is shown is within the smaller of the two units shown."""
    shown = parse_duration(format_duration(seconds).replace(" ", ""))
    unit = 0.001 if seconds < 1 else 0.1 if seconds < 10 else 1
    unit = 60 if seconds >= 3600 else unit
    unit = 3600 if seconds >= 86400 else unit
    assert abs(shown - seconds) <= unit
