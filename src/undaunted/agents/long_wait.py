"""An agent that announces a long wait of its own is ended: the task can move on meanwhile."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from undaunted.agents.rules import Evidence, RuleSet
from undaunted.durations import format_duration
from undaunted.failures import Failure, FailureKind

__all__ = ["LongWaitError", "wait_failure"]


class LongWaitError(Exception):
    """Ends a run whose agent is about to wait for too long.

    Args:
        text: What the agent said of it.
        wait_s: How long it would wait, in seconds; infinite where it sees no end.
    """

    def __init__(self, text: str, wait_s: float) -> None:
        super().__init__(text)
        self.text = text
        self.wait_s = wait_s


def wait_failure(
    rules: RuleSet, wait: LongWaitError, *, now: datetime, max_ahead: timedelta
) -> Failure:
    """The failure that such a wait stands for, until the wait's end; of one without end, its cause.

    Where the agent's words name a kind that keeps an agent out (a quota, say), it is that; anything
    else is a rate limit, since the agent itself says that it is not to be had until then.

    Args:
        rules: The agent's.
        wait: What it said.
        now: When it said so; aware.
        max_ahead: Ends of limits further away than this are not believed.
    """
    if math.isinf(wait.wait_s):
        said = Evidence("error event", wait.text)
        failure = rules.classify([said], now=now) or Failure(FailureKind.UNKNOWN, wait.text)
        told = f"{wait.text}; it would wait without end and was ended"
        return failure.with_text(told, f"inner retry: {failure.evidence}")
    wait_s = min(wait.wait_s, max_ahead.total_seconds())
    until = now + timedelta(seconds=wait_s)
    said = Evidence("error event", wait.text, resets_at=until)
    known = rules.classify([said], now=now, max_ahead=max_ahead)
    kind = FailureKind.RATE_LIMITED
    if known is not None and known.rule.closes_agent:
        kind = known.kind
    return Failure(
        kind=kind,
        message=f"{wait.text}; it would wait for {format_duration(wait_s)} by itself and was ended",
        evidence=f"inner retry: {known.evidence if known else 'it announced a long wait'}",
        retry_after_s=wait_s,
        resets_at=until,
    )
