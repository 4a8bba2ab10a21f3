"""What a recorded run, or a single message of an agent, means: its kind and what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from undaunted.agents.reader import Ending, OutputReader
from undaunted.events import iso
from undaunted.failures import Action, Failure

__all__ = ["Explanation", "explain_message", "explain_run"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an end means. `kind` is `success` for an answer; then `action` is `done`."""

    kind: str
    action: str
    retry_after_s: float | None = None
    resets_at: datetime | None = None
    counts_for_breaker: bool = False
    message: str = ""
    evidence: str = ""

    def to_dict(self) -> Mapping[str, object]:
        """JSON-ready values, in the documented order."""
        return {
            "kind": self.kind,
            "action": self.action,
            "retry_after_s": self.retry_after_s,
            "resets_at": iso(self.resets_at) if self.resets_at else None,
            "counts_for_breaker": self.counts_for_breaker,
            "message": self.message,
            "evidence": self.evidence,
        }


def explain_run(
    reader: Callable[[], OutputReader],
    ending: Ending,
    *,
    retry_cap_s: float,
    now: datetime,
    tz: tzinfo | None = None,
) -> Explanation:
    """What a run that was recorded means.

    Args:
        reader: Makes a fresh reader of the agent's output.
        ending: Exit code and outputs.
        retry_cap_s: Longest stated wait that a retry sleeps through, in seconds.
        now: When it ended; aware.
        tz: The zone of times that name none; None is this machine's.
    """
    reading = reader()
    for line in ending.stdout.splitlines():
        reading.feed(line.encode("utf-8", errors="replace"))
    for line in ending.stderr.splitlines():
        reading.feed_stderr(line.encode("utf-8", errors="replace"))
    result = reading.conclude(ending, now=now, tz=tz)
    if result.failure is None:
        return Explanation("success", str(Action.DONE), message=result.content or "")
    return _explained(result.failure, retry_cap_s)


def explain_message(
    reader: Callable[[], OutputReader],
    message: str,
    *,
    retry_cap_s: float,
    now: datetime,
    tz: tzinfo | None = None,
) -> Explanation:
    """What a message means, taken as all that a failed run said; arguments as `explain_run`."""
    said = Ending(exit_code=1, stdout=message, text_mode=True)
    return explain_run(reader, said, retry_cap_s=retry_cap_s, now=now, tz=tz)


def _explained(failure: Failure, retry_cap_s: float) -> Explanation:
    return Explanation(
        kind=str(failure.kind),
        action=str(failure.action_within(retry_cap_s)),
        retry_after_s=failure.retry_after_s,
        resets_at=failure.resets_at,
        counts_for_breaker=failure.counts_for_breaker,
        message=failure.message,
        evidence=failure.evidence,
    )
