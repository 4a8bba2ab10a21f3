"""Column types that hold on every database the store runs on."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

__all__ = ["NaiveDatetimeError", "UtcDateTime", "WellFormedText", "is_well_formed"]


class NaiveDatetimeError(DontWrapMixin, ValueError):
    """A datetime without a zone was to be stored: a bug of ours, never a person's."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept and given back in UTC.

    SQLite has no zones: the instant is written as UTC without one, so that text order is time
    order, and gets its zone back when it is read.

    Raises:
        NaiveDatetimeError: A value without a zone; guessing one would shift it silently.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC, as the driver gets it."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise NaiveDatetimeError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant with its zone, as the driver gave it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class WellFormedText(TypeDecorator[str]):
    """Text in which a lone surrogate becomes U+FFFD, and two that make a pair their character.

    JSON can spell a lone surrogate (an agent that cuts its answer in the middle of an emoji does),
    Python keeps it, and no database takes it: without this, the answer could not be stored.
    """

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as the driver gets it."""
        if value is None or is_well_formed(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_well_formed(text: str) -> bool:
    """Whether `text` has no surrogates, so that it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
