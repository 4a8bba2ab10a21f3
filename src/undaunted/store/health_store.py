"""How each agent fares: its breaker and its figures, shared by every process on the file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import datetime

from sqlalchemy import delete, select

from undaunted.health_records import HealthKey, HealthRow
from undaunted.store.engine import Database
from undaunted.store.models import AgentHealthModel

__all__ = ["HealthStore"]


_FIELDS = tuple(f.name for f in fields(HealthRow))


class HealthStore:
    """The part of `Store` that keeps the agents' health."""

    _database: Database
    _clock_now: Callable[[], datetime]

    async def health(self) -> dict[HealthKey, HealthRow]:
        """Every row there is, in the order of the keys.

        Raises:
            StoreError: The file can't be read.
        """
        model = AgentHealthModel
        rows = select(model).order_by(model.agent, model.account, model.model)
        async with self._database.read() as session:
            return {
                HealthKey(row.agent, row.account, row.model): _row(row)
                for row in await session.scalars(rows)
            }

    @asynccontextmanager
    async def health_update(self, key: HealthKey) -> AsyncIterator[HealthRow]:
        """One transaction on one row: change what it yields, and it is written if it differs.

        Nobody else changes any row until the block ends, so keep it short, and write nothing else
        from within. An exception in the block changes nothing.

        Args:
            key: Whose row; a key without one begins with the defaults.

        Raises:
            StoreError: The file can't be written.
        """
        async with self._database.write() as session:
            identity = (key.agent, key.account, key.model)
            stored = await session.get(AgentHealthModel, identity, with_for_update=True)
            row = HealthRow() if stored is None else _row(stored)
            before = replace(row)
            yield row
            if row == before:
                return
            row.updated_at = self._clock_now()
            if stored is None:
                stored = AgentHealthModel(agent=key.agent, account=key.account, model=key.model)
                session.add(stored)
            for name in _FIELDS:
                setattr(stored, name, getattr(row, name))

    async def delete_health(self, agent: str | None = None, account: str | None = None) -> int:
        """Forgets the rows of `agent`, or of one login, or all, and returns how many there were.

        Raises:
            StoreError: The file can't be written.
        """
        doomed = delete(AgentHealthModel).returning(AgentHealthModel.agent)
        if agent is not None:
            doomed = doomed.where(AgentHealthModel.agent == agent)
        if account is not None:
            doomed = doomed.where(AgentHealthModel.account == account)
        async with self._database.write() as session:
            return len((await session.scalars(doomed)).all())


def _row(model: AgentHealthModel) -> HealthRow:
    return HealthRow(**{name: getattr(model, name) for name in _FIELDS})
