"""Column types, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from undaunted.store.types import NaiveDatetimeError, UtcDateTime

EAST = timezone(timedelta(hours=5, minutes=45))
DIALECTS = [sqlite.dialect(), postgresql.dialect()]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_an_instant_goes_in_and_comes_out_in_utc(dialect: object) -> None:
    """The driver gets UTC, and UTC comes back whether the database keeps zones or not."""
    there = datetime(2026, 3, 29, 7, 15, 0, 123456, tzinfo=EAST)
    bound = UtcDateTime().process_bind_param(there, dialect)
    assert bound == there
    assert bound.tzinfo is UTC
    for kept in (bound.replace(tzinfo=None), bound, bound.astimezone(EAST)):
        result = UtcDateTime().process_result_value(kept, dialect)
        assert result == there
        assert result.tzinfo is UTC


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_nothing_stays_nothing_and_a_naive_datetime_is_refused(dialect: object) -> None:
    """None passes both ways; a datetime without a zone does not go in."""
    assert UtcDateTime().process_bind_param(None, dialect) is None
    assert UtcDateTime().process_result_value(None, dialect) is None
    with pytest.raises(NaiveDatetimeError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 3, 29), dialect)  # noqa: DTZ001 (the point)
