from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from undaunted.resilience import ResourceExhaustedError, parse_retry_after, retry_after_of


def noon() -> datetime:
    return datetime(2026, 10, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("30.", 30.0),
        ("Wed, 21 Oct 2026 12:00:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 14:00:30 +0200", 30.0),
        ("Wednesday, 21-Oct-26 12:01:00 GMT", 60.0),  # RFC 850's form, which RFC 9110 keeps
        ("Wed Oct 21 12:01:00 2026", 60.0),  # C's asctime, likewise; in UTC though it says nothing
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_a_value_is_read(value: str, seconds: float) -> None:
    """Seconds, fractions of them, and the three forms of a date; the past is now."""
    assert parse_retry_after(value, now=noon) == seconds


def test_a_date_without_a_zone_is_in_utc_wherever_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader's own time zone has no part in it."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert parse_retry_after("Wed Oct 21 12:01:00 2026", now=noon) == 60.0
    time.tzset()


@pytest.mark.parametrize(
    "value",
    [
        "", "soon", "-5", "+5", "1e3", "1_000", "inf", "nan", "0x10", "٣٠", "5 s", "9" * 400,
        "Wed, 32 Oct 2026 12:00:00 GMT", "Wed, 21 Oct 99999999999999999999 12:00:00 GMT",
        "Wed, 21 Oct 2026 12:00:00 +99999999999999999999",
    ],
)  # fmt: skip
def test_garbage_is_none(value: str) -> None:
    """What is neither a number nor a date states nothing."""
    assert parse_retry_after(value, now=noon) is None


def error_with(**attributes: object) -> Exception:
    error = Exception()
    vars(error).update(attributes)
    return error


def response(**headers: str) -> SimpleNamespace:
    return SimpleNamespace(headers={name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ResourceExhaustedError(retry_after_s=3.5), 3.5),
        (error_with(retry_after=4), 4.0),
        (error_with(retry_after="5"), 5.0),
        (error_with(retry_after_s=1, retry_after=2), 1.0),
        (error_with(retry_after_s=None, retry_after=2), 2.0),
        (error_with(response=response(Retry_After="6")), 6.0),
        (error_with(response=response(retry_after="6", retry_after_ms="250")), 0.25),
        (error_with(response=response(retry_after_ms="soon", retry_after="6")), 6.0),
        (error_with(response=response(Retry_After="Wed, 21 Oct 2026 12:00:30 GMT")), 30.0),
        (error_with(headers={"Retry-After": "8"}), 8.0),
        (error_with(response=response(), headers={"retry-after": "9"}), 9.0),
        (error_with(response=httpx.Response(429, headers={"Retry-After": "10"})), 10.0),
    ],
)
def test_an_error_that_states_a_time(error: Exception, seconds: float) -> None:
    """Attributes come before headers, milliseconds before seconds, the response before itself."""
    assert retry_after_of(error, now=noon) == seconds


@pytest.mark.parametrize(
    "error",
    [
        Exception(),
        ResourceExhaustedError(),
        error_with(retry_after_s=True),
        error_with(retry_after_s=-1),
        error_with(retry_after_s=float("nan")),
        error_with(retry_after_s=float("inf")),
        error_with(retry_after_s=10**400),
        error_with(retry_after=[5]),
        error_with(response=None),
        error_with(response=SimpleNamespace(headers=[("retry-after", "5")])),
        error_with(response=response(Retry_After="soon")),
    ],
)
def test_an_error_that_states_none(error: Exception) -> None:
    """What can't be used as a number of seconds is as good as nothing."""
    assert retry_after_of(error, now=noon) is None
