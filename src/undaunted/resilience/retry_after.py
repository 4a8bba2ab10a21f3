"""When the other side says to come back: the Retry-After header and its relatives.

Source: RFC 9110, section 10.2.3 (delay in seconds, or an HTTP date); `retry-after-ms` is what the
model providers' APIs send beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from undaunted.resilience.clock import SystemClock

__all__ = ["parse_retry_after", "retry_after_of"]

# RFC 9110 has whole seconds; proxies and model APIs also send fractions. ASCII digits only: \d and
# float() would both accept other scripts' digits.
_DELAY = re.compile(r"[0-9]+(\.[0-9]*)?")

_now = SystemClock().now


def parse_retry_after(value: str, *, now: Callable[[], datetime] = _now) -> float | None:
    """The seconds to wait that a Retry-After value asks for, 0 or more; None for garbage.

    Args:
        value: `120`, `1.5`, or `Wed, 21 Oct 2026 07:28:00 GMT` (a past date is 0).
        now: The instant (aware) that a date is measured from.
    """
    text = value.strip()
    if _DELAY.fullmatch(text):
        return _usable(float(text))
    try:
        at = parsedate_to_datetime(text)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None  # the parser's ways to say that this is no date
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)  # an HTTP date is in UTC, whether or not it says so
    return max(0.0, (at - now()).total_seconds())


def retry_after_of(error: BaseException, *, now: Callable[[], datetime] = _now) -> float | None:
    """The seconds to wait that `error` states, 0 or more; None if it states none that is usable.

    Looks, in this order, at `error.retry_after_s`, `error.retry_after` (a number or a header's
    text), and the headers of `error.response`, then of `error` itself: `retry-after-ms`, which is
    the finer, before `retry-after`.
    """
    for name in ("retry_after_s", "retry_after"):
        stated = _seconds(getattr(error, name, None), now)
        if stated is not None:
            return stated
    for holder in (getattr(error, "response", None), error):
        headers = getattr(holder, "headers", None)
        if not isinstance(headers, Mapping):
            continue
        # Not every library's mapping ignores case: Starlette's HTTPException holds a plain dict.
        folded = {str(key).lower(): value for key, value in headers.items()}
        stated_ms = _seconds(folded.get("retry-after-ms"), now)
        if stated_ms is not None:
            return stated_ms / 1000.0
        stated = _seconds(folded.get("retry-after"), now)
        if stated is not None:
            return stated
    return None


def _seconds(stated: object, now: Callable[[], datetime]) -> float | None:
    if isinstance(stated, str):
        return parse_retry_after(stated, now=now)
    if isinstance(stated, (int, float)) and not isinstance(stated, bool):
        return _usable(stated)
    return None


def _usable(stated: float) -> float | None:
    """A finite number of seconds, 0 or more; None for any other."""
    try:
        seconds = float(stated)
    except OverflowError:  # an int of more than 308 digits
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
