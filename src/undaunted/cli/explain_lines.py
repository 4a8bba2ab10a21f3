"""`explain --jsonl`: many recorded runs, a JSON line in, a JSON line out, in constant memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from undaunted.agents.explain import Explanation, explain_message, explain_run
from undaunted.agents.reader import Ending, OutputReader
from undaunted.cli.stdout import write_json
from undaunted.errors import ConfigurationError

__all__ = ["Reference", "explain_lines"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What an explanation refers to beside the run itself.

    Attributes:
        readers: How each known agent's output is read, by name.
        retry_cap_s: Longest stated wait that a retry sleeps through, in seconds.
        now: When a run ended that does not say; aware.
    """

    readers: Mapping[str, Callable[[], OutputReader]]
    retry_cap_s: float
    now: datetime


class _RowError(ValueError):
    """A line says something that can't be explained; the text says what."""


def explain_lines(name: str, reference: Reference) -> int:
    """Writes a line for each line of the file `name` (`-`: stdin), at once; blank lines have none.

    Returns:
        How many could not be explained; each of these became `{"error": "line 3: ..."}`.
    """
    wrong = 0
    with _opened(name) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                write_json(_explain(_row(line), reference).to_dict())
            except _RowError as error:
                wrong += 1
                write_json({"error": f"line {number}: {error}"})
    return wrong


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - it is closed by the `with` below
    except OSError as error:
        raise ConfigurationError(f"--jsonl {name}: can't be read: {error.strerror}") from error
    with file:
        yield file


def _row(line: bytes) -> Mapping[str, object]:
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _RowError(f"is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise _RowError("is no JSON object")
    return cast("dict[str, object]", row)


def _explain(row: Mapping[str, object], reference: Reference) -> Explanation:
    cli = _text(row, "cli")
    if cli not in reference.readers:
        raise _RowError(f"no agent {cli!r}; known are {', '.join(reference.readers)}")
    reader, cap_s, tz = reference.readers[cli], reference.retry_cap_s, _zone(row)
    now = _instant(row, tz) or reference.now
    if row.get("message") is not None:
        return explain_message(reader, _text(row, "message"), retry_cap_s=cap_s, now=now, tz=tz)
    if not {"exit_code", "stdout", "stderr"} & row.keys():
        raise _RowError("it has neither a message nor an exit_code, stdout or stderr")
    ending = Ending(
        _exit_code(row),
        _text(row, "stdout"),
        _text(row, "stderr"),
        text_mode=_text(row, "mode") == "text",
    )
    return explain_run(reader, ending, retry_cap_s=cap_s, now=now, tz=tz)


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise _RowError(f"{name} is no text")
    return value or ""


def _exit_code(row: Mapping[str, object]) -> int | None:
    value = row.get("exit_code")
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise _RowError("exit_code is no whole number")
    return value


def _zone(row: Mapping[str, object]) -> tzinfo | None:
    name = _text(row, "tz")
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _RowError(f"tz: no time zone {name!r}") from error


def _instant(row: Mapping[str, object], tz: tzinfo | None) -> datetime | None:
    """The row's `now`; without an offset it is read in the row's zone, or in UTC."""
    text = _text(row, "now")
    try:
        now = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise _RowError(f"now: {text!r} is no ISO 8601 instant") from error
    return now.replace(tzinfo=tz or UTC) if now is not None and now.tzinfo is None else now
