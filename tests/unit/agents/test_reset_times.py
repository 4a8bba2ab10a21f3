"""The end of a limit is found in every form that agents have been seen to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undaunted.agents.reset_times import MAX_AHEAD, find_reset

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)  # a Thursday

# (text, the instant it states): forms reported by users or documented by vendors.
STATED = [
    ("usage limit reached|1785416400", "2026-07-30T13:00:00"),
    ("usage limit reached|1785416400000", "2026-07-30T13:00:00"),
    ("Your limit will reset at 9am (America/Chicago).", "2026-07-30T14:00:00"),
    ("You've hit your session limit · resets 5:30am (Asia/Calcutta)", "2026-07-31T00:00:00"),
    ("You've hit your limit · resets 2pm", "2026-07-30T14:00:00"),
    ("You've hit your limit · resets 10:59am", "2026-07-31T10:59:00"),
    ("resets 12am", "2026-07-31T00:00:00"),
    ("retryDelay: '34s'", "2026-07-30T11:00:34"),
    ('\\"retryDelay\\": \\"34s\\"', "2026-07-30T11:00:34"),
    ('"quotaResetDelay": "14h23m40s"', "2026-07-31T01:23:40"),
    ('"quotaResetTimeStamp": "2026-07-31T01:23:40Z"', "2026-07-31T01:23:40"),
    ("retry-after-ms: 2500", "2026-07-30T11:00:02.500"),
    ("retry-after: Fri, 31 Jul 2026 02:00:00 GMT", "2026-07-31T02:00:00"),
    ("resets 12:15pm", "2026-07-30T12:15:00"),
    ("You've hit your weekly limit · resets Jul 31, 2am (UTC)", "2026-07-31T02:00:00"),
    ("Weekly limit reached ∙ resets Aug 3 at 9am", "2026-08-03T09:00:00"),
    ("resets Aug 3 at 8am (Europe/Paris)", "2026-08-03T06:00:00"),
    ("You've hit your weekly limit · resets Mon 12:00am", "2026-08-03T00:00:00"),
    ("resets Thu 10:00am", "2026-08-06T10:00:00"),
    ("spend limit reached (daily; resets 2026-08-01 00:00 UTC)", "2026-08-01T00:00:00"),
    ("You will regain access on 2026-08-01 at 00:00 UTC.", "2026-08-01T00:00:00"),
    ("try again at Aug 3rd, 2026 8:41 AM.", "2026-08-03T08:41:00"),
    ("try again at 3:05 PM.", "2026-07-30T15:05:00"),
    ("Try again in 5 days 22 hours 11 minutes.", "2026-08-05T09:11:00"),
    ("try again in 58 hours", "2026-08-01T21:00:00"),
    ("Please try again in 3.5s.", "2026-07-30T11:00:03.500"),
    ("Your quota will reset after 53s.", "2026-07-30T11:00:53"),
    ("quota will reset after 14h23m6s", "2026-07-31T01:23:06"),
    ('"retryDelay": "900ms"', "2026-07-30T11:00:00.900"),
    ('"retryDelay": "51820.638305887s"', "2026-07-31T01:23:40.638306"),
    ("retryDelayMs: 2000,", "2026-07-30T11:00:02"),
    ("Retry-After: 120", "2026-07-30T11:02:00"),
    ('{"resets_in_seconds": 600}', "2026-07-30T11:10:00"),
    ('{"resetsAt":1785416400}', "2026-07-30T13:00:00"),
    ("reset at 2026-08-01T02:00:00+02:00", "2026-08-01T00:00:00"),
]

SILENT = [
    "",
    "Rate limit reached",
    "Authentication timed out after 5 minutes.",
    "Internal server error 500",
    "resets 25:70pm",
    "resets Jun 31, 2am",
    "model gemini-2.5-flash, 429",
    "usage limit reached|1500000000",  # long past
    "try again in 999999999999 days",
]


@pytest.mark.parametrize(("text", "at"), STATED)
def test_stated(text: str, at: str) -> None:
    """A stated time is found, to the second."""
    found = find_reset(text, now=NOW, tz=UTC)
    assert found is not None
    assert abs(found - datetime.fromisoformat(at).replace(tzinfo=UTC)) < timedelta(seconds=1)


@pytest.mark.parametrize("text", SILENT)
def test_silent(text: str) -> None:
    """What states no time, an impossible one or a past one gives none."""
    assert find_reset(text, now=NOW, tz=UTC) is None


def test_zone_of_the_machine() -> None:
    """A time without a zone is in the zone that is given, a named zone wins over it."""
    tokyo = ZoneInfo("Asia/Tokyo")
    assert find_reset("resets 9pm", now=NOW, tz=tokyo) == datetime(2026, 7, 30, 12, tzinfo=UTC)
    assert find_reset("resets 9pm (UTC)", now=NOW, tz=tokyo) == datetime(
        2026, 7, 30, 21, tzinfo=UTC
    )


def test_too_far_ahead_is_not_believed() -> None:
    """A time beyond the longest known window is no time."""
    assert find_reset("try again in 9 days", now=NOW, tz=UTC) is None
    assert find_reset("try again in 9 days", now=NOW, tz=UTC, max_ahead=timedelta(days=10))


def test_turn_of_the_year() -> None:
    """A date without a year is the next one of that name."""
    now = datetime(2026, 12, 30, 12, tzinfo=UTC)
    assert find_reset("resets Jan 2 at 9am", now=now, tz=UTC) == datetime(2027, 1, 2, 9, tzinfo=UTC)


@given(
    st.text(max_size=40)
    | st.from_regex(r"(resets|try again (at|in)|\|) ?[0-9A-Za-z:,. ()/_|-]{0,30}"),
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_any_text(text: str, naive: datetime) -> None:
    """Whatever the text, the result is aware, not in the past and not beyond the bound."""
    now = naive.replace(tzinfo=UTC)
    found = find_reset(text, now=now, tz=UTC)
    if found is not None:
        assert found.utcoffset() == timedelta(0)
        assert now <= found <= now + MAX_AHEAD


def test_clock_time_in_the_hour_that_the_end_of_summer_time_repeats() -> None:
    """The second 1:30 of that night is meant once the first one has passed."""
    new_york = ZoneInfo("America/New_York")
    now = datetime(2026, 11, 1, 5, 40, tzinfo=UTC)  # 1:40, summer time
    at = find_reset("You've hit your session limit · resets 1:30am", now=now, tz=new_york)
    assert at == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
