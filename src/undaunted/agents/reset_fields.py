"""The end of a limit, from the headers and the body of a provider's answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from undaunted.agents.reset_times import find_reset

__all__ = ["reset_in_fields"]

# Those that speak of the limit that was met; others count down limits of which much is left.
_FIELDS = (
    "resets_in_seconds",
    "retry-after-ms",
    "retry-after",
    "anthropic-ratelimit-unified-reset",
    "x-ratelimit-reset",
)
# What is too far ahead to be believed is for the rules to say.
_MAX_AHEAD = timedelta(days=366)


def reset_in_fields(fields: Mapping[str, object], *, now: datetime) -> datetime | None:
    """The instant at which the limit ends that an answer was refused for.

    Args:
        fields: Headers, and fields of the body, by their names in any case.
        now: The instant of the answer; aware.

    Returns:
        An aware UTC instant, or None where no field states one.

    Source: RFC 9110, section 10.2.3, and the headers of Anthropic, OpenAI and OpenRouter.
    """
    values = {name.lower(): value for name, value in fields.items()}
    said = (f"{name}: {values[name]}" for name in _FIELDS if name in values)
    found = (find_reset(text, now=now, tz=UTC, max_ahead=_MAX_AHEAD) for text in said)
    return next((at for at in found if at is not None), None)
