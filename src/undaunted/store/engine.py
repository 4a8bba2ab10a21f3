"""One SQLite file, opened by any number of processes at once.

Why nothing here meets "database is locked": a writer says so from the start (BEGIN IMMEDIATE) and
queues for its turn in SQLite's busy handler. A plain BEGIN takes the write lock at its first write,
and if another process wrote in between, SQLite fails it at once and no waiting helps, since its
snapshot is stale (https://www.sqlite.org/isolation.html). Readers never wait: the file is in WAL
mode. `upgrade` sets that once, under its lock, since the switch itself ignores the busy handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from undaunted.store.store_errors import database_error

__all__ = ["BUSY_TIMEOUT_S", "Database", "migration_engine"]

# How long a writer waits for the others, in seconds. A transaction here takes milliseconds; half a
# minute is a stopped process or a failing disk, and then a person should hear of it.
BUSY_TIMEOUT_S = 30.0

# What was committed survives a power loss, not only a kill: NORMAL in WAL mode would lose the last
# commits.
_SYNCHRONOUS = "synchronous=FULL"

_WRITES = "undaunted_writes"


class Database:
    """Transactions on the file at `path`, which must exist and be up to date.

    Concurrency: any number of reads; one write at a time in this process, in order of arrival.

    Args:
        path: The SQLite file.
        busy_timeout_s: Longest wait for other processes' writes, in seconds.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            connect_args=_connect_args(busy_timeout_s),
        )
        _prepare(self._engine.sync_engine, _SYNCHRONOUS, "foreign_keys=ON")
        self._readers = async_sessionmaker(self._engine, expire_on_commit=False)
        self._writers = async_sessionmaker(
            self._engine.execution_options(**{_WRITES: True}), expire_on_commit=False
        )
        # The busy handler polls, up to 100 ms apart and in no order. Coroutines of one process
        # need not: they queue here, first come, first served.
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment of the file.

        Raises:
            StoreError: The file can't be read.
        """
        try:
            async with self._readers.begin() as session:
                yield session
        except DBAPIError as error:
            raise database_error(error, self.path) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are on the disk when the block ends, or not made at all.

        Cancellation: rolls back, unless the commit was already on its way.

        Raises:
            StoreError: The file can't be written.
            RuntimeError: This task is inside a write already, and would wait for itself.
        """
        if self._writer is not None and self._writer is asyncio.current_task():
            raise RuntimeError("a write can't start inside another write of the same task")
        async with self._turn:
            self._writer = asyncio.current_task()
            try:
                async with self._writers.begin() as session:
                    yield session
            except DBAPIError as error:
                raise database_error(error, self.path) from error
            finally:
                self._writer = None

    async def aclose(self) -> None:
        """Closes every connection; a later use opens new ones."""
        await self._engine.dispose()


def migration_engine(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """A blocking engine for one upgrade of the file at `path`; switches it to WAL mode.

    Foreign keys are off: SQLite changes a table by building a new one and dropping the old, which
    with foreign keys on would delete every row that refers to it.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args=_connect_args(busy_timeout_s),
        poolclass=NullPool,
        execution_options={_WRITES: True},
    )
    _prepare(engine, "journal_mode=WAL", _SYNCHRONOUS, "foreign_keys=OFF")
    return engine


def _connect_args(busy_timeout_s: float) -> dict[str, object]:
    # isolation_level None: the driver never begins a transaction of its own, `begin` below does.
    return {"timeout": busy_timeout_s, "isolation_level": None}


def _prepare(engine: Engine, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
