"""What happens to a task, as facts in the past tense; listeners get them in order.

Each event becomes one JSON object: `{"type": "attempt_failed", "at": "...Z", "task_id": ..., ...}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from undaunted.tasks import DEFAULT_ACCOUNT

__all__ = [
    "AgentChosen",
    "AgentSkipped",
    "AttemptFailed",
    "AttemptStarted",
    "AttemptSucceeded",
    "BreakerOpened",
    "Event",
    "InnerRetryNoticed",
    "Listener",
    "RetryScheduled",
    "SlotAwaited",
    "TaskAccepted",
    "TaskCancelled",
    "TaskFailed",
    "TaskSucceeded",
    "WaitStarted",
    "iso",
]

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def iso(at: datetime) -> str:
    """`at` as RFC 3339 in UTC with milliseconds and a Z: `2026-11-23T18:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a task at an instant (aware, UTC)."""

    at: datetime
    task_id: str

    @classmethod
    def type_name(cls) -> str:
        """`attempt_failed` for AttemptFailed."""
        return _CAPITAL.sub("_", cls.__name__).lower()

    def to_dict(self) -> dict[str, object]:
        """The event as JSON-ready values, `type` first."""
        out: dict[str, object] = {"type": self.type_name()}
        for f in fields(self):
            value: object = getattr(self, f.name)
            out[f.name] = iso(value) if isinstance(value, datetime) else value
        return out


Listener = Callable[[Event], None]
"""Gets each event after the fact it tells of was written. Must not block or raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAccepted(Event):
    """The task was written down; from here on it is not lost."""

    prompt_chars: int
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChosen(Event):
    """The flow turned to an agent; `switched_from` is None for the first."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    model: str | None
    reason: str
    permissions: str
    permission_flags: tuple[str, ...]
    switched_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSkipped(Event):
    """An agent was passed over without an attempt."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    reason: str
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotAwaited(Event):
    """All of the agent's slots are taken by other runs; this one waits for one."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """An attempt's row was written; its process starts next.

    With `continues_session` the agent goes on in the session of the attempt before.
    """

    number: int
    agent: str
    account: str = DEFAULT_ACCOUNT
    attempt_of_agent: int
    max_attempts: int
    timeout_s: float
    continues_session: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerRetryNoticed(Event):
    """The agent retried inside itself."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt ended in a failure."""

    number: int
    agent: str
    account: str = DEFAULT_ACCOUNT
    kind: str
    action: str
    severity: str
    message: str
    duration_s: float
    exit_code: int | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded(Event):
    """An attempt ended with an answer."""

    number: int
    agent: str
    account: str = DEFAULT_ACCOUNT
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    """The same agent is tried again after `delay_s` seconds, at `until`."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    kind: str
    delay_s: float
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened(Event):
    """An agent's circuit breaker opened; `until` is None when a person has to close it."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    model: str | None
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStarted(Event):
    """Every agent is out; the task waits for the first to return."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded(Event):
    """The task is done."""

    agent: str
    account: str = DEFAULT_ACCOUNT
    attempts: int
    switches: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(Event):
    """The task failed for good (S14: error and attempted agents)."""

    error: str
    error_code: str
    attempted_agents: tuple[str, ...]
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(Event):
    """The task was cancelled by a person or a signal."""

    reason: str
