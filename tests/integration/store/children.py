"""What other processes do to a store's folder, for the tests: `children.py ROLE FOLDER ARGUMENTS`.

A role prints one line when there is something to wait for, and ends
or goes on at a line on stdin where it says so.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from undaunted.health_records import HealthKey
from undaunted.store.run_lock import RunLock
from undaunted.store.store import Store
from undaunted.tasks import Attempt, AttemptOutcome, Task, TaskState


def now() -> datetime:
    return datetime.now(UTC)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (the parent reads it)


async def open_store(folder: Path) -> Store:
    return await Store.open(folder, clock_now=now)


async def one_task(store: Store, task_id: str) -> None:
    """A whole task, written as a runner writes it."""
    with RunLock(store.folder, task_id):
        await store.create_task(Task(prompt="x", id=task_id), created_at=now())
        await store.start_task(task_id, now())
        attempt = Attempt(1, "claude", "default", None, f"token-{task_id}", now(), "first")
        await store.open_attempt(task_id, attempt)
        await store.append_transcript(task_id, 1, [("stdout", b"x" * 4096)])
        async with store.health_update(HealthKey("claude", "default")) as row:
            row.attempts += 1
        ended = Attempt(
            1,
            "claude",
            "default",
            None,
            f"token-{task_id}",
            now(),
            "first",
            outcome=AttemptOutcome.SUCCEEDED,
        )
        if not await store.close_attempt(task_id, ended):
            raise AssertionError(f"the attempt of {task_id} was taken away")
        if not await store.finish_task(task_id, TaskState.SUCCEEDED, at=now(), content="done"):
            raise AssertionError(f"{task_id} was ended by somebody else")


async def run_tasks(folder: Path, name: str, tasks: str) -> None:
    """Runs tasks on one store."""
    async with await open_store(folder) as store:
        for n in range(int(tasks)):
            await one_task(store, f"{name}-{n}")


async def reopen(folder: Path, name: str, tasks: str) -> None:
    """Runs each task on a store opened for it alone: the last one to close removes the WAL."""
    for n in range(int(tasks)):
        await run_tasks(folder, f"{name}-{n}", "1")


def crowd(folder: Path, role: str, processes: str, tasks: str) -> None:
    """Has many processes play a role, all from the same moment on; fails if one of them fails.

    They are forked where everything is imported and nothing opened yet, so that they meet at the
    store and not one by one on their way there.
    """
    gate, opener = os.pipe()
    pids = []
    for n in range(int(processes)):
        if (pid := os.fork()) == 0:
            os.close(opener)
            os.read(gate, 1)  # returns when the last writer is gone: the parent opened the gate
            asyncio.run(ROLES[role](folder, f"p{n}", tasks))
            return
        pids.append(pid)
    os.close(opener)
    if any(os.waitpid(pid, 0)[1] for pid in pids):
        raise AssertionError("a process of the crowd failed")


async def sweep(folder: Path) -> None:
    """Sweeps until `go`, then says how many tasks it swept."""
    swept = 0
    async with await open_store(folder) as store:
        say("ready")
        go = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not go.done():
            swept += len(await store.sweep_interrupted(now()))
        swept += len(await store.sweep_interrupted(now()))
    say(str(swept))


async def hold(folder: Path, task_id: str) -> None:
    """Has a task in mid-attempt until it is killed."""
    async with await open_store(folder) as store:
        with RunLock(folder, task_id):
            await store.create_task(Task(prompt="x", id=task_id), created_at=now())
            await store.start_task(task_id, now())
            attempt = Attempt(1, "claude", "default", None, "token", now(), "first")
            await store.open_attempt(task_id, attempt)
            say("holding")
            await asyncio.to_thread(sys.stdin.readline)


async def open_only(folder: Path) -> None:
    """Opens a store and says which of the slow modules that took."""
    async with await open_store(folder):
        say(" ".join(name for name in ("alembic", "mako") if name in sys.modules))


ROLES = {role.__name__: role for role in (run_tasks, reopen, sweep, hold, open_only)}

if __name__ == "__main__":
    _, role, folder, *arguments = sys.argv
    if role == crowd.__name__:
        crowd(Path(folder), *arguments)
    else:
        asyncio.run(ROLES[role](Path(folder), *arguments))
