"""Months, weekdays and zones are known as they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from undaunted.agents.calendar_words import (
    MONTH,
    WEEKDAY,
    month_number,
    weekday_number,
    zone_named,
)

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)

# As `Intl.DateTimeFormat` prints them, long and short.
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "en-short": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
    "pt": "janeiro fevereiro março abril maio junho julho "
    "agosto setembro outubro novembro dezembro",
    "pt-short": "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
    "es": "enero febrero marzo abril mayo junio julio "
    "agosto septiembre octubre noviembre diciembre",
    "es-short": "ene feb mar abr may jun jul ago sept oct nov dic",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "fr-short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "de-short": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
}


@pytest.mark.parametrize("language", MONTHS)
def test_months(language: str) -> None:
    """The twelve months of five languages, whole or abbreviated, are those numbers."""
    found = [re.fullmatch(MONTH, word, re.IGNORECASE) for word in MONTHS[language].split()]
    assert [month_number(match["month"]) for match in found if match] == list(range(1, 13))


@pytest.mark.parametrize(
    ("words", "number"),
    [("Mon Monday mon", 0), ("Tue Tues Tuesday", 1), ("Thu Thurs", 3), ("SUN", 6)],
)
def test_weekdays(words: str, number: int) -> None:
    """A weekday is known by its name and by what it is cut to."""
    for word in words.split():
        found = re.fullmatch(WEEKDAY, word, re.IGNORECASE)
        assert found is not None
        assert weekday_number(found["weekday"]) == number


@pytest.mark.parametrize("word", ["monthly", "sunset", "friends", "weekly"])
def test_no_weekdays(word: str) -> None:
    """A word that begins like a weekday is none."""
    assert re.match(WEEKDAY, word, re.IGNORECASE) is None


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        *[("UTC", 0), ("gmt", 0), ("Z", 0), ("GMT-3", -3), ("UTC+5:30", 5.5), ("+02:00", 2)],
        *[("-0800", -8), ("PST", -8), ("PDT", -7), ("EST", -5), ("EDT", -4), ("CET", 1)],
        *[("CEST", 2), ("BST", 1), ("JST", 9), ("IST", 5.5), ("Asia/Calcutta", 5.5)],
        *[("PT", -7), ("ET", -4), ("Pacific", -7), ("eastern time", -4), ("Pacific Time", -7)],
    ],
)
def test_zones(name: str, hours: float) -> None:
    """A zone is known as an offset, by its letters, by its region and by its name in the data."""
    zone = zone_named(name, now=NOW, tz=UTC)
    assert zone is not None
    assert NOW.astimezone(zone).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize("name", [None, "or", "Mars/Olympus", "XYZ", "../etc", "et", "Read/Write"])
def test_what_is_no_zone(name: str | None) -> None:
    """What names no zone leaves the machine's own."""
    tokyo = ZoneInfo("Asia/Tokyo")
    assert zone_named(name, now=NOW, tz=tokyo) is tokyo


@pytest.mark.parametrize(
    ("letters", "place"),
    [("CST", "Asia/Shanghai"), ("IST", "Asia/Jerusalem"), ("IST", "Europe/Dublin"), ("EST", "UTC")],
)
def test_letters_of_two_meanings(letters: str, place: str) -> None:
    """Letters by which the machine's own zone goes, in winter or in summer, mean that zone."""
    own = ZoneInfo(place)
    assert (zone_named(letters, now=NOW, tz=own) is own) == (place != "UTC")
