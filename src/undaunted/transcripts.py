"""Keeps what an agent prints while it prints it: whole lines, no secrets, head and tail."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self

from undaunted.errors import StoreError
from undaunted.redaction import Redactor

__all__ = ["TranscriptRecorder", "TranscriptSink"]

_log = logging.getLogger(__name__)

Stream = Literal["stdout", "stderr"]
OutputSink = Callable[[Stream, bytes], None]

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
    """Takes the output of a task's attempts and writes it in the background, once a second.

    What an attempt printed last is written with the next beat, not between it and the attempt that
    follows: handing over to the next agent waits for no transcript. Leaving the `async with` block
    writes all there is.

    A transcript is worth less than an answer: if it can't be written, that is logged and the task
    goes on.

    Args:
        sink: Where it goes.
        task_id: The task.
        redactor: Takes secrets out.
    """

    def __init__(self, sink: TranscriptSink, task_id: str, *, redactor: Redactor) -> None:
        self._sink = sink
        self._task_id = task_id
        self._redactor = redactor
        self._attempts: list[_AttemptOutput] = []
        self._flusher: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def attempt(self, number: int) -> OutputSink:
        """Where the attempt's output goes; its row must be there. Never blocks."""
        output = _AttemptOutput(number, self._redactor)
        self._attempts.append(output)
        return output.take

    async def _flush_for_ever(self) -> None:
        while True:
            # Real time, whatever clock the flow has: this is housekeeping and decides nothing.
            await asyncio.sleep(_FLUSH_EVERY_S)
            for output in self._attempts[:-1]:
                output.close()
            await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        for output in list(self._attempts):
            chunks = output.pending()
            try:
                if chunks:
                    await self._sink.append_transcript(
                        self._task_id, output.number, chunks, max_bytes=output.max_bytes
                    )
            except StoreError as error:
                _log.warning("transcript of attempt %s not kept: %s", output.number, error)
            if output.closed:
                self._attempts.remove(output)

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
            async with self._writing:  # cancelled in its write, it would lose what it took
                self._flusher.cancel()
            await asyncio.wait((self._flusher,))
        for output in self._attempts:
            output.close()
        await self._flush()


class _AttemptOutput:
    """One attempt's output: whole lines, redacted; the head is handed on, the tail kept."""

    def __init__(self, number: int, redactor: Redactor) -> None:
        self.number = number
        self.closed = False
        self._redactor = redactor
        self._open_lines: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._pending: list[tuple[Stream, bytes]] = []
        self._head_bytes = 0
        self._tail: deque[tuple[Stream, bytes]] = deque()
        self._tail_bytes = 0

    @property
    def max_bytes(self) -> int:
        """What the store may hold of it by now."""
        return _HEAD_MAX_BYTES + (_TAIL_MAX_BYTES if self.closed else 0)

    def take(self, stream: Stream, chunk: bytes) -> None:
        """Takes the next chunk of a stream."""
        whole, newline, rest = (self._open_lines[stream] + chunk).rpartition(b"\n")
        if len(rest) > _LINE_MAX_BYTES:
            whole, newline, rest = whole + newline + rest, b"", b""
        self._open_lines[stream] = rest
        if whole or newline:
            self._add(stream, whole + newline)

    def pending(self) -> list[tuple[Stream, bytes]]:
        """What is to be written now; it is handed over once."""
        chunks, self._pending = self._pending, []
        return chunks

    def close(self) -> None:
        """No more comes: the last lines and the tail are to be written."""
        if self.closed:
            return
        for stream, rest in self._open_lines.items():
            if rest:
                self._add(stream, rest)
        self._pending += self._tail
        self.closed = True

    def _add(self, stream: Stream, data: bytes) -> None:
        text = data.decode("utf-8", errors="surrogateescape")
        clean = self._redactor.text(text).encode("utf-8", errors="surrogateescape")
        if self._head_bytes < _HEAD_MAX_BYTES:
            self._pending.append((stream, clean))
            self._head_bytes += len(clean)
            return
        self._tail.append((stream, clean))
        self._tail_bytes += len(clean)
        while self._tail_bytes > _TAIL_MAX_BYTES:
            self._tail_bytes -= len(self._tail.popleft()[1])
