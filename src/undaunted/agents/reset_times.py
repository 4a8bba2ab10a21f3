"""When a limit ends, read from the agent's own words: instants, clock times and durations.

Rules for every form: the result is an aware UTC instant, never before `now`, and at most
`max_ahead` away; what lies outside is not believed (None). A clock time without a date is its
next occurrence. A time without a zone is in the zone of the machine that the agent runs on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

__all__ = ["MAX_AHEAD", "find_reset"]

# The longest limit seen is a week (claude's weekly window); a day on top for rounding and zones.
MAX_AHEAD = timedelta(days=8)

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NUMBER_UNIT = (
    r"\d+(?:\.\d+)?\s*"
    r"(?:ms|milliseconds?|weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])"
)
# Not behind "timed out": "timed out after 5 minutes" says nothing about a limit.
_DURATION = re.compile(
    r"(?<!out\s)(?:\b(?:in|after|for|retry|(?:retry|quotaReset)?delay|resets?)\b[\s:\"'\\=]*)"
    rf"({_NUMBER_UNIT}(?:[\s,]*(?:and\s+)?{_NUMBER_UNIT})*)",
    re.IGNORECASE,
)
_ONE_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|millisecond|[wdhms])", re.IGNORECASE)
_RETRY_DELAY_MS = re.compile(r"(?:retryDelayMs|retry-after-ms)[\"':\s]+(\d+(?:\.\d+)?)")
_RETRY_AFTER_S = re.compile(
    # Possessive: given back, the last digit of "3600s" would leave 360 with no unit behind it.
    r"(?:retry[-_ ]after|resets?_in_seconds)[\"':=\s]+(\d++(?:\.\d++)?+)(?!\s*[a-z])",
    re.IGNORECASE,
)
_HTTP_DATE = re.compile(
    r"retry-after[\"':=\s]+([a-z]{3}, \d{2} [a-z]{3} 20\d{2} [\d:]{8} GMT)", re.IGNORECASE
)
_EPOCH = re.compile(r"(?:\||reset\w*[\"':=\s]+)(1\d{9})(\d{3})?\b", re.IGNORECASE)

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WEEKDAYS = {
    name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
}
_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE = r"(?:\s*\(?(?P<zone>[A-Z][A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)+|UTC|GMT|Z)\b\)?)?"
_ISO = re.compile(
    r"(?P<year>20\d{2})-(?P<month>\d{2})-(?P<day>\d{2})(?:T|,?\s+(?:at\s+)?)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?"
    r"(?P<offset>[+-]\d{2}:?\d{2})?" + _ZONE,
    re.IGNORECASE,
)
_LEAD = r"(?:resets?|reset\s+at|try\s+again|again|until|access|available|back)\b[^0-9A-Za-z\n]{0,4}"
_MONTH_DAY = re.compile(
    rf"{_LEAD}(?:(?:at|on)\s+)?(?P<month>[A-Z][a-z]{{2}})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    rf"(?:,?\s+(?P<year>20\d{{2}}))?,?\s+(?:at\s+)?{_CLOCK}{_ZONE}",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(
    rf"{_LEAD}(?:(?:at|on)\s+)?(?P<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+(?:at\s+)?"
    rf"{_CLOCK}{_ZONE}",
    re.IGNORECASE,
)
_CLOCK_ONLY = re.compile(rf"{_LEAD}(?:at\s+)?{_CLOCK}(?!\w){_ZONE}", re.IGNORECASE)


def find_reset(
    text: str, *, now: datetime, tz: tzinfo | None = None, max_ahead: timedelta = MAX_AHEAD
) -> datetime | None:
    """The instant at which `text` says that a limit ends.

    Args:
        text: An agent's words, or JSON from its output.
        now: The instant the text was printed; aware.
        tz: The zone of times that name none; None is the machine's own.
        max_ahead: Instants further away than this are not believed.

    Returns:
        An aware UTC instant in [now, now + max_ahead], or None where the text states none.

    Source: the recorded formats of `docs/agents/`, each with a golden case.
    """
    for parse in _PARSERS:
        try:
            at = parse(text, now, tz)
        except OverflowError:
            continue  # at the end of the calendar there is no next occurrence
        if at is not None and now <= at <= now + max_ahead:
            return at.astimezone(UTC)
    return None


def _epoch(text: str, _now: datetime, _tz: tzinfo | None) -> datetime | None:
    found = _EPOCH.search(text)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _duration(text: str, now: datetime, _tz: tzinfo | None) -> datetime | None:
    if found := _RETRY_DELAY_MS.search(text):
        return _later(now, float(found[1]) / 1000)
    if found := _RETRY_AFTER_S.search(text):
        return _later(now, float(found[1]))
    if found := _DURATION.search(text):
        parts = _ONE_DURATION.findall(found[1])
        return _later(now, sum(float(n) * _unit_s(unit) for n, unit in parts))
    return None


def _unit_s(unit: str) -> float:
    lower = unit.lower()
    return _UNIT_S["ms" if lower.startswith("milli") else lower]


def _later(now: datetime, seconds: float) -> datetime | None:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None  # a stated time beyond the calendar is no time


def _http_date(text: str, _now: datetime, _tz: tzinfo | None) -> datetime | None:
    found = _HTTP_DATE.search(text)
    try:
        return parsedate_to_datetime(found[1]) if found else None
    except ValueError:
        return None  # the 31st of June


def _iso(text: str, _now: datetime, tz: tzinfo | None) -> datetime | None:
    found = _ISO.search(text)
    if not found:
        return None
    zone: tzinfo | None = _zone(found["zone"], tz)
    if found["offset"]:
        zone = datetime.strptime(found["offset"].replace(":", ""), "%z").tzinfo
    at = _instant(found, int(found["year"]), int(found["month"]), int(found["day"]), zone)
    return at + timedelta(seconds=int(found["second"] or 0)) if at else None


def _month_day(text: str, now: datetime, tz: tzinfo | None) -> datetime | None:
    found = _MONTH_DAY.search(text)
    if not found or (month := _MONTHS.get(found["month"].lower())) is None:
        return None
    zone = _zone(found["zone"], tz)
    if found["year"]:
        return _instant(found, int(found["year"]), month, int(found["day"]), zone)
    year = now.astimezone(zone).year
    at = _instant(found, year, month, int(found["day"]), zone)
    if at is not None and at < now:  # said in December, meant for January
        at = _instant(found, year + 1, month, int(found["day"]), zone)
    return at


def _weekday(text: str, now: datetime, tz: tzinfo | None) -> datetime | None:
    found = _WEEKDAY.search(text)
    if not found:
        return None
    ahead = _WEEKDAYS[found["weekday"].lower()] - now.astimezone(_zone(found["zone"], tz)).weekday()
    return _next_on(found, now, tz, days=ahead % 7, again=7)


def _clock_only(text: str, now: datetime, tz: tzinfo | None) -> datetime | None:
    for found in _CLOCK_ONLY.finditer(text):
        if found["half"] or found["minute"]:  # a bare number is no time of day
            return _next_on(found, now, tz, days=0, again=1)
    return None


def _next_on(
    found: re.Match[str], now: datetime, tz: tzinfo | None, *, days: int, again: int
) -> datetime | None:
    zone = _zone(found["zone"], tz)
    for ahead in (days, days + again):
        day = now.astimezone(zone) + timedelta(days=ahead)
        for fold in (0, 1):  # the hour that the end of summer time repeats
            at = _instant(found, day.year, day.month, day.day, zone, fold=fold)
            if at is not None and at >= now:
                return at
    return None


def _instant(
    found: re.Match[str], year: int, month: int, day: int, zone: tzinfo | None, *, fold: int = 0
) -> datetime | None:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if half := found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    try:
        naive = datetime(year, month, day, hour, minute, fold=fold)  # noqa: DTZ001 - gets its zone below
        return (naive.replace(tzinfo=zone) if zone else naive).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # the 31st of June, 25 o'clock: no such time


def _zone(name: str | None, tz: tzinfo | None) -> tzinfo | None:
    if name is None:
        return tz
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown to this machine's zone data
        return tz


_PARSERS: tuple[Callable[[str, datetime, tzinfo | None], datetime | None], ...] = (
    _epoch,
    _http_date,
    _iso,
    _month_day,
    _weekday,
    _duration,
    _clock_only,
)
