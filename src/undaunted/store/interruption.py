"""Finding the tasks whose process died, and saying so in their rows."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from undaunted.errors import ErrorCode
from undaunted.failures import KINDS, FailureKind
from undaunted.store.conversion import task_failure_model, task_record
from undaunted.store.engine import Database
from undaunted.store.models import TaskModel
from undaunted.store.records import TaskFailureRecord
from undaunted.store.run_lock import RunLock
from undaunted.tasks import FINAL_STATES, AttemptOutcome, TaskRecord, TaskState, check_transition

__all__ = ["sweep_interrupted"]

_KIND = FailureKind.INTERRUPTED
_ATTEMPT_MESSAGE = "the process that ran this attempt ended before the attempt did"
_TASK_MESSAGE = "the process that ran this task ended before the task did: run it again"


async def sweep_interrupted(database: Database, folder: Path, at: datetime) -> list[TaskRecord]:
    """Fails every unfinished task that no process runs; see `Store.sweep_interrupted`."""
    unfinished = select(TaskModel.id).where(TaskModel.state.not_in(FINAL_STATES))
    async with database.read() as session:
        ids = (await session.scalars(unfinished)).all()
    # Locks are looked at between two looks at the rows. A task that was seen unfinished, then
    # without an owner, and is *still* unfinished was left: an owner lets go after the final state.
    ownerless = [id_ for id_ in ids if not RunLock(folder, id_).is_held()]
    if not ownerless:
        return []
    left = unfinished.with_only_columns(TaskModel).where(TaskModel.id.in_(ownerless))
    async with database.write() as session:
        rows = await session.scalars(
            left.options(selectinload(TaskModel.attempts))
            .order_by(TaskModel.created_at, TaskModel.id)
            .with_for_update()
        )
        return [_fail(session, task, at) for task in rows]


def _fail(session: AsyncSession, task: TaskModel, at: datetime) -> TaskRecord:
    check_transition(task.state, TaskState.FAILED)
    for attempt in task.attempts:
        if attempt.outcome is None:
            # No duration: nobody saw when it ended.
            attempt.outcome = AttemptOutcome.INTERRUPTED
            attempt.kind = _KIND.value
            attempt.action = KINDS[_KIND].action.value
            attempt.message = _ATTEMPT_MESSAGE
    agents = [attempt.agent for attempt in task.attempts]
    task.state = TaskState.FAILED
    task.token = None  # No result is awaited any more.
    task.waiting_until = None
    task.finished_at = at
    task.switches = sum(a != b for a, b in pairwise(agents))
    task.error_kind = _KIND.value
    task.error_code = ErrorCode.TASK_EXECUTION_ERROR.value
    task.error_detail_code = "INTERRUPTED"
    task.error_message = _TASK_MESSAGE
    failure = TaskFailureRecord(
        task_id=task.id,
        error_message=_TASK_MESSAGE,
        attempted_agents=tuple(dict.fromkeys(agents)),
        duration_s=(at - task.created_at).total_seconds(),
        timestamp=at,
    )
    session.add(task_failure_model(failure))
    return task_record(task)
