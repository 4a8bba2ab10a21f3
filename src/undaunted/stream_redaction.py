"""Secrets out of a stream of bytes that comes in pieces, wherever the pieces are cut."""

from __future__ import annotations

import codecs

from undaunted.redaction import REDACTED, Redactor

__all__ = ["StreamRedactor"]

_PEM_BEGIN, _PEM_END = "-----BEGIN ", "-----END "


class StreamRedactor:
    """Gives a stream on without its secrets, as soon as it is certain that none is cut.

    Held back is what a secret could still be growing in: the line that is not ended yet, and of a
    secret of several lines all that is there of it. A line that grows beyond twice
    `Redactor.reach_chars` is given on but for that much of its end, since no secret is longer.

    For a stream whose lines are shorter than that, what comes out is `Redactor.text` of the whole.

    Args:
        redactor: Knows what a secret is.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        # Bytes that are no UTF-8 come out as they went in.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._held = ""

    def feed(self, data: bytes) -> bytes:
        """Takes the next piece; returns what can be given on now."""
        new = self._decoder.decode(data)
        self._held += new
        reach = self._redactor.reach_chars
        if "\n" not in new and len(self._held) < 2 * reach:
            return b""
        return self._given_on(max(self._certain(), len(self._held) - reach))

    def close(self) -> bytes:
        """Ends the stream; returns what was held back."""
        self._held += self._decoder.decode(b"", final=True)
        return self._given_on(len(self._held))

    def _certain(self) -> int:
        """Up to where no secret can be that is not there in whole."""
        held = self._held
        certain = held.rfind("\n") + 1
        begun = held.rfind(_PEM_BEGIN, 0, certain)
        if begun >= 0 and held.find(_PEM_END, begun, certain) < 0:
            certain = begun
        for secret in self._redactor.of_several_lines:
            # What goes on over the end of a line has its own first line whole before that.
            first_line = secret[: secret.index("\n") + 1]
            begun = held.find(first_line, max(0, len(held) - len(secret) + 1))
            while begun >= 0 and not secret.startswith(held[begun:]):
                begun = held.find(first_line, begun + 1)
            if begun >= 0:
                certain = min(certain, begun)
        return certain

    def _given_on(self, end: int) -> bytes:
        """What is held up to `end`, without secrets; one that goes on over `end` goes with it."""
        parts: list[str] = []
        at = 0
        for start, stop in self._redactor.spans(self._held):
            if start >= end:
                break
            parts += (self._held[at:start], REDACTED)
            at = stop
        if at < end:
            parts.append(self._held[at:end])
            at = end
        self._held = self._held[at:]
        return "".join(parts).encode("utf-8", errors="surrogateescape")
