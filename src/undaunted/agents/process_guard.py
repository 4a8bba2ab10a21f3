"""undaunted's side of its guard: starts it, and tells it what runs."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from itertools import count
from pathlib import Path
from typing import cast

from undaunted.agents.guard import UNWANTED

__all__ = ["Guard", "GuardedRun"]

_log = logging.getLogger(__name__)

_PROGRAM = Path(__file__).with_name("guard.py")

# How long the guard may take to notice that it is not needed any more.
_CLOSE_S = 5.0

_PIPE_BYTES = 1024 * 1024

_Identity = tuple[int, float]


class GuardedRun:
    """What the guard is told of one run.

    Args:
        guard: Who tells it.
        number: The run's, among its guard's.
        mark: The run's UNDAUNTED_ATTEMPT; "" where it has none.
        cgroup: The folder of its cgroup, if it has one.
    """

    def __init__(
        self, guard: Guard, number: int, mark: str, cgroup: Path | None, scratch: str | None
    ) -> None:
        self.number = number
        self._guard = guard
        self._known: dict[str, object] = {
            "mark": mark,
            "cgroup": None if cgroup is None else str(cgroup),
            "scratch": scratch,
            "root": None,
            "members": [],
        }

    @property
    def message(self) -> bytes:
        """All that is known of the run, as the guard reads it."""
        return _line(self.number, self._known)

    def learn(self, root_pid: int, members: Collection[_Identity]) -> None:
        """Tells which processes the run has now; those that it had and that are gone don't count.

        Args:
            root_pid: The command's own, while it is one of them.
            members: All of them.
        """
        known = sorted(members)
        if known == self._known["members"] and self._guard.alive:
            return
        self._known["members"] = known
        self._known["root"] = self._known["root"] or next(
            (member for member in known if member[0] == root_pid), None
        )
        self._guard.inform(self)

    def end(self) -> None:
        """Tells that nothing of the run is left to be ended."""
        self._guard.forget(self)


class Guard:
    """The guard process of this process: one, started with the first run.

    If it is dead, the next look at a run starts a new one, which is told of all that runs. A run
    without a guard is better than none: what fails here is logged.

    The guard has a session of its own, so that no Ctrl-C and no signal to our group reaches it, and
    none of our files but its end of the pipe.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._runs: dict[int, GuardedRun] = {}
        self._numbers = count(1)

    @property
    def pid(self) -> int | None:
        """The guard's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    def begin(self, *, mark: str, cgroup: Path | None, scratch: str | None = None) -> GuardedRun:
        """Has a run guarded that is about to begin.

        By its mark or its cgroup it is found even if we die before its process is known.
        """
        run = GuardedRun(self, next(self._numbers), mark, cgroup, scratch)
        self._runs[run.number] = run
        self.inform(run)
        return run

    @property
    def alive(self) -> bool:
        """Whether there is a guard process."""
        return self._process is not None and self._process.poll() is None

    def inform(self, run: GuardedRun) -> None:
        """Tells what is known of a run; if nobody listens, a new guard, of all runs."""
        if not self.tell(run.message):
            self._start()

    def tell(self, message: bytes) -> bool:
        """Sends a message; whether there is a guard that takes it."""
        if self._process is None:
            return False
        try:
            # Without waiting: a guard that was stopped must not stop us too.
            sent = _stdin(self._process).write(message)
        except BrokenPipeError:
            sent = None
        if sent != len(message) or self._process.poll() is not None:
            self._discard()
            return False
        return True

    def forget(self, run: GuardedRun) -> None:
        """Has a run guarded no longer."""
        if self._runs.pop(run.number, None) is not None:
            self.tell(_line(run.number, None))

    def close(self) -> None:
        """Ends the guard; blocks until it is gone, milliseconds as a rule.

        Whatever it still guards, it ends first.
        """
        if self._process is None:
            return
        process, self._process = self._process, None
        _stdin(process).close()
        try:
            process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            _log.warning("the guard process %d did not end by itself", process.pid)
            process.kill()
            process.wait()

    def _start(self) -> None:
        # Inherited by the child: a signal that finds it half started waits until it ignores it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, UNWANTED)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            _log.warning("no guard process: %s; if undaunted is killed, agents run on", error)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.set_blocking(_stdin(process).fileno(), False)
        _widen(_stdin(process).fileno())
        self._process = process
        self.tell(b"".join(run.message for run in self._runs.values()))

    def _discard(self) -> None:
        """Reaps a guard that is dead; kills one that does not listen.

        Its pipe closed, that one would take our runs for orphans if it ever went on.
        """
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        _stdin(process).close()


def _widen(pipe: int) -> None:
    """Gives the pipe room for runs of thousands of processes: a message that does not fit is lost.

    64 KiB hold the identities of 3,000 processes; 1 MiB is what everybody may have (pipe(7)).
    """
    if sys.platform != "linux":
        return
    import fcntl  # noqa: PLC0415 - not on Windows, where this module can be imported all the same

    with contextlib.suppress(OSError):  # the user's share of pipe memory is used up
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _stdin(process: subprocess.Popen[bytes]) -> io.RawIOBase:
    """Our end of the pipe: unbuffered, so that what a full pipe refuses is seen at once."""
    return cast("io.RawIOBase", process.stdin)


def _line(number: int, run: dict[str, object] | None) -> bytes:
    return json.dumps([number, run]).encode("ascii") + b"\n"
