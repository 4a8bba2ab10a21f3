"""Between the records of `undaunted.tasks` and rows.

Columns bear the names of the records' fields, so a field that is added is carried without a word
here. The exceptions are written out.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from undaunted.store.models import AttemptModel, TaskFailure, TaskModel
from undaunted.store.records import TaskFailureRecord
from undaunted.tasks import Attempt, PermissionDenial, Task, TaskRecord, Usage

__all__ = [
    "attempt_columns",
    "task_columns",
    "task_failure_model",
    "task_failure_record",
    "task_record",
]

# A task's number of attempts is a setting, its attempts are rows: in the table, one has to yield.
_TASK_FIELDS = tuple(f.name for f in fields(Task) if f.name != "attempts")
_RECORD_FIELDS = tuple(f.name for f in fields(TaskRecord) if f.name not in {"task", "attempts"})
_ATTEMPT_FIELDS = tuple(f.name for f in fields(Attempt))


def task_columns(task: Task) -> dict[str, Any]:
    """The columns that say what is to be done."""
    return {name: getattr(task, name) for name in _TASK_FIELDS} | {"max_attempts": task.attempts}


def task_record(row: TaskModel) -> TaskRecord:
    """The record of a task whose attempts were loaded with it."""
    task = {name: getattr(row, name) for name in _TASK_FIELDS} | {
        "agents": tuple(row.agents),
        "agent_args": {agent: tuple(args) for agent, args in row.agent_args.items()},
        "env_names": tuple(row.env_names),
        "attempts": row.max_attempts,
    }
    return TaskRecord(
        task=Task(**task),
        attempts=tuple(_attempt(attempt) for attempt in row.attempts),
        **{name: getattr(row, name) for name in _RECORD_FIELDS},
    )


def attempt_columns(attempt: Attempt) -> dict[str, Any]:
    """The columns of an attempt, without its task."""
    return {name: getattr(attempt, name) for name in _ATTEMPT_FIELDS} | {
        "permission_denials": [asdict(denial) for denial in attempt.permission_denials],
        "usage": None if attempt.usage is None else asdict(attempt.usage),
        "command": list(attempt.command),
    }


def _attempt(row: AttemptModel) -> Attempt:
    columns = {name: getattr(row, name) for name in _ATTEMPT_FIELDS} | {
        "permission_denials": tuple(PermissionDenial(**each) for each in row.permission_denials),
        "usage": None if row.usage is None else Usage(**row.usage),
        "command": tuple(row.command),
    }
    return Attempt(**columns)


def task_failure_model(record: TaskFailureRecord) -> TaskFailure:
    """The row of a failed task (S13)."""
    return TaskFailure(
        id=record.id,
        task_id=record.task_id,
        error_message=record.error_message,
        attempted_agents=",".join(record.attempted_agents),
        duration=record.duration_s,
        timestamp=record.timestamp,
    )


def task_failure_record(row: TaskFailure) -> TaskFailureRecord:
    """The record of a failed task's row."""
    return TaskFailureRecord(
        id=row.id,
        task_id=row.task_id,
        error_message=row.error_message,
        attempted_agents=tuple(row.attempted_agents.split(",")) if row.attempted_agents else (),
        duration_s=row.duration,
        timestamp=row.timestamp,
    )
