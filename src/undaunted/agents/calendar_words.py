"""Months, weekdays and time zones as they are written in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["MONTH", "WEEKDAY", "ZONE", "month_number", "weekday_number", "zone_named"]

# How a month begins in English, Portuguese, Spanish, French and German; agents print dates in the
# person's language.
_MONTHS = (
    ("jan", "ene"),
    ("feb", "fev", "fév"),
    ("mar", "mär", "mrz"),
    ("apr", "abr", "avr"),
    ("may", "mai"),
    ("jun", "juin"),
    ("jul", "juil"),
    ("aug", "ago", "aoû", "aou"),
    ("sep", "set"),
    ("oct", "out", "okt"),
    ("nov",),
    ("dec", "dez", "dic", "déc"),
)
_WEEKDAYS = (
    r"mon(?:day)?",
    r"tue(?:s(?:day)?)?",
    r"wed(?:nesday)?",
    r"thu(?:rs?(?:day)?)?",
    r"fri(?:day)?",
    r"sat(?:urday)?",
    r"sun(?:day)?",
)


def _any_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


MONTH = rf"\b(?P<month>{_any_of(name for names in _MONTHS for name in names)}[^\W\d_]*)\.?"
"""A month's name or its beginning."""

WEEKDAY = rf"(?P<weekday>{_any_of(_WEEKDAYS)})\b"
"""A weekday's English name or its beginning; `monthly` is none."""

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
# By the first letter of "Pacific Time" and of "PT".
_REGIONS = {
    "P": "America/Los_Angeles",
    "M": "America/Denver",
    "C": "America/Chicago",
    "E": "America/New_York",
}
_REGION = r"(?:pacific|mountain|central|eastern)(?:\s+(?:standard\s+|daylight\s+)?time)?"

ZONE = (
    r"(?:,?\s*\(?(?P<zone>(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?"
    rf"|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+|{_REGION}|[A-Z]{{1,5}})\b\)?)?"
)
"""A zone behind a time, where there is one: an offset, a name of the zone database, or letters."""

# Names by their hours from UTC. Several have two meanings: CST is also China's, IST Israel's and
# Ireland's, BST Bangladesh's, EST Australia's; the one that agents' vendors use stands here.
_NAMES_BY_HOURS = {
    -10: "HST",
    -9: "AKST",
    -8: "PST AKDT",
    -7: "PDT MST",
    -6: "MDT CST",
    -5: "CDT EST",
    -4: "EDT",
    -3: "BRT ART",
    0: "UTC GMT Z WET",
    1: "BST WEST CET",
    2: "CEST EET",
    3: "EEST MSK",
    5.5: "IST",
    8: "SGT HKT AWST",
    9: "JST KST",
    9.5: "ACST",
    10: "AEST",
    11: "AEDT",
    12: "NZST",
    13: "NZDT",
}
_HOURS = {name: hours for hours, names in _NAMES_BY_HOURS.items() for name in names.split()}
_HALF_A_YEAR = timedelta(days=182)


def month_number(name: str) -> int:
    """The number from 1 to 12 of a month that `MONTH` matched."""
    return next(n for n, begins in enumerate(_MONTHS, 1) if name.lower().startswith(begins))


def weekday_number(name: str) -> int:
    """The number from 0, Monday, to 6 of a day that `WEEKDAY` matched."""
    return next(n for n, day in enumerate(_WEEKDAYS) if re.fullmatch(day, name, re.IGNORECASE))


def zone_named(name: str | None, *, now: datetime, tz: tzinfo | None) -> tzinfo | None:
    """The zone that a `ZONE` behind a time means.

    Letters that the machine's own zone goes by, in winter or in summer, mean that zone: agents
    mostly print the time of the machine that they run on.

    Args:
        name: What stood there; None for nothing.
        now: The present instant; aware.
        tz: The machine's zone, where it is not the system's.

    Returns:
        The zone; `tz` where none is named, or none that is known.
    """
    if not name:
        return tz
    return _offset(name) or _by_letters(name, now, tz) or _by_region(name) or tz


def _offset(name: str) -> tzinfo | None:
    found = _OFFSET.fullmatch(name)
    if found is None:
        return None
    minutes = 60 * int(found[2]) + int(found[3] or 0)
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def _by_letters(name: str, now: datetime, tz: tzinfo | None) -> tzinfo | None:
    if name.lower() in {"utc", "gmt", "z"}:
        return UTC
    if not name.isupper() or name in {
        at.astimezone(tz).tzname() for at in (now, now + _HALF_A_YEAR)
    }:
        return None  # an ordinary word, or the machine's own zone
    return timezone(timedelta(hours=_HOURS[name])) if name in _HOURS else None


def _by_region(name: str) -> tzinfo | None:
    if re.fullmatch(r"[PMCE]T", name) or re.fullmatch(_REGION, name, re.IGNORECASE):
        name = _REGIONS[name[0].upper()]
    try:
        return ZoneInfo(name) if "/" in name else None
    except (KeyError, ValueError, OSError):
        return None  # no zone, or one that this machine's data lacks
