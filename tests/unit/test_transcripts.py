"""What is kept of an attempt's output: redacted, head and tail, in the order in which it came."""

from __future__ import annotations

from typing import Literal

import pytest

from undaunted.redaction import REDACTED, Redactor
from undaunted.transcripts import TranscriptRecorder

MIB = 1024 * 1024
SECRET = "correct-horse-battery-staple"
Stream = Literal["stdout", "stderr"]


class Sink:
    """Keeps what is written, as the store would."""

    def __init__(self) -> None:
        self.chunks: list[tuple[Stream, bytes]] = []

    async def append_transcript(
        self, task_id: str, number: int, chunks: list[tuple[Stream, bytes]], *, max_bytes: int
    ) -> int:
        self.chunks += chunks
        return sum(len(data) for _, data in chunks)


async def kept_of(*printed: tuple[Stream, bytes]) -> list[tuple[Stream, bytes]]:
    """What the store gets of an attempt that printed this."""
    sink = Sink()
    async with TranscriptRecorder(sink, "t", redactor=Redactor([SECRET])) as recorder:
        take = recorder.attempt(1)
        for stream, chunk in printed:
            take(stream, chunk)
    return sink.chunks


def joined(chunks: list[tuple[Stream, bytes]], stream: Stream) -> bytes:
    return b"".join(data for kept, data in chunks if kept == stream)


async def test_a_secret_over_two_chunks_is_not_kept() -> None:
    """Also with the other stream's output between them."""
    chunks = await kept_of(
        ("stdout", b"say correct-horse-"),
        ("stderr", b"warning\n"),
        ("stdout", b"battery-staple\n"),
    )
    assert chunks == [("stderr", b"warning\n"), ("stdout", f"say {REDACTED}\n".encode())]


@pytest.mark.parametrize("before", [256 * 1024 - 10, 6 * MIB - 10, 6 * MIB + 100])
async def test_a_secret_far_down_an_endless_line_is_not_kept(before: int) -> None:
    """Where a line is taken in parts, and where the head ends, it is found as anywhere."""
    line = b"x" * before + SECRET.encode() + b"y" * 1000
    chunks = await kept_of(
        *(("stdout", line[at : at + 65536]) for at in range(0, len(line), 65536))
    )
    assert joined(chunks, "stdout") == line.replace(SECRET.encode(), REDACTED.encode())


@pytest.mark.parametrize("size", [100, 65536, 8 * MIB])
async def test_head_and_tail_are_kept_of_a_flood(size: int) -> None:
    """The first 6 MiB and about the last 2, and no half of a secret where the middle is missing."""
    line = SECRET.encode() + b" " + b"z" * 90 + b"\n"
    flood = line * (24 * MIB // len(line))
    chunks = await kept_of(
        *(("stdout", flood[at : at + size]) for at in range(0, len(flood), size))
    )
    clean = joined(chunks, "stdout")
    lines = clean.splitlines(keepends=True)
    assert {*lines} == {line.replace(SECRET.encode(), REDACTED.encode())}
    read_bytes = len(lines) * len(line)
    assert 8 * MIB - 128 * 1024 <= read_bytes <= 8 * MIB


async def test_a_flood_without_lines_leaves_no_secret() -> None:
    """Of one endless line the middle is missing, and each end is searched."""
    flood = (SECRET.encode() + b" ") * (24 * MIB // (len(SECRET) + 1))
    chunks = await kept_of(
        *(("stdout", flood[at : at + 50_000]) for at in range(0, len(flood), 50_000))
    )
    words = joined(chunks, "stdout").split()
    # The tail begins somewhere in that line: its first word may be a part of one.
    assert words.count(REDACTED.encode()) >= len(words) - 1


async def test_the_streams_stay_in_order() -> None:
    """Line by line, as the agent printed it."""
    printed: list[tuple[Stream, bytes]] = [
        ("stdout", b"1\n"), ("stderr", b"2\n"), ("stdout", b"3\n"), ("stderr", b"4"),
    ]  # fmt: skip
    assert await kept_of(*printed) == printed
