"""Standard output: what was asked for and nothing else."""

from __future__ import annotations

import json
import sys

from undaunted.cli.plain_text import plain
from undaunted.cli.standard_streams import silence
from undaunted.errors import UndauntedError

__all__ = ["StdoutError", "as_json", "write_answer", "write_json", "write_line"]


class StdoutError(UndauntedError):
    """What was asked for could not be printed."""

    detail_code = "STDOUT_UNWRITABLE"


def as_json(value: object) -> str:
    """`value` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_json(value: object) -> None:
    """Writes `value` as one line of JSON, at once; to a terminal in ASCII.

    JSON escapes what is below U+0020 only; a terminal would obey further controls, and show marks
    of direction.
    """
    write_line(json.dumps(value) if sys.stdout.isatty() else as_json(value))


def write_answer(answer: str) -> None:
    """Writes an agent's answer as it is, without its terminal escapes if a terminal shows it."""
    write_line(plain(answer) if sys.stdout.isatty() else answer)


def write_line(text: str) -> None:
    """Writes `text`, ended by a newline, at once.

    A reader that is gone (`| head -1`) is no error: what is written is dropped from then on.

    Raises:
        StdoutError: It can't be written (a full disk); from then on it is dropped.
    """
    ended = text if text.endswith("\n") else text + "\n"
    try:
        # UTF-8 whatever the locale says: JSON has to be, and an answer may hold any character.
        sys.stdout.buffer.write(ended.encode("utf-8", errors="replace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise StdoutError(
            f"stdout can't be written: {error.strerror}. A task's answer is kept: "
            "undaunted show last"
        ) from error
