"""Keeps what an agent prints while it prints it: whole lines, no secrets, head and tail."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self

from undaunted.errors import StoreError
from undaunted.redaction import Redactor
from undaunted.stream_redaction import StreamRedactor

__all__ = ["TranscriptRecorder", "TranscriptSink"]

_log = logging.getLogger(__name__)

Stream = Literal["stdout", "stderr"]
OutputSink = Callable[[Stream, bytes], None]

# What a crash of ours may cost of a transcript.
_FLUSH_EVERY_S = 1.0
_HEAD_MAX_BYTES = 6 * 1024 * 1024
_TAIL_MAX_BYTES = 2 * 1024 * 1024
# The tail is left behind in pieces of this size.
_PIECE_MAX_BYTES = 64 * 1024


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
    """One attempt's output: redacted; the head is handed on, the tail kept.

    The tail is kept as it came, in memory only, and redacted when nothing more comes: what an agent
    floods and nobody keeps is not searched for secrets.
    """

    def __init__(self, number: int, redactor: Redactor) -> None:
        self.number = number
        self.closed = False
        self._redactor = redactor
        self._streams: dict[Stream, StreamRedactor] = {
            "stdout": StreamRedactor(redactor),
            "stderr": StreamRedactor(redactor),
        }
        self._pending: list[tuple[Stream, bytes]] = []
        self._head_left_bytes = _HEAD_MAX_BYTES
        self._tail = _Tail()

    @property
    def max_bytes(self) -> int:
        """What the store may hold of it by now."""
        return _HEAD_MAX_BYTES + (_TAIL_MAX_BYTES if self.closed else 0)

    def take(self, stream: Stream, chunk: bytes) -> None:
        """Takes the next chunk of a stream."""
        head = chunk[: self._head_left_bytes]
        if head:
            self._head_left_bytes -= len(head)
            self._add(stream, self._streams[stream].feed(head))
        if len(chunk) > len(head):
            self._tail.take(stream, chunk[len(head) :])

    def pending(self) -> list[tuple[Stream, bytes]]:
        """What is to be written now; it is handed over once."""
        chunks, self._pending = self._pending, []
        return chunks

    def close(self) -> None:
        """No more comes: the last lines and the tail are to be written."""
        if self.closed:
            return
        for stream in self._tail.torn:
            # The line that the head ends in is not in the tail: what it held back stays away, since
            # it could be most of a secret.
            self._streams[stream] = StreamRedactor(self._redactor)
        for stream, piece in self._tail.pieces(tear_max_bytes=self._redactor.reach_chars):
            self._add(stream, self._streams[stream].feed(piece))
        for stream, redactor in self._streams.items():
            self._add(stream, redactor.close())
        self.closed = True

    def _add(self, stream: Stream, clean: bytes) -> None:
        if clean:
            self._pending.append((stream, clean))


class _Tail:
    """The newest bytes, the two streams in the order in which they came."""

    def __init__(self) -> None:
        self.torn: set[Stream] = set()
        """Streams of which something was left behind."""
        self._pieces: deque[tuple[Stream, bytearray]] = deque()
        self._bytes = 0

    def take(self, stream: Stream, chunk: bytes) -> None:
        """Takes the next chunk of a stream, and leaves the oldest behind where it is too much."""
        for at in range(0, len(chunk), _PIECE_MAX_BYTES):
            part = chunk[at : at + _PIECE_MAX_BYTES]
            last = self._pieces[-1] if self._pieces else None
            if last and last[0] == stream and len(last[1]) + len(part) <= _PIECE_MAX_BYTES:
                last[1].extend(part)
            else:
                self._pieces.append((stream, bytearray(part)))
            self._bytes += len(part)
        while self._bytes > _TAIL_MAX_BYTES:
            left_behind, piece = self._pieces.popleft()
            self.torn.add(left_behind)
            self._bytes -= len(piece)

    def pieces(self, *, tear_max_bytes: int) -> Iterator[tuple[Stream, bytes]]:
        """What is kept; a torn stream begins with its next line: the end of a secret is one too.

        Args:
            tear_max_bytes: Where the next line begins further away, it begins here.
        """
        tear_bytes = dict.fromkeys(self.torn, tear_max_bytes)
        for stream, piece in self._pieces:
            left = tear_bytes.get(stream, 0)
            end = piece.find(b"\n", 0, left) + 1 or min(left, len(piece))
            tear_bytes[stream] = 0 if piece[:end].endswith(b"\n") else left - end
            yield stream, bytes(piece[end:])
