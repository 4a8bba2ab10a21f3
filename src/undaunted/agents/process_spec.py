"""What a process runner is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from undaunted.agents.agent import OutputSink
from undaunted.agents.captured_output import HEAD_MAX_BYTES, TAIL_MAX_BYTES, CapturedOutput
from undaunted.agents.line_reader import LINE_MAX_BYTES

__all__ = ["EndedBy", "ProcessResult", "ProcessRunner", "ProcessSpec", "no_line", "no_sink"]

EndedBy = Literal["exit", "timeout", "idle_timeout"]
"""What ended a command: it exited (also by a signal that was not ours), or one of our limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A command and its limits.

    Attributes:
        argv: Program and arguments; never goes through a shell. A program without a slash is
            looked up in the PATH of `env`.
        env: The whole environment (`child_environment`). Its UNDAUNTED_ATTEMPT marks the processes.
        cwd: Working directory.
        user: The name of the user that it runs as; None is ours. Another one takes root, and an
            `env` and a TMPDIR that are that user's (`run_as`).
        scratch: A folder of this run alone, which the guard removes if we are killed; else it is
            the caller's to remove.
        stdin: Written to the command's standard input, which is then closed; the command never
            gets ours.
        timeout_s: Wall-clock limit in seconds.
        idle_timeout_s: Longest time without a byte on stdout or stderr, in seconds.
        grace_s: Seconds between TERM and KILL.
        line_max_bytes: Longest line of stdout that is delivered.
        head_max_bytes: Bytes kept from the beginning of each stream.
        tail_max_bytes: Bytes kept from the end of each stream.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # holds keys
    cwd: str
    user: str | None = None
    scratch: str | None = None
    stdin: bytes = field(default=b"", repr=False)
    timeout_s: float
    idle_timeout_s: float
    grace_s: float = 5.0
    line_max_bytes: int = LINE_MAX_BYTES
    head_max_bytes: int = HEAD_MAX_BYTES
    tail_max_bytes: int = TAIL_MAX_BYTES


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a command ended.

    Attributes:
        exit_code: Its exit status, negative for a signal; None only if it could not be ended.
        ended_by: What ended it.
        duration_s: Seconds from its start until nothing of it was alive.
        stdout: Head and tail of its standard output.
        stderr: Head and tail of its standard error.
        oversize_lines: Lines of stdout that were too long and not delivered.
        left_behind: Names of the processes that a command which exited had left running; they were
            ended too.
        survivors: Names of the processes that nothing could end (stuck in the kernel, or another
            user's).
    """

    exit_code: int | None
    ended_by: EndedBy
    duration_s: float
    stdout: CapturedOutput
    stderr: CapturedOutput
    oversize_lines: int = 0
    left_behind: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


def no_line(_line: bytes) -> None:
    """Takes a line that nobody reads."""


def no_sink(_stream: Literal["stdout", "stderr"], _chunk: bytes) -> None:
    """Takes a chunk that nobody keeps."""


class ProcessRunner(Protocol):
    """What an agent needs to run its command: a `GuardedRunner`, or a test's stand-in."""

    async def __call__(
        self,
        spec: ProcessSpec,
        *,
        on_stdout_line: Callable[[bytes], None] = no_line,
        sink: OutputSink = no_sink,
    ) -> ProcessResult:
        """See `run_process`."""
        ...
