"""The end of a limit is found in every form that agents have been seen to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from undaunted.agents.reset_times import find_reset

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
    # epochs and header fields
    ("X-RateLimit-Reset: 1785416400", "2026-07-30T13:00:00"),
    ("anthropic-ratelimit-unified-reset: 1785416400", "2026-07-30T13:00:00"),
    ('{"resets_at":1785416400,"resets_in_seconds":1}', "2026-07-30T13:00:00"),
    ('"X-Codex-Primary-Reset-At":"1785416400"', "2026-07-30T13:00:00"),
    ('"X-Codex-Primary-Reset-After-Seconds":"13873"', "2026-07-30T14:51:13"),
    ("x-ratelimit-reset-tokens: 6m0s", "2026-07-30T11:06:00"),
    ("{'retry_after': 20}", "2026-07-30T11:00:20"),
    ("retryAfterSeconds=1.5,", "2026-07-30T11:00:01.5"),
    ("retryAfterMs: 1500", "2026-07-30T11:00:01.5"),
    ('"retryDelay": {"seconds": "34", "nanos": 0}', "2026-07-30T11:00:34"),
    ("retry-after: 120\ncontent-type: text/html", "2026-07-30T11:02:00"),
    ("retry-after: Friday, 31-Jul-26 02:00:00 GMT", "2026-07-31T02:00:00"),
    ("retry-after: Fri Jul 31 02:00:00 2026", "2026-07-31T02:00:00"),
    # periods
    ("Please try again in about an hour.", "2026-07-30T12:00:00"),
    ("resets in 2 days", "2026-08-01T11:00:00"),
    ("Your limit resets in 1 day, 2 hours and 5 minutes", "2026-07-31T13:05:00"),
    ("or try again in 22 hours 11\nminutes.", "2026-07-31T09:11:00"),
    ("Please wait 30 seconds before trying again", "2026-07-30T11:00:30"),
    ("2h 13m until reset", "2026-07-30T13:13:00"),
    ("Expected quota reset within 24h.", "2026-07-31T11:00:00"),
    ("You are blocked for the next 1,200 seconds", "2026-07-30T11:20:00"),
    ("Provider is overloaded [retrying in 30s attempt #2]", "2026-07-30T11:00:30"),
    ("tente novamente em 3 horas", "2026-07-30T14:00:00"),
    ("erneut versuchen in 2 Stunden und 5 Minuten", "2026-07-30T13:05:00"),
    ("réessayez de nouveau dans 3 jours et 2 heures", "2026-08-02T13:00:00"),
    # dates in the person's language, as `Intl.DateTimeFormat` prints them
    ("try again at 5 de ago. de 2026, 11:52.", "2026-08-05T11:52:00"),
    ("será redefinido em 5 de agosto de 2026 às 11:52", "2026-08-05T11:52:00"),
    ("try again at 5 ago 2026, 11:52.", "2026-08-05T11:52:00"),
    ("de nuevo el 5 de agosto de 2026 a las 8:05", "2026-08-05T08:05:00"),
    ("try again at 5 août 2026 à 11:52.", "2026-08-05T11:52:00"),
    ("try again at 5. Aug. 2026, 11:52.", "2026-08-05T11:52:00"),
    ("try again at 5. August 2026 um 11:52 Uhr", "2026-08-05T11:52:00"),
    ("try again at 5 Aug 2026, 8:41\u202fPM", "2026-08-05T20:41:00"),
    ("try again at 8/5/2026, 11:52:30 PM", "2026-08-05T23:52:30"),
    ("try again at 05/08/2026, 11:52", "2026-08-05T11:52:00"),
    ("try again at 05.08.2026, 11:52", "2026-08-05T11:52:00"),
    ("try again at 2026年8月5日 11:52", "2026-08-05T11:52:00"),
    # dates in English
    ("Please wait for your limit to reset on August 2, 2026 at 2:00 AM or", "2026-08-02T02:00:00"),
    ("resets on Thu, Aug 6 at 5pm (UTC)", "2026-08-06T17:00:00"),
    ("resets Aug 3", "2026-08-03T00:00:00"),
    ("resets on 2026-08-03", "2026-08-03T00:00:00"),
    ("available again on Monday at 9am", "2026-08-03T09:00:00"),
    ("resets Monday", "2026-08-03T00:00:00"),
    # times of day
    ("Access resets at 10:57 PM GMT-3.", "2026-07-31T01:57:00"),
    ("Access resets at 4:57 AM PDT.", "2026-07-30T11:57:00"),
    ("try again at 9:30 AM EST", "2026-07-30T14:30:00"),
    ("resets at 3:00 PM CEST", "2026-07-30T13:00:00"),
    ("resets 6pm (BST)", "2026-07-30T17:00:00"),
    ("try again at 23:15 JST", "2026-07-30T14:15:00"),
    ("resets daily at midnight UTC", "2026-07-31T00:00:00"),
    ("quota resets at midnight Pacific time", "2026-07-31T07:00:00"),
    ("resets at noon", "2026-07-30T12:00:00"),
    ("try again tomorrow at 9am", "2026-07-31T09:00:00"),
    ("try again at 9am tomorrow", "2026-07-31T09:00:00"),
    ("try again tomorrow.", "2026-07-31T00:00:00"),
    ("resets today at 5:10pm", "2026-07-30T17:10:00"),
    ("back at 15:00", "2026-07-30T15:00:00"),
    # said at 11:00:00, printed without its seconds: it has come
    ("resets 11am", "2026-07-30T11:00:00"),
    # a stated past does not hide what comes after it
    ("2026-07-30T10:59:00Z limit reset: 2026-07-30T10:00:00Z; resets 2pm", "2026-07-30T14:00:00"),
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
    "retry-after: 31 Jun 2026",
    "You've hit your usage limit, or wait for limits to reset (every 5h and every week).",
    "You have used 50 of 50 requests in 3 hours. Try again later.",
    "Limit 30000 tokens per 1 minute",
    "retried 5 times (total retry wait time: 30.56 seconds)",
    "The request failed after 30 s.",
    "Retry 3 of 5",
    "resets monthly",
    "try again at 13 o'clock",
    "try again at 13:00pm",
    "2026-08-01T00:00:00Z ERROR rate limited",
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


def test_clock_time_in_the_hour_that_the_end_of_summer_time_repeats() -> None:
    """The second 1:30 of that night is meant once the first one has passed."""
    new_york = ZoneInfo("America/New_York")
    now = datetime(2026, 11, 1, 5, 40, tzinfo=UTC)  # 1:40, summer time
    at = find_reset("You've hit your session limit · resets 1:30am", now=now, tz=new_york)
    assert at == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_clock_time_in_the_hour_that_summer_time_skips() -> None:
    """A time that the clocks jump over is the instant an hour later by the new time."""
    new_york = ZoneInfo("America/New_York")
    now = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)  # 1:00, winter time
    at = find_reset("You've hit your session limit · resets 2:30am", now=now, tz=new_york)
    assert at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 3:30, summer time


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["9", "5s ", "reset-", "reset ", "try again in the ", "a ", " "])
def test_long_text(piece: str) -> None:
    """A text of any length is read in a time that grows no faster than the text."""
    assert find_reset(piece * (64_000 // len(piece)), now=NOW, tz=UTC) is None
