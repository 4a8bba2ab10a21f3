"""The instant at which a limit ends, from the words in which an agent says so.

Every form needs a word that speaks of an end ("resets", "try again", "retry-after"): "timed out
after 5 minutes" and "50 requests in 3 hours" say nothing about one. What is found lies at or after
`now`, and at most `max_ahead` away; what lies outside is not believed. A time of day without a date
is its next occurrence. A time without a zone is in the zone of the machine that the agent runs on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from undaunted.agents.calendar_words import (
    MONTH,
    WEEKDAY,
    ZONE,
    month_number,
    weekday_number,
    zone_named,
)

__all__ = ["MAX_AHEAD", "find_reset"]

# The longest limit seen is a week (claude's weekly window); a day on top for rounding and zones.
MAX_AHEAD = timedelta(days=8)

# Times are printed to the minute, without the seconds: one that has just begun to be past is now.
_JUST_PAST = timedelta(minutes=1)

_UNITS_S = {
    r"ms|millis(?:econds?)?": 0.001,
    r"s|secs?|seconds?|segundos?|secondes?|sekunden?": 1.0,
    r"m|mins?|minutes?|minutos?|minuten?": 60.0,
    r"h|hrs?|hours?|horas?|heures?|stunden?": 3600.0,
    r"d|days?|d[ií]as?|jours?|tage?n?": 86400.0,
    r"w|weeks?|semanas?|semaines?|wochen?": 604800.0,
}
# Bounded, like all that is repeated here: an agent's output may be long, and of nothing but digits.
_NUMBER = r"(?:(?<!\d)(?:\d{1,3}(?:,\d{3}){1,2}|\d{1,12}(?:\.\d{1,12})?)|\b(?:an?|one)\b)"
_UNIT = rf"(?:{'|'.join(_UNITS_S)})(?![^\W\d_])"
_PART = re.compile(rf"({_NUMBER})\s?({_UNIT})", re.IGNORECASE)
_AND = r"[\s,]{0,3}(?:(?:and|e|y|et|und)\s+)?"
_PERIOD = rf"(?P<period>{_NUMBER}\s?{_UNIT}(?:{_AND}{_NUMBER}\s?{_UNIT}){{0,5}})"

# What speaks of an end of waiting, in the languages in which dates are printed.
_LEAD = (
    r"(?:reset\w*|retry\w*|again|until|till|access|available|back|wait(?!\s+time)|renew\w*|refresh\w*|resum\w+"
    r"|restor\w+|continue|cool\s?down|delay|(?:limited|blocked|throttled|suspended|paused)\s+for"
    r"|novamente|redefinid[oa]|nuevo|restablece\w*|nouveau|réinitialis\w+|erneut|wieder|zurückgesetzt)"
)
# Not "resets every 5 hours", and not the "total retry wait time" that has passed already.
_GAP = r"(?:(?!\b(?:every|each|per|ago|wait\s+time)\b)[^\d\n.;]){0,40}?"
_AT = r"(?:[\s,.]+|T)(?:(?:at|um|à|às|a\s+las?)\s+)?"
_CLOCK = (
    r"(?:(?P<word>midnight|noon)"
    r"|(?P<hour>\d{1,2})(?=[:h]\d\d|\s*[ap]\.?m\b)(?:[:h](?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
    r"(?:\.\d+)?\s*(?P<half>[ap]\.?m\b\.?)?)" + ZONE
)


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something was said, and in which zone: what makes a time of day an instant."""

    now: datetime
    tz: tzinfo | None

    def instants(self, day: datetime, clock: re.Match[str]) -> Iterator[datetime]:
        """When a stated time of day is on the date of `day`: twice where clocks are set back."""
        zone = zone_named(clock["zone"], now=self.now, tz=self.tz)
        hour, minute = int(clock["hour"] or 0), int(clock["minute"] or 0)
        if clock["half"] and not 1 <= hour <= 12:
            return
        if clock["half"]:
            hour = hour % 12 + (12 if clock["half"][0] in "pP" else 0)
        if clock["word"] and clock["word"].lower() == "noon":
            hour = 12
        for fold in (0, 1):
            local = day.replace(
                hour=hour, minute=minute, second=int(clock["second"] or 0), microsecond=0, fold=fold
            )
            yield (local.replace(tzinfo=zone) if zone else local).astimezone(UTC)

    def today(self, clock: re.Match[str]) -> datetime:
        """The date, without a zone, in the zone that `clock` names."""
        zone = zone_named(clock["zone"], now=self.now, tz=self.tz)
        return self.now.astimezone(zone).replace(tzinfo=None)


_Reading = Callable[[re.Match[str], _Moment], Iterator[datetime]]


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
    moment = _Moment(now, tz)
    for pattern, read in _FORMS:
        for found in pattern.finditer(text):
            try:
                for at in read(found, moment):
                    if now - _JUST_PAST < at <= now + max_ahead:
                        return max(at, now).astimezone(UTC)
            except (ValueError, OverflowError):
                continue  # the 31st of June, 25 o'clock, beyond the calendar: no such time
    return None


def _epoch(found: re.Match[str], _: _Moment) -> Iterator[datetime]:
    milliseconds = timedelta(milliseconds=int(found[2] or 0))
    yield datetime.fromtimestamp(int(found[1]), UTC) + milliseconds


