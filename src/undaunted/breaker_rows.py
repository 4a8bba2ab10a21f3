"""A circuit breaker and its row: the one made from the other, and what a row counts."""

from __future__ import annotations

from datetime import datetime

from undaunted.failures import KINDS, Failure, FailureKind
from undaunted.health_records import HealthRow
from undaunted.resilience.breaker.breaker import CircuitBreaker
from undaunted.resilience.breaker.snapshot import BreakerSnapshot

__all__ = ["close", "count", "outdated", "snapshot_of", "store", "why"]


def snapshot_of(row: HealthRow) -> BreakerSnapshot:
    """The row's breaker, as `CircuitBreaker.restore` takes it; a probe's place is free."""
    return BreakerSnapshot(
        state=row.state,
        failure_count=row.failure_count,
        opened_at=row.opened_at.isoformat() if row.opened_at else None,
        open_until=row.open_until.isoformat() if row.open_until else None,
        isolated=row.isolated,
        generation=row.generation,
    )


def close(row: HealthRow) -> None:
    """Closes the row's breaker and forgets its failures in a row; the figures stay."""
    fresh = HealthRow()
    row.state, row.failure_count, row.isolated = fresh.state, 0, False
    row.opened_at = row.open_until = row.credential_mark = None
    row.probe_token = row.probe_until = None
    row.generation += 1


def store(breaker: CircuitBreaker, row: HealthRow) -> None:
    """Writes the breaker into its row."""
    snapshot = breaker.snapshot()
    row.state = snapshot.state
    row.failure_count = snapshot.failure_count
    row.opened_at = _instant(snapshot.opened_at)
    row.open_until = _instant(snapshot.open_until)
    row.isolated = snapshot.isolated
    row.generation = snapshot.generation


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def count(
    row: HealthRow,
    failure: Failure | None,
    figures: tuple[float | None, float | None],
    now: datetime,
) -> None:
    """Adds an attempt that ended at `now` to the row's figures.

    Args:
        row: The row.
        failure: How it failed; None for a success.
        figures: Its duration in seconds and its cost in US dollars, where known.
        now: The instant of its end.
    """
    duration_s, cost_usd = figures
    row.attempts += 1
    row.total_duration_s += duration_s or 0.0
    row.total_cost_usd += cost_usd or 0.0
    if failure is None:
        row.successes += 1
        row.last_success_at = now
        return
    row.failures += 1
    row.last_failure_at = now
    row.last_kind = str(failure.kind)
    row.last_message = failure.message


def outdated(row: HealthRow | None, credential_mark: str) -> bool:
    """Whether a person's attention was needed, and the credential has changed since."""
    return (
        row is not None
        and row.isolated
        and row.credential_mark is not None
        and row.credential_mark != credential_mark
    )


def why(row: HealthRow) -> str:
    """Why the row's breaker is open, in a few words."""
    if row.last_kind is None:
        return "opened by a person"
    if row.failure_count > 1 and KINDS[FailureKind(row.last_kind)].counts_for_breaker:
        return f"{row.failure_count} failures in a row, the last {row.last_kind}"
    return row.last_kind
