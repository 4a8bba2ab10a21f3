"""A process that writes to a store until it is killed or the disk is full, for the tests.

`store_writer.py ROLE FOLDER`; it prints a task's id once the task is accepted.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from undaunted.errors import StoreError
from undaunted.store.store import Store
from undaunted.tasks import Task


def now() -> datetime:
    return datetime.now(UTC)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (the parent reads it)


async def accept(store: Store, name: str) -> None:
    await store.create_task(Task(prompt=name * 5_000, id=name), created_at=now())
    say(name)


async def endless(folder: Path) -> None:
    """Accepts tasks for ever."""
    async with await Store.open(folder, clock_now=now) as store:
        for n in count():
            await accept(store, f"task-{n}")


async def fill(folder: Path) -> None:
    """Accepts tasks until that fails; says why; goes on at a line on stdin."""
    async with await Store.open(folder, clock_now=now) as store:
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        try:
            for n in count():
                await accept(store, f"task-{n}")
        except StoreError as error:
            say(f"failed: {error}")
        await asyncio.to_thread(sys.stdin.readline)
        await accept(store, "after")


if __name__ == "__main__":
    asyncio.run({"endless": endless, "fill": fill}[sys.argv[1]](Path(sys.argv[2])))
