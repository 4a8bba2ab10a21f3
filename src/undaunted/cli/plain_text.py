"""Text of others made harmless: nothing that an agent prints may steer the person's terminal."""

from __future__ import annotations

import re

__all__ = ["one_line", "plain"]

# ECMA-48: control sequences, control strings (a title, a link, a picture), and the short escapes;
# each introducer also in its one-character form of the C1 set.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
# What is left of control characters, and the marks that turn the direction of text around: with
# them a line can show something else than it holds. Tab and newline stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """`text` without terminal escapes and control characters; tabs and newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str, max_chars: int | None = None) -> str:
    """`plain(text)` with its white space folded, cut to `max_chars` characters with an ellipsis."""
    folded = plain(_SPACE.sub(" ", text)).strip()
    if max_chars is None or len(folded) <= max_chars:
        return folded
    return folded[: max_chars - 1] + "…"
