"""Who runs a task: the process that holds its lock. The kernel lets go of it at death.

A process id would say less: it can be anybody's a moment later.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from undaunted.errors import InvalidTaskError, StoreError
from undaunted.store.store_errors import file_error

__all__ = ["RunLock", "check_task_id"]

# The id becomes a file's name: no separators, nothing hidden, short enough for every file system.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def check_task_id(task_id: str) -> None:
    """Raises InvalidTaskError unless `task_id` can name a lock's file."""
    if _FILE_NAME.fullmatch(task_id) is None:
        raise InvalidTaskError(
            f"{task_id!r} can't be a task's id: begin with a letter or digit, go on with letters, "
            "digits, '.', '_' and '-', and stop at 200",
            field="id",
        )


class RunLock:
    """The right to run one task, from before its row is written until after its final state.

    In this order a task that is in no final state and whose lock is free has lost its process:
    there is no moment at which a living process's task looks like that. An id is run once, by
    whoever made it; what is run again is a new task.

        with RunLock(store.folder, task.id):
            await store.create_task(task, created_at=now)
            ...
            await store.finish_task(task.id, ...)

    Args:
        folder: The store's folder.
        task_id: The task, of which `check_task_id` approves.

    Raises:
        InvalidTaskError: The id can't be a file's name.
    """

    def __init__(self, folder: Path, task_id: str) -> None:
        check_task_id(task_id)
        self._task_id = task_id
        self._path = folder / "runs" / f"{task_id}.lock"
        # Not thread-local: whoever holds the object holds the lock.
        self._lock = FileLock(self._path, timeout=0, mode=0o600, thread_local=False)

    def acquire(self) -> None:
        """Takes the lock, or raises at once.

        Raises:
            StoreError: Somebody has it, or its file can't be made.
        """
        if not self._try_acquire():
            raise StoreError(f"the task {self._task_id} is being run already")

    def release(self) -> None:
        """Gives the lock back and removes its file; does nothing if it is not held."""
        if self._lock.is_locked:
            # Before the lock goes: afterwards the file could be someone else's.
            self._path.unlink(missing_ok=True)
            self._lock.release()

    def is_held(self) -> bool:
        """Whether anybody runs the task now, be it through this object.

        Raises:
            StoreError: The lock's file can't be opened.
        """
        if not self._path.exists():
            return False
        if not self._try_acquire():
            return True
        self.release()
        return False

    def _try_acquire(self) -> bool:
        if self._lock.is_locked:
            return False  # filelock would count a second hold, and the first release end nothing.
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise file_error(error, self._path) from error
        return True

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
