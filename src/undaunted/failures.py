"""The kinds of failure and what follows from each: this table, and nothing that matches text.

An agent's file decides which kind a failure is, where the evidence is. Everyone else reads the
kind here and never looks at the text again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

__all__ = [
    "KINDS",
    "OF_ACCOUNT",
    "Action",
    "AttemptFailedError",
    "Failure",
    "FailureKind",
    "KindRule",
    "Severity",
]


class FailureKind(StrEnum):
    """What went wrong, as far as the next step is concerned."""

    AUTH = "auth"
    BILLING = "billing"
    BROKEN_RESPONSE = "broken_response"
    CANCELLED = "cancelled"
    CHECKS_FAILED = "checks_failed"
    CONTENT_POLICY = "content_policy"
    CONTEXT_TOO_LONG = "context_too_long"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    INVALID_REQUEST = "invalid_request"
    LIMIT_REACHED = "limit_reached"
    MISCONFIGURED = "misconfigured"
    NETWORK = "network"
    NOT_FOUND = "not_found"
    NOT_INSTALLED = "not_installed"
    OVERLOADED = "overloaded"
    PERMISSION = "permission"
    QUOTA_EXHAUSTED = "quota_exhausted"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What the flow does next. ``DONE`` is a success; waiting is the flow's, never a kind's."""

    DONE = "done"
    FAIL = "fail"
    RETRY = "retry"
    STOP = "stop"
    SWITCH = "switch"


class Severity(StrEnum):
    """How loudly to say it."""

    CRITICAL = "critical"
    ERROR = "error"
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class KindRule:
    """What follows from one kind of failure.

    Attributes:
        action: The next step, before the failure's own facts are looked at (`Failure.action`).
        counts_for_breaker: Whether the failure counts towards opening the agent's breaker.
        severity: How loudly it is reported.
        max_retries: Retries of this kind on one agent, on top of which the policy's own number of
            attempts holds; None is no bound of its own.
        closes_agent: The agent is out until the stated time (or `default_closed_s`), or, where
            `needs_person` is set, until a person or a changed key says otherwise.
        default_closed_s: How long the agent is out when no time was stated, in seconds.
        needs_person: Only a person (or a changed key) brings the agent back.
    """

    action: Action
    counts_for_breaker: bool
    severity: Severity
    max_retries: int | None = None
    closes_agent: bool = False
    default_closed_s: float | None = None
    needs_person: bool = False


# A quota wall without a stated reset keeps the agent out for an hour: shorter and every task of a
# script pays for a probe, longer and a five-hour window that is about to end is missed.
QUOTA_DEFAULT_CLOSED_S = 3600.0

_COUNTS, _SPARED = True, False  # for the breaker
_W, _E, _C, _I = Severity.WARNING, Severity.ERROR, Severity.CRITICAL, Severity.INFO

KINDS: dict[FailureKind, KindRule] = {
    FailureKind.RATE_LIMITED: KindRule(Action.RETRY, _SPARED, _W, closes_agent=True),
    FailureKind.OVERLOADED: KindRule(Action.RETRY, _COUNTS, _W),
    FailureKind.SERVER_ERROR: KindRule(Action.RETRY, _COUNTS, _W),
    FailureKind.NETWORK: KindRule(Action.RETRY, _COUNTS, _W),
    FailureKind.BROKEN_RESPONSE: KindRule(Action.RETRY, _COUNTS, _W),
    FailureKind.TIMEOUT: KindRule(Action.SWITCH, _COUNTS, _W),
    FailureKind.CRASHED: KindRule(Action.RETRY, _COUNTS, _E, max_retries=1),
    FailureKind.UNKNOWN: KindRule(Action.RETRY, _COUNTS, _E, max_retries=1),
    FailureKind.INTERRUPTED: KindRule(Action.RETRY, _SPARED, _W),
    FailureKind.QUOTA_EXHAUSTED: KindRule(
        Action.SWITCH, _SPARED, _W, closes_agent=True, default_closed_s=QUOTA_DEFAULT_CLOSED_S
    ),
    FailureKind.BILLING: KindRule(Action.SWITCH, _SPARED, _C, closes_agent=True, needs_person=True),
    FailureKind.AUTH: KindRule(Action.SWITCH, _SPARED, _C, closes_agent=True, needs_person=True),
    FailureKind.PERMISSION: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.NOT_FOUND: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.NOT_INSTALLED: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.MISCONFIGURED: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.CONTEXT_TOO_LONG: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.CONTENT_POLICY: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.INVALID_REQUEST: KindRule(Action.SWITCH, _SPARED, _E),
    FailureKind.LIMIT_REACHED: KindRule(Action.FAIL, _SPARED, _E),
    FailureKind.CHECKS_FAILED: KindRule(Action.FAIL, _SPARED, _E),
    FailureKind.CANCELLED: KindRule(Action.STOP, _SPARED, _I),
}


OF_ACCOUNT = frozenset(
    {
        FailureKind.AUTH,
        FailureKind.BILLING,
        FailureKind.PERMISSION,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.RATE_LIMITED,
    }
)
"""Kinds that hang on the login: another login of the same agent may well do better. After every
other kind it would meet the same program, service and task."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, classified.

    Attributes:
        kind: What went wrong.
        message: One or a few lines for a person: the agent's own words where it had any.
        evidence: Where it was read and what stood there: ``result event: api_error_status=429``.
        retry_after_s: Seconds to wait that the other side asked for, where it said so.
        resets_at: The instant (aware, UTC) at which a limit ends, where it was said.
        blames_task: The evidence names the prompt or our own validation: no other agent will
            help. Only `FailureKind.INVALID_REQUEST` reads it.
    """

    kind: FailureKind
    message: str
    evidence: str = ""
    retry_after_s: float | None = None
    resets_at: datetime | None = None
    blames_task: bool = False

    @property
    def rule(self) -> KindRule:
        """The row of the table for this failure's kind."""
        return KINDS[self.kind]

    @property
    def action(self) -> Action:
        """The next step: the table's, or FAIL for a request whose own text is at fault."""
        if self.kind is FailureKind.INVALID_REQUEST and self.blames_task:
            return Action.FAIL
        return self.rule.action

    def action_within(self, retry_cap_s: float) -> Action:
        """The next step when a retry may wait `retry_cap_s` seconds at most.

        A rate limit that lasts longer than the cap is not slept through: the task moves on.
        """
        if (
            self.action is Action.RETRY
            and self.retry_after_s is not None
            and self.retry_after_s > retry_cap_s
        ):
            return Action.SWITCH
        return self.action

    @property
    def counts_for_breaker(self) -> bool:
        """Whether the agent's circuit breaker counts this failure."""
        return self.rule.counts_for_breaker

    @property
    def severity(self) -> Severity:
        """How loudly it is reported."""
        return self.rule.severity

    def with_text(self, message: str, evidence: str) -> Failure:
        """The same failure with other words, as redaction leaves it."""
        return replace(self, message=message, evidence=evidence)


class AttemptFailedError(Exception):
    """One attempt failed; what policies see of it.

    Args:
        failure: What went wrong.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @property
    def retry_after_s(self) -> float | None:
        """Seconds to wait that the other side asked for."""
        return self.failure.retry_after_s
