"""What every store promises about transcripts."""

from __future__ import annotations

from datetime import datetime

import pytest

from undaunted.errors import StoreError
from undaunted.store.records import Stream, TranscriptChunk
from undaunted.store.store import Store
from undaunted.tasks import Attempt, Task


@pytest.fixture
async def task_id(store: Store, now: datetime) -> str:
    """A running task with two attempts."""
    await store.create_task(Task(prompt="x", id="task-1"), created_at=now)
    await store.start_task("task-1", now)
    for number in (1, 2):
        opened = Attempt(number, "claude", "default", None, f"token-{number}", now, "first")
        await store.open_attempt("task-1", opened)
    return "task-1"


async def test_bytes_come_back_as_they_came(store: Store, task_id: str) -> None:
    """Bytes of any kind keep their stream and their order over both streams and all batches."""
    every_byte = bytes(range(256))
    assert (
        await store.append_transcript(task_id, 1, [("stdout", every_byte), ("stderr", b"e")]) == 257
    )
    assert await store.append_transcript(task_id, 1, [("stdout", b"\xf0\x9f")]) == 2
    assert await store.transcript(task_id, 1) == [
        TranscriptChunk(1, 0, "stdout", every_byte),
        TranscriptChunk(1, 1, "stderr", b"e"),
        TranscriptChunk(1, 2, "stdout", b"\xf0\x9f"),
    ]


async def test_a_transcript_is_of_one_attempt_or_of_all_in_order(
    store: Store, task_id: str
) -> None:
    """Without a number all attempts come, one after another."""
    await store.append_transcript(task_id, 2, [("stdout", b"two")])
    await store.append_transcript(task_id, 1, [("stdout", b"one")])
    assert [chunk.data for chunk in await store.transcript(task_id)] == [b"one", b"two"]
    assert [chunk.data for chunk in await store.transcript(task_id, 2)] == [b"two"]
    assert await store.transcript(task_id, 3) == []
    assert await store.transcript("nobody") == []


async def test_the_limit_is_of_the_attempt_over_all_batches(store: Store, task_id: str) -> None:
    """What is beyond the limit is refused and counted; the other attempt has its own limit."""
    assert await store.append_transcript(task_id, 1, [("stdout", b"abc")], max_bytes=5) == 3
    batch: list[tuple[Stream, bytes]] = [("stdout", b""), ("stderr", b"defg"), ("stdout", b"h")]
    assert await store.append_transcript(task_id, 1, batch, max_bytes=5) == 2
    assert await store.append_transcript(task_id, 1, [("stdout", b"i")], max_bytes=5) == 0
    assert await store.append_transcript(task_id, 2, [("stdout", b"12345")], max_bytes=5) == 5
    kept = await store.transcript(task_id, 1)
    assert [(c.seq, c.stream, c.data) for c in kept] == [
        (0, "stdout", b"abc"),
        (1, "stderr", b"de"),
    ]


async def test_a_higher_limit_at_the_end_makes_room_for_the_tail(
    store: Store, task_id: str
) -> None:
    """Head and tail: the head under its limit while the agent runs, the tail under both."""
    assert await store.append_transcript(task_id, 1, [("stdout", b"headmiddle")], max_bytes=4) == 4
    assert await store.append_transcript(task_id, 1, [("stdout", b"tail")], max_bytes=8) == 4
    assert [c.data for c in await store.transcript(task_id, 1)] == [b"head", b"tail"]


async def test_an_attempt_that_is_not_there_has_no_transcript(store: Store, task_id: str) -> None:
    """Output without an attempt's row is refused: the row comes before the process."""
    with pytest.raises(StoreError):
        await store.append_transcript(task_id, 3, [("stdout", b"x")])
    assert await store.transcript(task_id) == []
