"""Durations as people write them: `90`, `90s`, `30m`, `1h30m`, `2d`."""

from __future__ import annotations

import math
import re

__all__ = ["format_duration", "parse_duration"]

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str | float) -> float:
    """Seconds that `text` stands for; a plain number is seconds.

    Raises:
        ValueError: It is no duration, negative, or not finite.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        seconds = float(text)
    else:
        seconds = _parse_text(str(text).strip().lower())
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{text!r} is no duration: write seconds, or 90s, 30m, 1h30m, 2d")
    return seconds


def _parse_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass  # not a plain number: parts with units
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
        return math.nan
    return sum(float(n) * _UNIT_S[u] for n, u in parts)


def format_duration(seconds: float) -> str:
    """`seconds` for a person, in its two largest units: `450ms`, `2.5s`, `1h 30m`, `2d 3h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    for place, (name, size) in enumerate(units):
        if whole >= size:
            head, rest = divmod(whole, size)
            small = units[place + 1] if place + 1 < len(units) else None
            tail = f" {rest // small[1]}{small[0]}" if small and rest // small[1] else ""
            return f"{head}{name}{tail}"
    return "0s"
