"""Cuts a stream of chunks into lines in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LINE_MAX_BYTES", "LineReader"]

# Sixteen MiB: a result event that quotes a large file still fits, a runaway line does not.
LINE_MAX_BYTES = 16 * 1024 * 1024


class LineReader:
    r"""Calls `on_line` with each line, without its `\n`, as soon as the line is complete.

    How the stream was cut into chunks makes no difference to the lines. A line longer than the
    limit is dropped whole and counted in `oversize_lines`: half of a JSON event is of no use.

    Args:
        on_line: Takes one line.
        line_max_bytes: Longest line that is kept, in bytes, at least 1.
    """

    def __init__(
        self, on_line: Callable[[bytes], None], *, line_max_bytes: int = LINE_MAX_BYTES
    ) -> None:
        self._on_line = on_line
        self._line_max_bytes = line_max_bytes
        # Pieces of the unfinished line: joined once, at its end. Growing one bytes object instead
        # would copy a long line again with every chunk.
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self.oversize_lines = 0

    def feed(self, chunk: bytes) -> None:
        """Takes the next chunk and delivers every line that it completes."""
        first, *lines = chunk.split(b"\n")
        self._keep(first)
        if not lines:
            return
        self._deliver()
        rest = lines.pop()
        for line in lines:  # these are whole, and need no keeping
            if len(line) > self._line_max_bytes:
                self.oversize_lines += 1
            else:
                self._on_line(line)
        self._keep(rest)

    def close(self) -> None:
        r"""Delivers a last line that has no `\n`; does nothing where there is none."""
        if self._size_bytes:
            self._deliver()

    def _keep(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes > self._line_max_bytes:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _deliver(self) -> None:
        oversize = self._size_bytes > self._line_max_bytes
        line = b"".join(self._pieces)
        # Reset before the call: a line that the caller chokes on is not delivered twice.
        self._pieces.clear()
        self._size_bytes = 0
        if oversize:
            self.oversize_lines += 1
        else:
            self._on_line(line)
