"""What Gemini CLI prints on stderr: its own retries, its own words, and an error object at the end.

Tools and MCP servers print there as well; their words say nothing of the agent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from undaunted.agents.agent import RunNotice
from undaunted.agents.reader import JsonObject, as_object
from undaunted.agents.rules import one_line

__all__ = ["last_error_object", "own_lines", "retry_notice"]

# "Attempt 1 failed with status 500. Retrying with backoff...", "... Retrying after 5668ms...": the
# words may stand on the line behind; without them it was the last attempt.
_RETRY_NOTICE = re.compile(r"^(?:Attempt \d+ failed|Suggested retry).*Retrying (?:with|after) ")
_RETRY_WAIT_MS = re.compile(r"Retrying after (\d{1,12}(?:\.\d{1,9})?)\s*ms")
# Lines of stderr that speak of no failure: stack frames, banners and the CLI's own retries.
_NOISE = re.compile(
    r"^\s*at |^Warning: |^Ripgrep |^YOLO mode|^Loaded cached|^Attempt \d+ failed|^Suggested retry"
    r"|^Approval mode overridden|^\[STARTUP\] |^\s*$"
    # An MCP server's trouble is not the agent's: its words may be anything.
    r"|^(?:Error during discovery for )?MCP server "
)
# Nor is a tool's, which may print many lines: all up to the next that the program begins itself.
_OWN_LINE = re.compile(
    r"Error (?:when talking|authenticating|resuming|starting|during discovery|in |generating)"
    r"|Attempt \d+ failed|Warning: |Approval mode |An unexpected critical error|Fatal\w*Error|[\[{]"
)
# The error object ends stderr, but for a few braces of a stack trace. Each brace that begins no
# JSON costs a look at all that stands before it: a megabyte of braces took minutes.
_ERROR_MAX_CHARS = 64_000
_BRACES_MAX = 50


def retry_notice(line: str) -> RunNotice | None:
    """The retry of its own that `line` announces; None if it announces none.

    A plan's limit is slept through, for hours if need be: it says how long.
    """
    if not _RETRY_NOTICE.match(line):
        return None
    found = _RETRY_WAIT_MS.search(line)
    wait_s = float(found[1]) / 1000 if found else None
    return RunNotice("inner_retry", one_line(line, 160), wait_s)


def own_lines(stderr: str) -> Iterator[str]:
    """The lines that may speak of the agent's own failure: no noise, and nothing of a tool's."""
    of_tool = False
    for line in stderr.splitlines():
        if line.startswith("Error executing tool "):
            of_tool = True
        elif of_tool and _OWN_LINE.match(line):
            of_tool = False
        if not of_tool and not _NOISE.match(line):
            yield line


def last_error_object(stderr: str) -> JsonObject | None:
    """The `error` of the last JSON object that stands at the start of a line of stderr."""
    decoder = json.JSONDecoder()
    end = stderr[-_ERROR_MAX_CHARS:]
    starts = [found.start() for found in re.finditer(r"^\{", end, re.MULTILINE)]
    for start in reversed(starts[-_BRACES_MAX:]):
        try:
            value: object = decoder.raw_decode(end, start)[0]
        except (ValueError, RecursionError):
            continue  # a brace of a stack trace
        if error := as_object(as_object(value).get("error")):
            return error
    return None
