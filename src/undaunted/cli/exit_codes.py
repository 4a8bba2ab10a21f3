"""What the exit status of a command says."""

from __future__ import annotations

import signal
from enum import IntEnum

from undaunted.errors import (
    ConfigurationError,
    ErrorCode,
    InvalidTaskError,
    NotFoundError,
    UndauntedError,
)
from undaunted.tasks import TaskRecord, TaskState

__all__ = ["ExitCode", "of_error", "of_record", "of_signal"]

# A shell reports a process that a signal ended as 128 + its number.
_SIGNAL_OFFSET = 128


class ExitCode(IntEnum):
    """Exit statuses, in the order in which the first that applies is taken.

    65 to 75 have their meaning from sysexits.h, 124 from `timeout`, and 128 + n from the shell.
    """

    INTERRUPTED = 130
    TERMINATED = 143
    HUNG_UP = 129
    USAGE = 2
    TASK_WRONG = 65
    DEADLINE = 124
    COME_BACK = 75
    NONE_USABLE = 69
    ALL_FAILED = 1
    OUR_FAULT = 70
    DONE = 0

    @property
    def meaning(self) -> str:
        """What it says, for a person."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.INTERRUPTED: "interrupted (SIGINT)",
    ExitCode.TERMINATED: "asked to end (SIGTERM)",
    ExitCode.HUNG_UP: "the terminal went away (SIGHUP)",
    ExitCode.USAGE: "wrong usage: a flag, a setting, a name or a path",
    ExitCode.TASK_WRONG: "the task itself is wrong: no agent would take it as it stands",
    ExitCode.DEADLINE: "the deadline passed",
    ExitCode.COME_BACK: "an agent comes back at a known time: run it again then",
    ExitCode.NONE_USABLE: "no agent is usable",
    ExitCode.ALL_FAILED: "all agents failed",
    ExitCode.OUR_FAULT: "undaunted's own fault, or its files can't be used",
    ExitCode.DONE: "done",
}


def of_record(record: TaskRecord) -> ExitCode:
    """The exit status for a task in its final state."""
    if record.state is TaskState.SUCCEEDED:
        return ExitCode.DONE
    if record.state is TaskState.CANCELLED:
        return ExitCode.INTERRUPTED
    applies = {
        ExitCode.TASK_WRONG: record.error_code == ErrorCode.VALIDATION_ERROR,
        ExitCode.DEADLINE: record.error_detail_code == "DEADLINE_EXCEEDED",
        ExitCode.COME_BACK: record.retry_after_s is not None,
        ExitCode.NONE_USABLE: record.error_code == ErrorCode.AGENT_UNAVAILABLE,
        ExitCode.ALL_FAILED: record.error_code != ErrorCode.INTERNAL_ERROR,
    }
    return next((code for code, holds in applies.items() if holds), ExitCode.OUR_FAULT)


def of_error(error: UndauntedError) -> ExitCode:
    """The exit status for an error that kept a command from its end."""
    if isinstance(error, ConfigurationError | NotFoundError):
        return ExitCode.USAGE
    if isinstance(error, InvalidTaskError):
        return ExitCode.TASK_WRONG
    return ExitCode.OUR_FAULT


def of_signal(number: signal.Signals) -> ExitCode:
    """The exit status of a command that INT, TERM or HUP ended."""
    return ExitCode(_SIGNAL_OFFSET + number)
