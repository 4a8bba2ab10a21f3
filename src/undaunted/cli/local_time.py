"""Instants as a person at this machine reads them."""

from __future__ import annotations

from datetime import datetime

from undaunted.durations import format_duration

__all__ = ["clock_time", "moment", "until"]


def clock_time(at: datetime) -> str:
    """`14:02:11`, in this machine's zone."""
    return f"{at.astimezone():%H:%M:%S}"


def moment(at: datetime, now: datetime) -> str:
    """`14:02:11`; with the day where that is not today: `Tue 24 Nov 14:02:11`."""
    local = at.astimezone()
    same_day = local.date() == now.astimezone().date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%a %d %b %H:%M:%S}"


def until(at: datetime, now: datetime) -> str:
    """`14:02:11 (in 2m 3s)`, or `now` for what is past."""
    left_s = (at - now).total_seconds()
    return f"{moment(at, now)} (in {format_duration(left_s)})" if left_s > 0 else "now"
