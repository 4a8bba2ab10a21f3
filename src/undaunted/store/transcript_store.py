"""What the agents printed, byte for byte, up to a limit per attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import func, select

from undaunted.store.engine import Database
from undaunted.store.models import TranscriptModel
from undaunted.store.records import Stream, TranscriptChunk

__all__ = ["TRANSCRIPT_MAX_BYTES", "TranscriptStore"]

# Per attempt. A long session of an agent prints a few MiB of JSON lines; what floods is cut.
TRANSCRIPT_MAX_BYTES = 8 * 1024 * 1024


class TranscriptStore:
    """The part of `Store` that keeps transcripts."""

    _database: Database

    async def append_transcript(
        self,
        task_id: str,
        number: int,
        chunks: Sequence[tuple[Stream, bytes]],
        *,
        max_bytes: int = TRANSCRIPT_MAX_BYTES,
    ) -> int:
        """Adds chunks to an attempt's transcript until it holds `max_bytes`; refuses the rest.

        The chunk that crosses the limit is cut. A caller that wants head and tail writes with the
        head's limit while the agent runs, keeps the newest bytes that were refused, and writes
        them at the end with the limit of both.

        Args:
            task_id: The task.
            number: The attempt's number; its row must be there.
            chunks: Stream and bytes, in the order they came.
            max_bytes: Limit of the whole attempt, both streams together.

        Returns:
            How many bytes of `chunks` were kept, counted from their start.

        Raises:
            StoreError: The file can't be written, or there is no such attempt.
        """
        model = TranscriptModel
        kept = select(func.count(), func.coalesce(func.sum(func.length(model.data)), 0)).where(
            model.task_id == task_id, model.number == number
        )
        async with self._database.write() as session:
            seq, before = (await session.execute(kept)).one()
            total = before
            for stream, data in chunks:
                piece = data[: max(0, max_bytes - total)]
                if not piece:
                    continue
                session.add(
                    model(task_id=task_id, number=number, seq=seq, stream=stream, data=piece)
                )
                seq, total = seq + 1, total + len(piece)
            return int(total - before)

    async def transcript(self, task_id: str, number: int | None = None) -> list[TranscriptChunk]:
        """An attempt's transcript in order, or all attempts' one after another.

        Args:
            task_id: The task.
            number: The attempt; None for all.

        Raises:
            StoreError: The file can't be read.
        """
        model = TranscriptModel
        chunks = select(model).where(model.task_id == task_id).order_by(model.number, model.seq)
        if number is not None:
            chunks = chunks.where(model.number == number)
        async with self._database.read() as session:
            return [
                TranscriptChunk(row.number, row.seq, cast("Stream", row.stream), row.data)
                for row in await session.scalars(chunks)
            ]
