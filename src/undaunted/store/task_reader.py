"""Reading tasks: one, the newest, the failed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from undaunted.errors import NotFoundError
from undaunted.store.conversion import task_failure_record, task_record
from undaunted.store.engine import Database
from undaunted.store.models import TaskFailure, TaskModel
from undaunted.store.records import TaskFailureRecord
from undaunted.tasks import TaskRecord, TaskState

__all__ = ["MIN_PREFIX_CHARS", "TaskReader"]

# Shorter prefixes of a UUID soon stop being unique: four characters are 65,536 values.
MIN_PREFIX_CHARS = 4


class TaskReader:
    """The part of `Store` that reads tasks; every method raises StoreError for an unusable file."""

    _database: Database

    async def task(self, task_id: str) -> TaskRecord:
        """The task with exactly this id, its attempts in order.

        Raises:
            NotFoundError: There is none.
        """
        async with self._database.read() as session:
            found = await _records(session, _tasks().where(TaskModel.id == task_id))
        if not found:
            raise NotFoundError(f"there is no task {task_id}")
        return found[0]

    async def find_task(self, prefix: str) -> TaskRecord:
        """The task whose id is `prefix`, or else the only one whose id begins with it.

        Args:
            prefix: A whole id, or at least `MIN_PREFIX_CHARS` of its first characters.

        Raises:
            NotFoundError: None or several match (the text says how many), or it is too short.
        """
        begins: ColumnElement[bool] = func.substr(TaskModel.id, 1, len(prefix)) == prefix
        async with self._database.read() as session:
            exact = await _records(session, _tasks().where(TaskModel.id == prefix))
            if exact:
                return exact[0]
            if len(prefix) < MIN_PREFIX_CHARS:
                raise NotFoundError(
                    f"{prefix!r} is too short: give {MIN_PREFIX_CHARS} characters of the id or more"
                )
            matches = await session.scalar(
                select(func.count()).select_from(TaskModel).where(begins)
            )
            if matches != 1:
                raise NotFoundError(
                    f"{matches} tasks have an id that begins with {prefix!r}: give more of it"
                    if matches
                    else f"no task has an id that begins with {prefix!r}"
                )
            return (await _records(session, _tasks().where(begins)))[0]

    async def list_tasks(
        self,
        limit: int = 20,
        state: TaskState | None = None,
        before: tuple[datetime, str] | None = None,
    ) -> list[TaskRecord]:
        """The newest tasks, newest first; tasks of one instant are in the order of their ids.

        Args:
            limit: Most tasks to return, at least 1.
            state: Only tasks in this state.
            before: `(created_at, id)` of the last task of the page before: only what follows it.
        """
        place = tuple_(TaskModel.created_at, TaskModel.id)
        tasks = _tasks().order_by(TaskModel.created_at.desc(), TaskModel.id.desc()).limit(limit)
        if state is not None:
            tasks = tasks.where(TaskModel.state == state)
        if before is not None:
            tasks = tasks.where(place < before)
        async with self._database.read() as session:
            return await _records(session, tasks)

    async def task_failures(self, limit: int = 20) -> list[TaskFailureRecord]:
        """The newest records of failed tasks (S13), newest first, at most `limit`."""
        newest = (
            select(TaskFailure)
            .order_by(TaskFailure.timestamp.desc(), TaskFailure.id.desc())
            .limit(limit)
        )
        async with self._database.read() as session:
            return [task_failure_record(row) for row in await session.scalars(newest)]


def _tasks() -> Select[TaskModel]:
    return select(TaskModel).options(selectinload(TaskModel.attempts))


async def _records(session: AsyncSession, tasks: Select[TaskModel]) -> list[TaskRecord]:
    return [task_record(row) for row in await session.scalars(tasks)]
