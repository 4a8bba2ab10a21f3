"""How an agent fares, as it is kept: its breaker's key, its breaker and its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["HealthKey", "HealthRow"]


@dataclass(frozen=True, slots=True, order=True)
class HealthKey:
    """What a breaker guards: an agent's login, and the model asked for ("": its default)."""

    agent: str
    account: str
    model: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.agent, self.account, self.model) if part)


@dataclass(slots=True)
class HealthRow:
    """One breaker and its figures; the fresh row is a closed breaker that saw nothing.

    Attributes:
        state: `closed`, `open` or `half_open`.
        failure_count: Consecutive failures that counted.
        opened_at: When the breaker opened.
        open_until: When the next probe may go; None with an open breaker: when a person says so.
        isolated: Kept open until it is reset.
        generation: Counts changes of state: a result from before the last change is ignored.
        probe_token: Who has the half-open breaker's one probe.
        probe_until: When the probe's claim ends, if its claimant never comes back.
        credential_mark: The credential that the breaker was opened with.
        last_kind: Kind of the last failure; likewise `last_message`.
        last_message: See `last_kind`.
        last_failure_at: When the last failure was.
        last_success_at: When the last success was.
        attempts: Attempts ended; likewise `successes` and `failures`.
        successes: See `attempts`.
        failures: See `attempts`.
        total_duration_s: Of all attempts, in seconds.
        total_cost_usd: Of all attempts, in US dollars, as far as the agent said.
        updated_at: When the row was written last; the store sets it.
    """

    state: str = "closed"
    failure_count: int = 0
    opened_at: datetime | None = None
    open_until: datetime | None = None
    isolated: bool = False
    generation: int = 0
    probe_token: str | None = None
    probe_until: datetime | None = None
    credential_mark: str | None = None
    last_kind: str | None = None
    last_message: str | None = None
    last_failure_at: datetime | None = None
    last_success_at: datetime | None = None
    attempts: int = 0
    successes: int = 0
    failures: int = 0
    total_duration_s: float = 0.0
    total_cost_usd: float = 0.0
    updated_at: datetime | None = None
