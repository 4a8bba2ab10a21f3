"""Keeps what an agent prints while it prints it: whole lines, no secrets, head and tail."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Literal, Protocol, Self

from undaunted.errors import StoreError
from undaunted.redaction import Redactor

__all__ = ["TranscriptRecorder", "TranscriptSink"]

_log = logging.getLogger(__name__)

Stream = Literal["stdout", "stderr"]

# What a crash of ours may cost of a transcript.
_FLUSH_EVERY_S = 1.0
# A line longer than this is taken in pieces; a secret that lies across two of them is not seen.
_LINE_MAX_BYTES = 256 * 1024
_HEAD_MAX_BYTES = 6 * 1024 * 1024
_TAIL_MAX_BYTES = 2 * 1024 * 1024


class TranscriptSink(Protocol):
    """Where chunks go: `Store.append_transcript`."""

    async def append_transcript(
        self, task_id: str, number: int, chunks: list[tuple[Stream, bytes]], *, max_bytes: int
    ) -> int:
        """Adds chunks up to `max_bytes` for the attempt; returns how many bytes were kept."""
        ...


class TranscriptRecorder:
    """Takes an attempt's output and writes it in the background, about once a second.

    A transcript is worth less than an answer: if it can't be written, that is logged and the
    attempt goes on.

    Args:
        sink: Where it goes.
        task_id: The task.
        number: The attempt's number.
        redactor: Takes secrets out.
    """

    def __init__(
        self, sink: TranscriptSink, task_id: str, number: int, *, redactor: Redactor
    ) -> None:
        self._sink = sink
        self._task_id = task_id
        self._number = number
        self._redactor = redactor
        self._open_lines: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._pending: list[tuple[Stream, bytes]] = []
        self._pending_bytes = 0
        self._tail: deque[tuple[Stream, bytes]] = deque()
        self._tail_bytes = 0
        self._flusher: asyncio.Task[None] | None = None

    def take(self, stream: Stream, chunk: bytes) -> None:
        """Takes the next chunk of a stream; never blocks."""
        whole, newline, rest = (self._open_lines[stream] + chunk).rpartition(b"\n")
        if len(rest) > _LINE_MAX_BYTES:
            whole, newline, rest = whole + newline + rest, b"", b""
        self._open_lines[stream] = rest
        if whole or newline:
            self._add(stream, whole + newline)

    def _add(self, stream: Stream, data: bytes) -> None:
        text = data.decode("utf-8", errors="surrogateescape")
        clean = self._redactor.text(text).encode("utf-8", errors="surrogateescape")
        if self._pending_bytes < _HEAD_MAX_BYTES:
            self._pending.append((stream, clean))
            self._pending_bytes += len(clean)
        else:
            self._add_to_tail(stream, clean)

    def _add_to_tail(self, stream: Stream, data: bytes) -> None:
        self._tail.append((stream, data))
        self._tail_bytes += len(data)
        while self._tail_bytes > _TAIL_MAX_BYTES:
            self._tail_bytes -= len(self._tail.popleft()[1])

    async def _flush_for_ever(self) -> None:
        while True:
            # Real time, whatever clock the flow has: this is housekeeping and decides nothing.
            await asyncio.sleep(_FLUSH_EVERY_S)
            await self._flush(max_bytes=_HEAD_MAX_BYTES)

    async def _flush(self, *, max_bytes: int) -> None:
        chunks, self._pending = self._pending, []
        if not chunks:
            return
        try:
            await self._sink.append_transcript(
                self._task_id, self._number, chunks, max_bytes=max_bytes
            )
        except StoreError as error:
            _log.warning("transcript of attempt %s not kept: %s", self._number, error)

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush_for_ever())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.wait((self._flusher,))
        for stream, rest in self._open_lines.items():
            if rest:
                self._add(stream, rest)
        self._pending += self._tail
        await self._flush(max_bytes=_HEAD_MAX_BYTES + _TAIL_MAX_BYTES)
