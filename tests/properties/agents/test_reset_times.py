"""An instant printed in any of the known forms is read back, and nothing is made of other words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undaunted.agents.reset_times import MAX_AHEAD, find_reset

# Forms leave out seconds, and agents round.
TOLERANCE = timedelta(seconds=90)

ZONES = [
    ZoneInfo(name)
    for name in (
        *("UTC", "America/New_York", "America/Sao_Paulo", "Europe/Berlin", "Asia/Kolkata"),
        *("Asia/Kathmandu", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland"),
    )
]
MONTHS = {
    "pt": "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
    "es": "ene feb mar abr may jun jul ago sept oct nov dic",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "de": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
}


def month(at: datetime, language: str) -> str:
    return MONTHS[language].split()[at.month - 1]


def clock(at: datetime) -> str:
    """As Claude Code prints it: 2pm, 5:30am."""
    minute = f":{at:%M}" if at.minute else ""
    return f"{(at.hour - 1) % 12 + 1}{minute}{at:%p}".lower()


def twelve(at: datetime) -> str:
    """As Codex prints it: 8:41 AM."""
    return f"{(at.hour - 1) % 12 + 1}:{at:%M %p}"


def left(at: datetime, now: datetime) -> tuple[int, int, int, int]:
    """Days, hours, minutes and seconds from now, rounded to seconds."""
    minutes, seconds = divmod(round((at - now).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return hours // 24, hours % 24, minutes, seconds


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


# What a vendor's program prints at `now`, on a machine in the zone of `at`.
Print = Callable[[datetime, datetime], str]
DATED: list[Print] = [
    lambda at, now: f"usage limit reached|{at.timestamp():.0f}",
    lambda at, now: f"usage limit reached|{at.timestamp() * 1000:.0f}",
    lambda at, now: f'{{"resets_at":{at.timestamp():.0f},"resets_in_seconds":1}}',
    lambda at, now: f'"{{\\"resetsAt\\":{at.timestamp():.0f}}}"',
    lambda at, now: f'"X-Codex-Secondary-Reset-At":"{at.timestamp():.0f}"',
    lambda at, now: f'"quotaResetTimeStamp": "{at.isoformat()}"',
    lambda at, now: f"reset at {utc(at):%Y-%m-%dT%H:%M:%SZ}",
    lambda at, now: f"spend limit reached (daily; resets {utc(at):%Y-%m-%d %H:%M} UTC)",
    lambda at, now: f"You will regain access on {utc(at):%Y-%m-%d at %H:%M} UTC.",
    lambda at, now: f"Retry-After: {format_datetime(utc(at), usegmt=True)}",
    lambda at, now: f"retry-after: {utc(at):%A, %d-%b-%y %H:%M:%S} GMT",
    lambda at, now: f"retry-after: {utc(at).ctime()}",
    lambda at, now: f"weekly limit · resets {at:%b} {at.day}, {clock(at)} ({at.tzinfo})",
    lambda at, now: f"weekly limit · resets {at:%b} {at.day} at {clock(at)}",
    lambda at, now: f"limit to reset on {at:%B} {at.day}, {at.year} at {twelve(at)} or switch",
    lambda at, now: f"try again at {at:%b} {at.day}th, {at.year} {twelve(at)}.",
    lambda at, now: f"try again at {at.day} de {month(at, 'pt')} de {at:%Y, %H:%M}.",
    lambda at, now: f"try again at {at.day} {month(at, 'es')} {at:%Y, %H:%M}.",
    lambda at, now: f"try again at {at.day} {month(at, 'fr')} {at:%Y à %H:%M}.",
    lambda at, now: f"try again at {at.day}. {month(at, 'de')} {at:%Y, %H:%M}.",
    lambda at, now: f"try again at {at.month}/{at.day}/{at.year}, {twelve(at)}.",
    lambda at, now: f"try again at {at:%d/%m/%Y, %H:%M}.",
    lambda at, now: f"try again at {at:%d.%m.%Y, %H:%M}.",
]
LEFT: list[Print] = [
    lambda at, now: f"Retry-After: {(at - now).total_seconds():.0f}",
    lambda at, now: f'{{"resets_in_seconds":{(at - now).total_seconds():.0f},"x":1}}',
    lambda at, now: f'"X-Codex-Primary-Reset-After-Seconds":"{(at - now).total_seconds():.0f}"',
    lambda at, now: f'"retryDelay": "{(at - now).total_seconds():.9f}s"',
    lambda at, now: f"retryDelayMs: {(at - now).total_seconds() * 1000:.0f},",
    lambda at, now: f"retry-after-ms: {(at - now).total_seconds() * 1000:.0f}",
    lambda at, now: f"Please try again in {(at - now).total_seconds():.3f}s. Visit https://x",
    lambda at, now: "Try again in {} days {} hours {} minutes.".format(*left(at, now)),
    lambda at, now: "Your quota will reset after {}d{}h{}m{}s.".format(*left(at, now)),
    lambda at, now: "resets in {}d {}h {}m".format(*left(at, now)),
    lambda at, now: "novamente em {} dias, {} horas e {} minutos".format(*left(at, now)),
]
NEXT_DAY: list[Print] = [
    lambda at, now: f"You've hit your session limit · resets {clock(at)} ({at.tzinfo})",
    lambda at, now: f"You've hit your limit · resets {clock(at)}",
    lambda at, now: f"or try again at {twelve(at)}.",
    lambda at, now: f"Access resets at {twelve(at)} {utc_offset(at)}.",
    lambda at, now: f"resets at {utc(at):%H:%M} UTC",
]
NEXT_WEEK: list[Print] = [
    lambda at, now: f"You've hit your weekly limit · resets {at:%a} {twelve(at)}",
    lambda at, now: f"available again on {at:%A} at {clock(at)} ({at.tzinfo})",
]
# A time of day comes again after a day, or 23 hours where clocks are set forward.
FORMS = [
    *[(form, timedelta(days=7, hours=23)) for form in (*DATED, *LEFT)],
    *[(form, timedelta(hours=22)) for form in NEXT_DAY],
    *[(form, timedelta(days=6, hours=22)) for form in NEXT_WEEK],
]


def utc_offset(at: datetime) -> str:
    """As `Intl.DateTimeFormat` prints it: GMT-3, GMT+5:30."""
    offset = at.utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    sign = "-" if offset < timedelta() else "+"
    return f"GMT{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def readings(at: datetime) -> Sequence[datetime]:
    """`at`, and the other instant of the same name where clocks are set back."""
    return [at.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


nows = st.datetimes(datetime(2024, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by `timezones`


@pytest.mark.parametrize(("form", "furthest"), FORMS)
@settings(max_examples=50)
@given(now=nows, zone=st.sampled_from(ZONES), part=st.floats(0, 1))
def test_read_back(
    form: Print, furthest: timedelta, now: datetime, zone: ZoneInfo, part: float
) -> None:
    """What was printed is understood to a minute and a half, in every zone and season."""
    at = (now + part * furthest).astimezone(zone)
    text = form(at, now)
    found = find_reset(text, now=now, tz=zone)
    assert found is not None, text
    assert now <= found
    assert min(abs(found - reading) for reading in readings(at)) <= TOLERANCE, text


@given(
    text=st.text(max_size=40)
    | st.from_regex(r"(resets|try again (at|in)|retry-after:|\|) ?[0-9A-Za-zéç:,. ()/_|+-]{0,30}"),
    now=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001 - the same
    zone=st.sampled_from(ZONES),
)
def test_any_text(text: str, now: datetime, zone: ZoneInfo) -> None:
    """Whatever the text, the result is in UTC, not in the past and not beyond the bound."""
    found = find_reset(text, now=now, tz=zone)
    if found is not None:
        assert found.tzinfo is UTC
        assert now <= found <= now + MAX_AHEAD
