"""Why a command could not be started."""

from __future__ import annotations

import errno
from pathlib import Path

from undaunted.errors import UndauntedError
from undaunted.failures import FailureKind

__all__ = ["SpawnError", "spawn_error"]


class SpawnError(UndauntedError):
    """The command could not be started.

    Args:
        kind: `not_installed`, `misconfigured` (not executable, no such interpreter),
            `invalid_request` (arguments too long, no such working directory), or `unknown` where
            the machine itself was short of something.
        message: What is wrong, for a person.
        blames_task: No other command could be started either: the working directory is wrong.
    """

    detail_code = "SPAWN_FAILED"

    def __init__(self, kind: FailureKind, message: str, *, blames_task: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.blames_task = blames_task


_SPAWN_ERRORS: dict[int | None, tuple[FailureKind, str]] = {
    errno.ENOENT: (FailureKind.NOT_INSTALLED, "was not found"),
    errno.ENOTDIR: (FailureKind.NOT_INSTALLED, "was not found"),
    errno.EACCES: (FailureKind.MISCONFIGURED, "may not be executed"),
    errno.EPERM: (FailureKind.MISCONFIGURED, "may not be executed"),
    errno.ENOEXEC: (FailureKind.MISCONFIGURED, "is no program for this machine"),
    errno.E2BIG: (
        FailureKind.INVALID_REQUEST,
        "got too long arguments or too large an environment (Linux: 128 KiB for one of them)",
    ),
}


def spawn_error(error: OSError | ValueError, *, program: str, cwd: str) -> SpawnError:
    """Returns what a failed start means.

    Args:
        error: What the start raised.
        program: The program that was to be started.
        cwd: Its working directory.

    Source: execve(2), chdir(2); `subprocess` names the working directory in `filename` where it
    could not be entered, and the program otherwise.
    """
    if isinstance(error, ValueError):
        return SpawnError(FailureKind.INVALID_REQUEST, f"{program} can't be started: {error}")
    if error.filename == cwd:
        message = f"the working directory {cwd} can't be entered: {error.strerror}"
        return SpawnError(FailureKind.INVALID_REQUEST, message, blames_task=True)
    if error.errno == errno.ENOENT and Path(program).is_file():
        message = f"{program} is there, but the interpreter that its first line names is not"
        return SpawnError(FailureKind.MISCONFIGURED, message)
    # What is not in the table is a machine short of processes, memory or files just now.
    kind, what = _SPAWN_ERRORS.get(
        error.errno, (FailureKind.UNKNOWN, f"could not be started: {error.strerror}")
    )
    return SpawnError(kind, f"{program} {what}")
