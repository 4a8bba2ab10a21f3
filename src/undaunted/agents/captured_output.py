"""The head and the tail of one output stream: what a person needs of an endless one."""

from __future__ import annotations

__all__ = ["HEAD_MAX_BYTES", "TAIL_MAX_BYTES", "CapturedOutput"]

# How a run began (banner, warnings) fits in the head; how it ended is what explains a failure.
HEAD_MAX_BYTES = 64 * 1024
TAIL_MAX_BYTES = 256 * 1024


class CapturedOutput:
    """Keeps the first and the last bytes of a stream, in memory of at most head + 2 x tail.

    `head` followed by `tail` is the whole stream as long as nothing was left out between them.

    Args:
        head_max_bytes: Bytes kept from the beginning.
        tail_max_bytes: Bytes kept from the end, of what the head does not hold; at least 1.

    Attributes:
        head: The first bytes.
        total_bytes: Size of the stream so far.
    """

    def __init__(
        self, *, head_max_bytes: int = HEAD_MAX_BYTES, tail_max_bytes: int = TAIL_MAX_BYTES
    ) -> None:
        self._head_max_bytes = head_max_bytes
        self._tail_max_bytes = tail_max_bytes
        self._tail = bytearray()
        self.head = b""
        self.total_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next chunk of the stream."""
        self.total_bytes += len(chunk)
        room = self._head_max_bytes - len(self.head)
        if room > 0:
            self.head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk[-self._tail_max_bytes :]
        # Trimmed only at twice the size, so that a flood in small chunks costs one move per byte.
        if len(self._tail) > 2 * self._tail_max_bytes:
            del self._tail[: -self._tail_max_bytes]

    @property
    def tail(self) -> bytes:
        """The last bytes, of what follows the head."""
        return bytes(self._tail[-self._tail_max_bytes :])

    @property
    def omitted_bytes(self) -> int:
        """Bytes between head and tail that were not kept."""
        return self.total_bytes - len(self.head) - min(len(self._tail), self._tail_max_bytes)

    @property
    def text(self) -> str:
        """The stream as text, undecodable bytes replaced, with a line that says what is missing."""
        if not self.omitted_bytes:
            return (self.head + self.tail).decode(errors="replace")
        gap = f"\n[... {self.omitted_bytes} bytes left out ...]\n"
        return self.head.decode(errors="replace") + gap + self.tail.decode(errors="replace")
