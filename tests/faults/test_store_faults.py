"""The store when its process is killed and when its disk is full."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from small_disk import small_disk as mounted_disk
from undaunted.store.store import FILE_NAME, Store

Start = Callable[[str, Path], "subprocess.Popen[str]"]

_MIB = 1024 * 1024


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def start_writer() -> Iterator[Start]:
    """Starts `store_writer.py` in a role; what still lives at the end of the test is killed."""
    writers: list[subprocess.Popen[str]] = []

    def start(role: str, folder: Path) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("store_writer.py")
        writer = subprocess.Popen(
            [sys.executable, str(script), role, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        writers.append(writer)
        return writer

    yield start
    for writer in writers:
        writer.kill()
        writer.communicate()


async def held(folder: Path) -> dict[str, str]:
    """The prompts of the tasks in a file that has to be whole."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    async with await Store.open(folder, clock_now=now) as store:
        return {r.task.id: r.task.prompt for r in await store.list_tasks(limit=10_000)}


async def test_a_killed_writer_loses_nothing_that_it_accepted(
    start_writer: Start, tmp_path: Path
) -> None:
    """kill -9 in the middle of writing, again and again: every accepted task is there, whole."""
    accepted: list[str] = []
    for life in range(3):
        folder = tmp_path / str(life)
        writer = start_writer("endless", folder)
        accepted = [writer.stdout.readline().strip() for _ in range(10 + life)]
        writer.kill()
        accepted += writer.stdout.read().split()  # what it said between our last look and its end
        tasks = await held(folder)
        assert set(accepted) <= tasks.keys()
        assert len(tasks) <= len(accepted) + 1, "at most the one that it had no time to tell of"
        assert all(prompt == name * 5_000 for name, prompt in tasks.items())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, half of it taken by the file `ballast`."""
    with mounted_disk(tmp_path, size_mib=1) as disk:
        (disk / "ballast").write_bytes(bytes(_MIB // 2))
        yield disk


def fill_then_go_on(
    writer: subprocess.Popen[str], make_room: Callable[[], object]
) -> tuple[str, list[str]]:
    """Lets the writer run into the limit and, with room made, go on.

    Returns its error and the tasks it accepted.
    """
    writer.stdin.write("fill\n")
    writer.stdin.flush()
    lines = []
    while not (line := writer.stdout.readline()).startswith("failed: "):
        assert line, "the writer ended before its disk was full"
        lines.append(line.strip())
    make_room()
    rest, _ = writer.communicate("go on\n")
    assert (writer.returncode, rest) == (0, "after\n")
    assert lines, "the writer accepted nothing before its disk was full"
    return line, [*lines, "after"]


@pytest.mark.needs("root")
async def test_a_full_disk_is_said_and_costs_only_what_was_not_accepted(
    start_writer: Start, small_disk: Path
) -> None:
    """The error says that the disk is full; with room again, the same store goes on."""
    writer = start_writer("fill", small_disk / "data")
    assert writer.stdout.readline() == "ready\n"
    error, accepted = fill_then_go_on(writer, (small_disk / "ballast").unlink)
    assert "the disk is full; free some space" in error
    assert str(small_disk / "data" / FILE_NAME) in error
    assert (await held(small_disk / "data")).keys() == set(accepted)


async def test_a_write_that_the_system_refuses_costs_only_what_was_not_accepted(
    start_writer: Start, tmp_path: Path
) -> None:
    """The same where the limit is the process's own (RLIMIT_FSIZE), which needs no rights."""
    writer = start_writer("fill", tmp_path)
    assert writer.stdout.readline() == "ready\n"
    _, hard = resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (_MIB // 2, hard))
    error, accepted = fill_then_go_on(
        writer, lambda: resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (hard, hard))
    )
    assert "see whether it is full or failing" in error
    assert (await held(tmp_path)).keys() == set(accepted)
