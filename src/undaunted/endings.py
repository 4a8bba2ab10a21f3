"""How a task ends: its final state, and the error that says what happened and when to come back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from undaunted.agents.agent import AgentResult
from undaunted.course import Course, Visit
from undaunted.durations import format_duration
from undaunted.errors import ErrorCode
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import TaskState

__all__ = [
    "Ending",
    "all_failed",
    "cancelled",
    "deadline_passed",
    "failed",
    "internal_error",
    "succeeded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written down and told at the end of a task.

    Attributes:
        state: The final state.
        message: For a person; the error's, or why it was cancelled.
        agent: The agent whose answer counts; likewise its login, model and own session.
        account: See `agent`.
        model: See `agent`.
        agent_session_id: See `agent`.
        content: The answer, or with a failure what there is of one.
        kind: The kind of the failure that decided.
        code: `error_code` (S16).
        detail_code: `details.code` (S16).
        retry_after_s: Seconds until trying again makes sense, where known.
    """

    state: TaskState
    message: str = ""
    agent: str | None = None
    account: str | None = None
    model: str | None = None
    agent_session_id: str | None = None
    content: str | None = None
    kind: FailureKind | None = None
    code: ErrorCode | None = None
    detail_code: str | None = None
    retry_after_s: float | None = None


def succeeded(visit: Visit, result: AgentResult) -> Ending:
    """The task is done: by this agent, with this answer."""
    return Ending(
        state=TaskState.SUCCEEDED,
        agent=visit.agent,
        account=visit.account,
        model=result.model or visit.model,
        agent_session_id=result.agent_session_id,
        content=result.content,
    )


def failed(visit: Visit, failure: Failure) -> Ending:
    """The task fails on this failure: no other agent will help."""
    blamed = failure.kind is FailureKind.INVALID_REQUEST
    result = visit.result
    return Ending(
        state=TaskState.FAILED,
        message=f"{visit.key}: {failure.message}",
        agent=visit.agent,
        account=visit.account,
        model=(result.model if result else None) or visit.model,
        agent_session_id=result.agent_session_id if result else None,
        content=result.content if result else None,
        kind=failure.kind,
        code=ErrorCode.VALIDATION_ERROR if blamed else ErrorCode.TASK_EXECUTION_ERROR,
        detail_code="INVALID_PROMPT" if blamed else failure.kind.upper(),
    )


def all_failed(course: Course, back: tuple[str, datetime] | None) -> Ending:
    """No agent is left; each one's failure is in the message.

    Args:
        course: What was tried.
        back: The agent that is back first and when, where any says so.
    """
    told = [f"{name} {why}" for name, why in _last_words(course).items()]
    told += [f"{s.agent}: not tried: {s.reason}" for s in course.skips.values()]
    tried = bool(course.attempts)
    message = ("All agents failed: " if tried else "No agent is usable: ") + "; ".join(told)
    retry_after_s = None
    if back is not None:
        retry_after_s = max(0.0, (back[1] - course.clock.now()).total_seconds())
        message += f". {back[0]} is back in {format_duration(retry_after_s)}"
    kind = next((a.kind for a in reversed(course.attempts) if a.kind), None)
    return Ending(
        state=TaskState.FAILED,
        message=message,
        kind=FailureKind(kind) if kind else _kind_of_skips(course),
        code=ErrorCode.TASK_EXECUTION_ERROR if tried else ErrorCode.AGENT_UNAVAILABLE,
        detail_code="ALL_AGENTS_FAILED" if tried else "NO_AGENT_AVAILABLE",
        retry_after_s=retry_after_s,
    )


def deadline_passed(course: Course) -> Ending:
    """The deadline passed before an agent was done."""
    told = "; ".join(f"{name} {why}" for name, why in _last_words(course).items())
    limit = format_duration(course.task.deadline_s)
    return Ending(
        state=TaskState.FAILED,
        message=f"The deadline of {limit} passed" + (f": {told}" if told else ""),
        kind=FailureKind.TIMEOUT,
        code=ErrorCode.TASK_EXECUTION_ERROR,
        detail_code="DEADLINE_EXCEEDED",
    )


def cancelled() -> Ending:
    """The task was stopped from outside."""
    return Ending(state=TaskState.CANCELLED, message="cancelled", kind=FailureKind.CANCELLED)


def internal_error() -> Ending:
    """A fault of ours ended the task."""
    return Ending(
        state=TaskState.FAILED,
        message="An unexpected error inside undaunted ended the task",
        kind=FailureKind.UNKNOWN,
        code=ErrorCode.INTERNAL_ERROR,
        detail_code="UNEXPECTED_ERROR",
    )


def _kind_of_skips(course: Course) -> FailureKind:
    """Where nobody was tried: that an agent has to come back says more than that one is missing."""
    out = any(skip.back_at is not None for skip in course.skips.values())
    return FailureKind.RATE_LIMITED if out else FailureKind.NOT_INSTALLED


def _last_words(course: Course) -> dict[str, str]:
    """Per agent tried, in order: the kind and the words of its last failure."""
    words: dict[str, str] = {}
    for attempt in course.attempts:
        if attempt.kind is not None:
            words[attempt.agent_key] = f"({attempt.kind}): {attempt.message}"
    return words
