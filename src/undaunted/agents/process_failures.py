"""What the end of a process says by itself, whatever agent it was."""

from __future__ import annotations

import re

from undaunted.agents.captured_output import CapturedOutput
from undaunted.agents.process import ProcessResult, ProcessSpec
from undaunted.agents.spawn_error import SpawnError
from undaunted.failures import Failure, FailureKind

__all__ = ["last_words", "limit_failure", "spawn_failure"]

# Escape sequences (ECMA-48: CSI, OSC, two-character) and control characters but newline and tab:
# a terminal would obey them.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[@-_]?"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_LAST_LINES = 5
_LAST_CHARS = 2000


def spawn_failure(error: SpawnError) -> Failure:
    """The failure of a command that could not be started."""
    return Failure(
        error.kind,
        str(error),
        evidence=f"start: {error.__cause__ or error}",
        blames_task=error.blames_task,
    )


def limit_failure(result: ProcessResult, spec: ProcessSpec) -> Failure | None:
    """The failure of a command that we ended for its time; None for one that ended by itself.

    Args:
        result: How it ended.
        spec: What it was given.
    """
    if result.ended_by == "exit":
        return None
    if result.ended_by == "timeout":
        message = f"not done after {spec.timeout_s:g} s"
    else:
        message = f"printed nothing for {spec.idle_timeout_s:g} s"
    return Failure(FailureKind.TIMEOUT, message, evidence=_evidence(result.ended_by, result))


def last_words(
    output: CapturedOutput, *, lines: int = _LAST_LINES, max_chars: int = _LAST_CHARS
) -> str:
    """The last lines of a stream that are not blank, without escape sequences.

    Args:
        output: The stream.
        lines: How many lines at most.
        max_chars: How many characters at most, counted from the end.
    """
    text = _ESCAPES.sub(
        "", (output.head + output.tail)[-4 * _LAST_CHARS :].decode(errors="replace")
    )
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])[-max_chars:]


def _evidence(what: str, result: ProcessResult) -> str:
    words = last_words(result.stderr)
    return f"{what}; stderr: {words}" if words else f"{what}; stderr empty"
