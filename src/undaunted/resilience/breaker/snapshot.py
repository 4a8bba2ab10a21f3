"""What a circuit breaker is doing, in values that survive the process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BreakerSnapshot", "CircuitState"]


class CircuitState(StrEnum):
    """Where a circuit breaker stands (S5)."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A circuit breaker's state at one instant, in JSON's own types.

    `BreakerSnapshot(**json.loads(json.dumps(asdict(snapshot))))` is the snapshot again. Instants
    are wall-clock ones: a monotonic reading means nothing in another process.

    Attributes:
        state: `closed`, `open` or `half_open`; an open circuit whose time has come is half open.
        failure_count: Consecutive failures.
        opened_at: When it opened, ISO 8601 in UTC; None when closed.
        open_until: When it lets a probe through, ISO 8601 in UTC; None unless open for a time.
        isolated: Only a reset closes it.
        generation: Number of changes of state so far.
        probing: A probe is under way.
    """

    state: str
    failure_count: int
    opened_at: str | None = None
    open_until: str | None = None
    isolated: bool = False
    generation: int = 0
    probing: bool = False
