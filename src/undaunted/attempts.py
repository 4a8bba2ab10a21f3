"""One attempt: the row is written, the process runs, the row is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from undaunted.agents.agent import Agent, AgentRequest, AgentResult, RunNotice
from undaunted.course import Course, Visit
from undaunted.errors import AnswerNotRecordedError, StoreError
from undaunted.failures import AttemptFailedError, Failure, FailureKind
from undaunted.narrator import Narrator
from undaunted.redaction import Redactor
from undaunted.resilience.clock import Clock
from undaunted.resilience.errors import DeadlineExceededError
from undaunted.resilience.timeout import Timeout
from undaunted.store.store import Store
from undaunted.tasks import Attempt, AttemptOutcome, Task
from undaunted.transcripts import TranscriptRecorder
from undaunted.uninterrupted import uninterrupted

__all__ = ["ENDING_S", "AttemptRunner", "StaleAttemptError"]

# TERM, grace, KILL, and room for a slow machine; then the flow stops waiting.
ENDING_S = 30.0
"""Seconds that an agent gets beyond its own time limit to end its processes."""


class StaleAttemptError(RuntimeError):
    """The attempt's token is not the current one: somebody else has the task now."""


class AttemptRunner:
    """Runs attempts and keeps their rows.

    Args:
        store: Where rows and transcripts go.
        clock: Where time comes from.
        new_id: Gives a fresh UUID as text.
        redactor: Takes secrets out of what is kept.
        narrator: Tells of what happened.
        resume: Continue an agent's own session where it can.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: Callable[[], str],
        redactor: Redactor,
        narrator: Narrator,
        resume: bool = True,
    ) -> None:
        self._resume = resume
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._redactor = redactor
        self._narrator = narrator

    def transcript(self, task_id: str) -> TranscriptRecorder:
        """The recorder of a task's attempts, to be held open while they run."""
        return TranscriptRecorder(self._store, task_id, redactor=self._redactor)

    async def run(
        self,
        course: Course,
        visit: Visit,
        agent: Agent,
        *,
        untried: int,
        transcript: TranscriptRecorder,
    ) -> AgentResult:
        """Runs `agent` once for the task of `course`.

        Args:
            course: The task and what was tried.
            visit: The agent's turn.
            agent: The agent.
            untried: Agents that could still be tried, this one included; bounds the time.
            transcript: Where the output goes.

        Raises:
            AttemptFailedError: The attempt failed; its row says how.
            DeadlineExceededError: The deadline passed before it began; there is no row.
            AnswerNotRecordedError: It succeeded, but its row could not be written.
            StaleAttemptError: Somebody else has the task now; nothing was written.

        Cancellation: ends the agent's processes, closes the row, goes through.
        """
        if course.left_s <= 0:
            raise DeadlineExceededError("the deadline passed before the attempt")
        if visit.attempts == 0:
            course.begin(visit)
        visit.attempts += 1
        timeout_s = course.attempt_timeout_s(untried)
        session = course.sessions.get(visit.key) if agent.resumes and self._resume else None
        attempt = Attempt(
            number=len(course.attempts) + 1,
            agent=visit.agent,
            account=visit.account,
            model=visit.model,
            token=self._new_id(),
            started_at=self._clock.now(),
            reason_chosen=_reason(visit, session),
        )
        await self._store.open_attempt(course.task.id, attempt)
        self._narrator.attempt_started(
            course, visit, attempt, timeout_s, continues_session=session is not None
        )
        began_s = self._clock.monotonic()
        try:
            request = self._request(course.task, visit, attempt, timeout_s, session)
            result = await self._run_agent(course, agent, attempt, request, transcript)
        except BaseException as error:
            # Ours or a cancellation: the row must not stay open, and it is raised again.
            outcome = (
                AttemptOutcome.CANCELLED
                if isinstance(error, asyncio.CancelledError)
                else AttemptOutcome.INTERRUPTED
            )
            closed = replace(attempt, outcome=outcome, duration_s=self._clock.monotonic() - began_s)
            course.attempts.append(closed)
            with contextlib.suppress(StoreError):  # closed with the task, or by the next command
                await uninterrupted(self._store.close_attempt(course.task.id, closed))
            raise
        return await self._close(course, visit, attempt, result, began_s)

    def _request(
        self, task: Task, visit: Visit, attempt: Attempt, timeout_s: float, session: str | None
    ) -> AgentRequest:
        return AgentRequest(
            prompt=task.prompt,
            cwd=task.cwd or "",
            permissions=task.permissions,
            model=visit.model,
            extra_args=task.agent_args.get("", ()) + task.agent_args.get(visit.agent, ()),
            env_names=task.env_names,
            agent_session_id=self._new_id(),
            token=attempt.token,
            timeout_s=timeout_s,
            idle_timeout_s=task.idle_timeout_s,
            resume_session_id=session,
            longest_wait_s=visit.retry_cap_s,
        )

    async def _run_agent(
        self,
        course: Course,
        agent: Agent,
        attempt: Attempt,
        request: AgentRequest,
        transcript: TranscriptRecorder,
    ) -> AgentResult:
        def notify(notice: RunNotice) -> None:
            if notice.kind in {"inner_retry", "session_lost"}:
                self._narrator.inner_retry(course, attempt, self._redactor.text(notice.text))

        try:
            return await Timeout(request.timeout_s + ENDING_S, clock=self._clock).call(
                agent.run, request, sink=transcript.attempt(attempt.number), notify=notify
            )
        except TimeoutError:
            # The agent's own limits come first; this one holds for an agent without any.
            message = f"not done after {request.timeout_s:g} s, and did not end by itself"
            return AgentResult(None, Failure(FailureKind.TIMEOUT, message, "undaunted: limit"))

    async def _close(
        self,
        course: Course,
        visit: Visit,
        attempt: Attempt,
        result: AgentResult,
        began_s: float,
    ) -> AgentResult:
        if result.failure is not None:
            course.keep_session(visit, result.failure, result.agent_session_id)
        result = self._redacted(result)
        failure = result.failure
        visit.result = result
        if failure is not None:
            visit.failures.append(failure)
        closed = replace(
            attempt,
            duration_s=self._clock.monotonic() - began_s,
            outcome=AttemptOutcome.FAILED if failure else AttemptOutcome.SUCCEEDED,
            model=result.model or attempt.model,
            kind=str(failure.kind) if failure else None,
            action=str(visit.next_action(failure)) if failure else "done",
            message=failure.message if failure else None,
            evidence=failure.evidence if failure else None,
            exit_code=result.exit_code,
            retry_after_s=failure.retry_after_s if failure else None,
            resets_at=failure.resets_at if failure else None,
            inner_retries=result.inner_retries,
            permission_denials=result.permission_denials,
            usage=result.usage,
            cost_usd=result.cost_usd,
            agent_session_id=result.agent_session_id,
            command=result.command,
        )
        course.attempts.append(closed)
        try:
            current = await self._store.close_attempt(course.task.id, closed)
        except StoreError as error:
            if failure is None and result.content is not None:
                raise AnswerNotRecordedError(str(error), content=result.content) from error
            raise
        if not current:
            raise StaleAttemptError(f"task {course.task.id} was taken over by another worker")
        self._narrator.attempt_ended(course, closed, failure)
        if failure is not None:
            raise AttemptFailedError(failure)
        return result

    def _redacted(self, result: AgentResult) -> AgentResult:
        clean = self._redactor
        failure = result.failure
        if failure is not None:
            failure = failure.with_text(clean.text(failure.message), clean.text(failure.evidence))
        return replace(
            result,
            failure=failure,
            content=None if result.content is None else clean.answer(result.content),
            agent_session_id=result.agent_session_id and clean.text(result.agent_session_id),
            model=result.model and clean.text(result.model),
            command=tuple(clean.text(part) for part in result.command),
            permission_denials=tuple(
                replace(d, tool=clean.text(d.tool), detail=clean.text(d.detail))
                for d in result.permission_denials
            ),
        )


def _reason(visit: Visit, session: str | None) -> str:
    reason = visit.reason if visit.attempts == 1 else f"attempt {visit.attempts}"
    return f"{reason}; continues its session" if session else reason
