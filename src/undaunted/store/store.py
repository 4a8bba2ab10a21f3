"""The store: one folder, one file, everything that must survive the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from undaunted.store.engine import BUSY_TIMEOUT_S, Database
from undaunted.store.health_store import HealthStore
from undaunted.store.interruption import sweep_interrupted
from undaunted.store.key_store import KeyStore
from undaunted.store.store_errors import file_error
from undaunted.store.task_reader import TaskReader
from undaunted.store.task_store import TaskStore
from undaunted.store.transcript_store import TranscriptStore
from undaunted.store.upgrade import is_current, upgrade
from undaunted.tasks import TaskRecord

__all__ = ["FILE_NAME", "Store"]

FILE_NAME = "undaunted.db"


class Store(TaskReader, TaskStore, HealthStore, KeyStore, TranscriptStore):
    """Tasks, attempts, failures, agents' health, keys and transcripts, in one SQLite file.

    Concurrency: any number of processes and coroutines may use one file at once; none of them
    sees a change half made.
    """

    def __init__(
        self, folder: Path, database: Database, *, clock_now: Callable[[], datetime]
    ) -> None:
        """For `open`."""
        self.folder = folder
        self._database = database
        self._clock_now = clock_now

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        clock_now: Callable[[], datetime],
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Opens the store in `folder`, made or brought up to date where needed.

        A folder that is made here is the person's alone (0700), and so is the file (0600), since
        prompts and answers are in it. A folder that was there keeps its mode: it may be shared.

        Args:
            folder: Where the file is.
            clock_now: Gives the present instant, aware.
            busy_timeout_s: Longest wait for other processes' writes, in seconds.

        Raises:
            StoreError: It can't be used; the text says what, where and what to do.
            StoreTooNewError: A newer undaunted wrote it.
        """
        path = folder / FILE_NAME
        _create(path)
        database = Database(path, busy_timeout_s=busy_timeout_s)
        try:
            if not await is_current(database):
                await database.aclose()
                await asyncio.to_thread(upgrade, path, busy_timeout_s=busy_timeout_s)
        except BaseException:  # whatever it was, it is raised again; connections end here
            await database.aclose()
            raise
        return cls(folder, database, clock_now=clock_now)

    async def sweep_interrupted(self, at: datetime) -> list[TaskRecord]:
        """Fails every unfinished task that no process runs, and returns them, oldest first.

        Open attempts end as `interrupted`; the task fails with that kind and a record of the
        failure (S13). A task whose process lives is never touched, whatever it is doing, as long
        as that process keeps the order that `RunLock` describes.

        Args:
            at: When the tasks are said to have ended; when they did, nobody saw.
        """
        return await sweep_interrupted(self._database, self.folder, at)

    async def aclose(self) -> None:
        """Closes the file. The store must not be used afterwards."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise file_error(error, path) from error