def _seconds(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    yield moment.now + timedelta(seconds=float(found[1]))


def _milliseconds(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    yield moment.now + timedelta(milliseconds=float(found[1]))


def _period(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    parts = _PART.findall(found["period"])
    yield moment.now + timedelta(seconds=sum(_amount(n) * _unit_s(unit) for n, unit in parts))


def _amount(number: str) -> float:
    return float(number.replace(",", "")) if number[0].isdigit() else 1.0


def _unit_s(unit: str) -> float:
    return next(s for name, s in _UNITS_S.items() if re.fullmatch(name, unit, re.IGNORECASE))


def _http_date(found: re.Match[str], _: _Moment) -> Iterator[datetime]:
    at = parsedate_to_datetime(found[1])
    yield at if at.tzinfo else at.replace(tzinfo=UTC)


def _year_month_day(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    yield from moment.instants(_date(int(found["year"]), found["month"], found["day"]), found)


def _named_month(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    this_year = moment.today(found).year
    # Without a year: said in December, January's is meant.
    years = [int(found["year"])] if found["year"] else [this_year, this_year + 1]
    for year in years:
        yield from moment.instants(_date(year, month_number(found["month"]), found["day"]), found)


def _two_numbers(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    # 7/10/2026 is in July or in October, by the person's country. Only one can be days away.
    for month, day in ((found["one"], found["other"]), (found["other"], found["one"])):
        if int(month) <= 12:
            yield from moment.instants(_date(int(found["year"]), month, day), found)


def _weekday(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    today = moment.today(found)
    ahead = (weekday_number(found["weekday"]) - today.weekday()) % 7
    for days in (ahead, ahead + 7):
        yield from moment.instants(today + timedelta(days=days), found)


def _time_of_day(found: re.Match[str], moment: _Moment) -> Iterator[datetime]:
    tomorrow = (found["day"] or found["after"] or "").lower() == "tomorrow"
    if found["hour"] or found["word"] or tomorrow:
        for days in (1,) if tomorrow else (0, 1):
            yield from moment.instants(moment.today(found) + timedelta(days=days), found)


def _date(year: int, month: int | str, day: str) -> datetime:
    return datetime(year, int(month), int(day))  # noqa: DTZ001 - its zone stands behind the time


_IS = (
    r"[\"'\\:=\s]{1,8}"  # between a field's name and its value, in headers and in JSON within JSON
)
_MAYBE_CLOCK = rf"(?:{_AT}{_CLOCK})?"
_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?P<year>20\d\d)"
# RFC 9110, section 5.6.7: the preferred form, and the two obsolete ones.
_HTTP_DATE = (
    r"((?:[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d (?:GMT|[+-]\d{4}))"
    r"|(?:[a-z]{6,9}, \d\d-[a-z]{3}-\d\d \d\d:\d\d:\d\d GMT)"
    r"|(?:[a-z]{3} [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}))"
)
_SAYS = rf"{_LEAD}{_GAP}"
_FIELD = r"(?:reset|retry)s?[-_ ]?"
# Possessive: given back, the last digit of "3600s" would leave 360 with no unit behind it.
_BARE_NUMBER = r"(\d++(?:\.\d++)?+)"


def _form(read: _Reading, *pattern: str) -> tuple[re.Pattern[str], _Reading]:
    return re.compile("".join(pattern), re.IGNORECASE), read


# The first form that states a time to be believed counts: instants before periods, and dates before
# times of day, of which a date may hold one.
_FORMS = (
    _form(
        _epoch,
        rf"(?:\||(?:reset|retry)[\w-]{{0,40}}{_IS}(?:at\s|on\s)?)([12]\d{{9}})(\d{{3}})?(?!\d)",
    ),
    _form(_http_date, _SAYS, _HTTP_DATE),
    _form(
        _year_month_day,
        rf"{_SAYS}{_YEAR}[-/.年]\s?(?P<month>\d{{1,2}})[-/.月]\s?{_DAY}日?{_MAYBE_CLOCK}",
    ),
    _form(
        _named_month,
        rf"{_SAYS}{MONTH}\s+{_DAY}(?:st|nd|rd|th)?\b(?:,?\s+{_YEAR})?{_MAYBE_CLOCK}",
    ),
    _form(
        _named_month,
        rf"{_SAYS}{_DAY}(?:\.|st|nd|rd|th|er|º)?\s+(?:de\s+|of\s+)?{MONTH}",
        rf"(?:,?\s+(?:de\s+)?{_YEAR})?{_MAYBE_CLOCK}",
    ),
    _form(
        _two_numbers,
        rf"{_SAYS}(?P<one>\d{{1,2}})[/.](?P<other>\d{{1,2}})[/.]{_YEAR}{_MAYBE_CLOCK}",
    ),
    _form(_weekday, rf"{_SAYS}\b{WEEKDAY}(?:,?\s+(?:at\s+)?{_CLOCK})?"),
    _form(
        _milliseconds,
        rf"{_FIELD}(?:delay|in|after)?[-_ ]?m(?:illi)?s(?:econds)?{_IS}{_BARE_NUMBER}",
    ),
    _form(_seconds, rf"{_FIELD}(?:in|after)(?:[-_ ]?seconds?)?{_IS}{_BARE_NUMBER}(?![ \t]*[a-z])"),
    # RetryInfo, when its duration is an object: {"seconds": "34", "nanos": 0}.
    _form(_seconds, rf"retry_?delay{_IS}\{{[^{{}}]{{0,20}}?seconds{_IS}{_BARE_NUMBER}"),
    _form(_period, _SAYS, _PERIOD),
    _form(_period, rf"{_PERIOD}\s+(?:until|before)\b[^.\d\n]{{0,20}}?(?:reset|retry|try|again)"),
    _form(
        _time_of_day,
        rf"{_LEAD}\W{{0,4}}(?:(?:at|on|by|around|about|daily|every\s+day|each\s+day|after)\W{{1,3}})",
        r"{0,3}(?:(?P<day>today|tonight|tomorrow)\b\W{0,3}(?:(?:at|by)\s+)?)?",
        rf"(?:{_CLOCK})?(?:\s+(?P<after>tomorrow)\b)?",
    ),
)
