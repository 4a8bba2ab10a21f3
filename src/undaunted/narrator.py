"""Tells listeners what happened to a task: one method a fact, called after it was written."""

from __future__ import annotations

from datetime import datetime, timedelta

from undaunted.agents.agent import Agent
from undaunted.course import Course, Visit
from undaunted.endings import Ending
from undaunted.events import (
    AgentChosen,
    AgentSkipped,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    BreakerOpened,
    InnerRetryNoticed,
    Listener,
    RetryScheduled,
    SlotAwaited,
    TaskAccepted,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
    WaitStarted,
)
from undaunted.failures import AttemptFailedError, Failure
from undaunted.resilience.retry import RetryEvent
from undaunted.routing import Skip
from undaunted.tasks import DEFAULT_ACCOUNT, Attempt, TaskState, split_key

__all__ = ["Narrator"]


class Narrator:
    """Makes the events of the flow.

    Args:
        emit: Gets each event.
    """

    def __init__(self, emit: Listener) -> None:
        self._emit = emit

    def accepted(self, course: Course, agents: tuple[str, ...]) -> None:
        """The task was written down."""
        task = course.task
        self._emit(
            TaskAccepted(
                at=course.created_at, task_id=task.id, prompt_chars=len(task.prompt), agents=agents
            )
        )

    def chosen(self, course: Course, visit: Visit, agent: Agent, before: str | None) -> None:
        """The flow turned to an agent, after `before`."""
        self._emit(
            AgentChosen(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=visit.agent,
                account=visit.account,
                model=visit.model,
                reason=visit.reason,
                permissions=course.task.permissions,
                permission_flags=agent.permission_flags(course.task.permissions),
                switched_from=before,
            )
        )

    def skipped(self, course: Course, skip: Skip) -> None:
        """An agent was passed over."""
        agent, account = split_key(skip.agent)
        self._emit(
            AgentSkipped(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=agent,
                account=account,
                reason=skip.reason,
                back_at=skip.back_at,
            )
        )

    def slot_awaited(self, course: Course, visit: Visit, slots: int) -> None:
        """All of the agent's slots are taken."""
        self._emit(
            SlotAwaited(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=visit.agent,
                account=visit.account,
                slots=slots,
            )
        )

    def attempt_started(
        self,
        course: Course,
        visit: Visit,
        attempt: Attempt,
        timeout_s: float,
        *,
        continues_session: bool,
    ) -> None:
        """An attempt's row was written."""
        self._emit(
            AttemptStarted(
                at=attempt.started_at,
                task_id=course.task.id,
                number=attempt.number,
                agent=attempt.agent,
                account=attempt.account,
                attempt_of_agent=visit.attempts,
                max_attempts=visit.max_attempts,
                timeout_s=timeout_s,
                continues_session=continues_session,
            )
        )

    def inner_retry(self, course: Course, attempt: Attempt, text: str) -> None:
        """The agent retried inside itself."""
        self._emit(
            InnerRetryNoticed(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=attempt.agent,
                account=attempt.account,
                number=attempt.number,
                text=text,
            )
        )

    def attempt_ended(self, course: Course, attempt: Attempt, failure: Failure | None) -> None:
        """An attempt's row was closed."""
        now = course.clock.now()
        duration_s = attempt.duration_s or 0.0
        if failure is None:
            self._emit(
                AttemptSucceeded(
                    at=now,
                    task_id=course.task.id,
                    number=attempt.number,
                    agent=attempt.agent,
                    account=attempt.account,
                    duration_s=duration_s,
                )
            )
            return
        self._emit(
            AttemptFailed(
                at=now,
                task_id=course.task.id,
                number=attempt.number,
                agent=attempt.agent,
                account=attempt.account,
                kind=str(failure.kind),
                action=attempt.action or "",
                severity=str(failure.severity),
                message=failure.message,
                duration_s=duration_s,
                exit_code=attempt.exit_code,
                resets_at=failure.resets_at,
            )
        )

    def retrying(self, course: Course, visit: Visit, event: RetryEvent) -> None:
        """The same agent is tried again after a wait."""
        now = course.clock.now()
        stated = event.retry_after_s is not None and event.delay_s <= event.retry_after_s
        error = event.error
        self._emit(
            RetryScheduled(
                at=now,
                task_id=course.task.id,
                agent=visit.agent,
                account=visit.account,
                kind=str(error.failure.kind) if isinstance(error, AttemptFailedError) else "",
                delay_s=event.delay_s,
                until=now + timedelta(seconds=event.delay_s),
                reason="the agent said when" if stated else "backoff with jitter",
            )
        )

    def breaker_opened(
        self, course: Course, visit: Visit, reason: str, until: datetime | None
    ) -> None:
        """The agent's circuit breaker opened."""
        self._emit(
            BreakerOpened(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=visit.agent,
                account=visit.account,
                model=visit.model,
                reason=reason,
                until=until,
            )
        )

    def waiting(self, course: Course, key: str, until: datetime) -> None:
        """Every agent is out; the task waits for the first to return."""
        agent, account = split_key(key)
        self._emit(
            WaitStarted(
                at=course.clock.now(),
                task_id=course.task.id,
                agent=agent,
                account=account,
                until=until,
            )
        )

    def ended(self, course: Course, ending: Ending, at: datetime) -> None:
        """The task reached its final state."""
        task_id = course.task.id
        if ending.state is TaskState.SUCCEEDED:
            self._emit(
                TaskSucceeded(
                    at=at,
                    task_id=task_id,
                    agent=ending.agent or "",
                    account=ending.account or DEFAULT_ACCOUNT,
                    attempts=len(course.attempts),
                    switches=course.switches,
                    duration_s=course.elapsed_s,
                )
            )
        elif ending.state is TaskState.CANCELLED:
            self._emit(TaskCancelled(at=at, task_id=task_id, reason=ending.message))
        else:
            self._emit(
                TaskFailed(
                    at=at,
                    task_id=task_id,
                    error=ending.message,
                    error_code=str(ending.code or ""),
                    attempted_agents=tuple(course.visited),
                    retry_after_s=ending.retry_after_s,
                )
            )
