"""Changing tasks and attempts: one transaction a change, guarded by state and token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from undaunted.errors import InvalidTaskError, NotFoundError
from undaunted.store.conversion import attempt_columns, task_columns, task_failure_model
from undaunted.store.engine import Database
from undaunted.store.models import AttemptModel, TaskModel
from undaunted.store.records import TaskFailureRecord
from undaunted.store.run_lock import check_task_id
from undaunted.store.types import is_well_formed
from undaunted.tasks import (
    FINAL_STATES,
    Attempt,
    AttemptOutcome,
    IllegalTransitionError,
    Task,
    TaskState,
    check_transition,
)

__all__ = ["TaskStore"]


class TaskStore:
    """The part of `Store` that changes tasks.

    Every method is one transaction, done when it returns, and raises StoreError for an unusable
    file, NotFoundError for an unknown task, and IllegalTransitionError for a change of state that
    the table of `undaunted.tasks` does not have.
    """

    _database: Database

    async def create_task(self, task: Task, *, created_at: datetime) -> None:
        """Writes a new task down as queued: from here on it is not lost.

        A process that runs the task itself takes its `RunLock` first: a task without an owner is
        taken for the remains of a dead process by `Store.sweep_interrupted`.

        Raises:
            InvalidTaskError: A task with this id exists, the id is none (`check_task_id`), or the
                prompt or working directory holds bytes that were no UTF-8.
        """
        check_task_id(task.id)
        for field, text in (("prompt", task.prompt), ("cwd", task.cwd or "")):
            # Replaced, it would be another prompt or another folder.
            if not is_well_formed(text):
                raise InvalidTaskError(
                    f"the {field} is not Unicode text: {text!r:.80}", field=field
                )
        check_transition(None, TaskState.QUEUED)
        async with self._database.write() as session:
            if await session.get(TaskModel, task.id) is not None:
                raise InvalidTaskError(f"a task with the id {task.id} exists", field="id")
            session.add(
                TaskModel(**task_columns(task), state=TaskState.QUEUED, created_at=created_at)
            )

    async def start_task(self, task_id: str, at: datetime) -> None:
        """Queued becomes running; `started_at` keeps the first start."""
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            _move(task, TaskState.RUNNING)
            task.started_at = task.started_at or at

    async def set_waiting(self, task_id: str, until: datetime) -> None:
        """Running becomes waiting: every agent is out until `until`."""
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            _move(task, TaskState.WAITING)
            task.waiting_until = until

    async def resume_waiting(self, task_id: str) -> None:
        """Waiting becomes queued and then running, for the process that waited itself.

        Both steps are one transaction, so that nobody else finds the task queued between them.
        """
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            if task.state is not TaskState.WAITING:
                # Running may become queued too (a worker that drains): that is not this step.
                raise IllegalTransitionError(f"a task that is {task.state} waits for nobody")
            _move(task, TaskState.QUEUED)
            _move(task, TaskState.RUNNING)

    async def finish_task(
        self,
        task_id: str,
        state: TaskState,
        *,
        at: datetime,
        agent: str | None = None,
        account: str | None = None,
        model: str | None = None,
        content: str | None = None,
        agent_session_id: str | None = None,
        switches: int = 0,
        error_kind: str | None = None,
        error_code: str | None = None,
        error_detail_code: str | None = None,
        error_message: str | None = None,
        retry_after_s: float | None = None,
        failure: TaskFailureRecord | None = None,
        close_attempts: bool = False,
    ) -> bool:
        """Gives the task its one final state, with what came of it.

        Args:
            task_id: Which task.
            state: Succeeded, failed or cancelled.
            at: When it ended.
            agent: Whose answer it is; likewise `account`, `model`, `content`, `agent_session_id`.
            account: See `agent`.
            model: See `agent`.
            content: See `agent`.
            agent_session_id: See `agent`.
            switches: Changes of agent on the way.
            error_kind: Why it failed; likewise the other `error_` arguments.
            error_code: See `error_kind`.
            error_detail_code: See `error_kind`.
            error_message: See `error_kind`.
            retry_after_s: Seconds until another try makes sense, where known.
            failure: The record of the failure (S13), written in the same transaction.
            close_attempts: Whoever runs the attempts ends the task: one that is still open (it was
                cut off as its row was written) is closed with it.

        Returns:
            False, and nothing is written, if the task has a final state already.
        """
        if state not in FINAL_STATES:
            raise IllegalTransitionError(f"{state} is no final state")
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            if task.state in FINAL_STATES:
                return False
            _move(task, state)
            if close_attempts:
                await _close_open_attempts(session, task_id, state)
            task.finished_at = at
            task.agent, task.account, task.model = agent, account, model
            task.content, task.agent_session_id = content, agent_session_id
            task.switches = switches
            task.error_kind, task.error_message = error_kind, error_message
            task.error_code, task.error_detail_code = error_code, error_detail_code
            task.retry_after_s = retry_after_s
            if failure is not None:
                session.add(task_failure_model(failure))
            return True

    async def open_attempt(self, task_id: str, attempt: Attempt) -> None:
        """Writes an attempt down before its process starts, and makes its token the current one.

        Raises:
            IllegalTransitionError: The task is not running: it was cancelled or given up, and no
                process may start for it.
        """
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            if task.state is not TaskState.RUNNING:
                raise IllegalTransitionError(f"a task that is {task.state} takes no attempt")
            task.token = attempt.token
            session.add(AttemptModel(task_id=task_id, **attempt_columns(attempt)))

    async def close_attempt(self, task_id: str, attempt: Attempt) -> bool:
        """Writes how an attempt ended, if its result still counts.

        Returns:
            False, and nothing is written, if another attempt has begun since, the task was given
            up as interrupted, or the attempt is closed already.
        """
        async with self._database.write() as session:
            task = await _locked(session, task_id)
            row = await session.get(AttemptModel, (task_id, attempt.number))
            if row is None or row.outcome is not None:
                return False
            if not attempt.token == row.token == task.token:
                return False
            for column, value in attempt_columns(attempt).items():
                setattr(row, column, value)
            return True


async def _locked(session: AsyncSession, task_id: str) -> TaskModel:
    # FOR UPDATE is for PostgreSQL; on SQLite the transaction holds the only write lock there is.
    task = await session.get(TaskModel, task_id, with_for_update=True)
    if task is None:
        raise NotFoundError(f"there is no task {task_id}")
    return task


async def _close_open_attempts(session: AsyncSession, task_id: str, state: TaskState) -> None:
    cancelled = state is TaskState.CANCELLED
    outcome = AttemptOutcome.CANCELLED if cancelled else AttemptOutcome.INTERRUPTED
    await session.execute(
        update(AttemptModel)
        .where(AttemptModel.task_id == task_id, AttemptModel.outcome.is_(None))
        .values(outcome=outcome)
    )


def _move(task: TaskModel, state: TaskState) -> None:
    check_transition(task.state, state)
    task.state = state
    task.waiting_until = None
