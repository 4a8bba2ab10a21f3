"""Opening a store: what is made, what is refused, and what the refusal says."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undaunted.errors import StoreError
from undaunted.store.store import FILE_NAME, Store
from undaunted.tasks import Task


def now() -> datetime:
    return datetime.now(UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.iterdir()}


async def test_what_is_made_is_the_persons_alone(tmp_path: Path) -> None:
    """The folder is 0700 and every file in it 0600, even with the loosest umask."""
    umask = os.umask(0)
    try:
        async with await Store.open(tmp_path / "a" / "data", clock_now=now) as store:
            await store.create_task(Task(prompt="secret"), created_at=now())
            made = modes(store.folder)
    finally:
        os.umask(umask)
    assert mode(tmp_path / "a" / "data") == 0o700
    assert {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"} <= made.keys()
    assert set(made.values()) == {0o600}


async def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """Somebody else's folder is not closed to them, but the file still is."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    async with await Store.open(shared, clock_now=now):
        assert mode(shared) == 0o755
        assert mode(shared / FILE_NAME) == 0o600


async def test_a_name_of_any_kind_is_a_folder(tmp_path: Path) -> None:
    """Characters that mean something in a URL or a template are plain in a path."""
    folder = tmp_path / "100% ünïcode? #1 & 'more'"
    async with await Store.open(folder, clock_now=now) as store:
        await store.create_task(Task(prompt="x", id="kept"), created_at=now())
    assert modes(tmp_path) == {folder.name: 0o700}
    async with await Store.open(folder, clock_now=now) as store:
        assert (await store.task("kept")).task.prompt == "x"


def test_a_current_file_is_opened_without_alembic(start_child, tmp_path: Path) -> None:
    """Only the first opening pays for the import of the migrations' tools."""
    first, _ = start_child("open_only", tmp_path / "data").communicate()
    second, _ = start_child("open_only", tmp_path / "data").communicate()
    assert (first, second) == ("alembic mako\n", "\n")


async def test_commits_are_synchronous_and_readers_do_not_wait(tmp_path: Path) -> None:
    """synchronous=FULL (2), WAL and foreign keys hold on every connection."""
    expected = {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}
    async with (
        await Store.open(tmp_path, clock_now=now) as store,
        store._database.read() as one,
        store._database.write() as two,
    ):
        for session in (one, two):
            connection = await session.connection()
            for pragma, value in expected.items():
                got = await connection.exec_driver_sql(f"PRAGMA {pragma}")
                assert (pragma, got.scalar()) == (pragma, value)


async def test_something_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The error names the file and says to move it away."""
    path = tmp_path / FILE_NAME
    path.write_text("dear diary, " * 1000)
    with pytest.raises(StoreError, match=r"not a database.*move it away") as caught:
        await Store.open(tmp_path, clock_now=now)
    assert str(path) in str(caught.value)
    assert path.read_text() == "dear diary, " * 1000


async def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    """A file in the folder's place is named, and what to do."""
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="UNDAUNTED_DATA_DIR") as caught:
        await Store.open(tmp_path / "data", clock_now=now)
    assert str(tmp_path / "data") in str(caught.value)


async def test_a_file_that_is_a_folder_is_said(tmp_path: Path) -> None:
    """A folder in the file's place is named."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError, match="Is a directory") as caught:
        await Store.open(tmp_path, clock_now=now)
    assert str(tmp_path / FILE_NAME) in str(caught.value)


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """The test goes on as a user who may read `tmp_path` but not write it."""
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    yield
    os.seteuid(0)
    tmp_path.chmod(0o755)


@pytest.mark.needs("root")
@pytest.mark.parametrize("name", [".", "data"])
async def test_a_folder_one_may_not_write_is_said(tmp_path: Path, nobody: None, name: str) -> None:
    """Without the right to write, the error says whose the file and folder should be."""
    with pytest.raises(StoreError, match="make the file and its folder yours"):
        await Store.open(tmp_path / name, clock_now=now)


async def test_a_locked_file_is_waited_for_and_then_said_to_be_locked(tmp_path: Path) -> None:
    """A write that outlasts the patience is an error that names the cause, and loses nothing."""
    async with await Store.open(tmp_path, clock_now=now, busy_timeout_s=0.05) as store:
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process keeps it locked"):
                await store.create_task(Task(prompt="x"), created_at=now())
            assert await store.list_tasks() == [], "readers don't wait for a writer"
            other.execute("ROLLBACK")
        await store.create_task(Task(prompt="x", id="after"), created_at=now())
        assert [r.task.id for r in await store.list_tasks()] == ["after"]


async def test_writers_of_one_process_go_in_the_order_of_their_coming(tmp_path: Path) -> None:
    """No coroutine is overtaken by one that came later, however many there are."""
    done: list[int] = []
    async with await Store.open(tmp_path, clock_now=now) as store:

        async def write(n: int) -> None:
            await store.create_task(Task(prompt="x"), created_at=now())
            done.append(n)

        await asyncio.gather(*(write(n) for n in range(40)))
    assert done == list(range(40))


async def test_a_cancelled_write_leaves_the_file_free(tmp_path: Path) -> None:
    """A write cancelled while it waits for its turn, or in the middle, blocks nobody after it."""
    async with await Store.open(tmp_path, clock_now=now) as store:
        inside = asyncio.Event()

        async def never_ends() -> None:
            async with store._database.write() as session:
                await session.connection()
                inside.set()
                await asyncio.Event().wait()

        writer = asyncio.create_task(never_ends())
        await inside.wait()
        waiter = asyncio.create_task(store.create_task(Task(prompt="x"), created_at=now()))
        for task in (waiter, writer):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with closing(sqlite3.connect(tmp_path / FILE_NAME, timeout=0, isolation_level=None)) as c:
            c.execute("BEGIN IMMEDIATE")
            c.execute("ROLLBACK")
        await store.create_task(Task(prompt="x", id="after"), created_at=now())
        assert [r.task.id for r in await store.list_tasks()] == ["after"]


async def test_writes_cancelled_anywhere_leave_the_file_whole(tmp_path: Path) -> None:
    """Cancelled after any number of the loop's steps, a write is whole or not there at all."""
    async with await Store.open(tmp_path, clock_now=now) as store:
        for steps in range(40):
            task_id = f"task-{steps}"
            write = asyncio.create_task(
                store.create_task(Task(prompt="x", id=task_id), created_at=now())
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)
            await store.create_task(Task(prompt="x", id=f"{task_id}-next"), created_at=now())
        ids = {record.task.id for record in await store.list_tasks(limit=1000)}
        assert {f"task-{steps}-next" for steps in range(40)} <= ids
