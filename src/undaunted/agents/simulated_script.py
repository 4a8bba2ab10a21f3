"""What a simulated agent does in one run: a script of steps, as values.

A step's class is named for what the child process does (`simulated_child.py`), its fields are the
details. In texts `{prompt}` stands for the prompt and `{prompt_start}` for the beginning of its
first line. A script ends with `Answer`, `Fail`, `Crash`, `Die`, `Exit` or `Hang`; one that just
stops exits with status 0 and without a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from undaunted.failures import FailureKind

__all__ = [
    "Answer",
    "Complain",
    "Crash",
    "Die",
    "Exit",
    "Fail",
    "Flood",
    "Hang",
    "LeaveBehind",
    "LongLine",
    "RetryInside",
    "Say",
    "Script",
    "Sleep",
    "Step",
    "WriteFile",
    "script_json",
]

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a simulated agent does."""

    @classmethod
    def verb(cls) -> str:
        """`write_file` for WriteFile: the name by which the child knows the step."""
        return _CAPITAL.sub("_", cls.__name__).lower()


Script = Sequence[Step]
"""The steps of one run, in order."""


def script_json(script: Script) -> str:
    """The script as the child takes it."""
    return json.dumps([{"do": step.verb(), **asdict(step)} for step in script])


@dataclass(frozen=True, slots=True)
class Say(Step):
    """Prints a piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Sleep(Step):
    """Does nothing for a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Complain(Step):
    """Prints a line on stderr."""

    text: str


@dataclass(frozen=True, slots=True)
class RetryInside(Step):
    """Says that it retries by itself: no failure."""

    error: str
    attempt: int = 1
    max_retries: int = 2


@dataclass(frozen=True, slots=True)
class WriteFile(Step):
    """Writes a file where the permissions allow it, and reports a denial where they don't.

    `read` allows nothing, `edit` the working directory, `full` everything.
    """

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class LeaveBehind(Step):
    """Starts a process in a session of its own, which holds on to stdout and outlives the agent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Flood(Step):
    """Prints that many bytes in short lines that mean nothing."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class LongLine(Step):
    """Prints one line of that many bytes."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Answer(Step):
    """Prints the result and exits with status 0."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Fail(Step):
    """Prints a result that states a failure, and exits with status 1.

    Attributes:
        kind: What went wrong.
        message: The agent's words for it.
        retry_after_s: Seconds to wait, where it says so.
        resets_at: End of a limit as RFC 3339, where it says so.
        blames_task: The task itself is at fault.
    """

    kind: FailureKind
    message: str
    retry_after_s: float | None = None
    resets_at: str | None = None
    blames_task: bool = False


@dataclass(frozen=True, slots=True)
class Crash(Step):
    """Breaks with a traceback on stderr and exit status 1."""

    message: str = "simulated crash"


@dataclass(frozen=True, slots=True)
class Die(Step):
    """Is ended by a signal, as by a kernel that ran out of memory."""

    signal: int = 9


@dataclass(frozen=True, slots=True)
class Exit(Step):
    """Exits without a result."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class Hang(Step):
    """Says so and does nothing for ever; with `ignore_term` only SIGKILL ends it."""

    ignore_term: bool = False
