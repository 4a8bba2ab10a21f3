"""Ends what undaunted was running when undaunted itself has died; a program, started as one.

undaunted starts it with the first run (`process_guard.py`) and tells it on stdin what runs. The
pipe closes when undaunted ends, in whatever way: kill -9, a crash, the kernel's hunt for memory. If
runs were on then, their processes are asked to end (TERM) and soon made to (KILL), again and again
until nothing of them is left.

It is one file of the standard library alone, run with `-I -S`, and imports nothing of undaunted: it
starts in milliseconds, holds 12 MB, and does its work also while the package is being upgraded. So
it reads /proc itself, by the rules of `process_tree.py`.

A message is a line of JSON: `[number, run]` says what is known of a run, `[number, null]` that it
has ended. A run has `mark` (its UNDAUNTED_ATTEMPT, or ""), `cgroup` (a folder, or null), `scratch`
(a folder of its own that goes with it, or null), and `root` and `members` (each `[pid, start]`, and
`root` may be null): the command itself, and all that came of it.

Without /proc (macOS) it knows the root's process group only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import Any, TypedDict

__all__ = ["UNWANTED", "Process", "Run", "Runs", "living", "main", "of_run", "serve"]

Identity = tuple[int, int]
"""A pid and when it began: together no other process's."""

UNWANTED = frozenset(
    number for number in signal.Signals if number.name in {"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"}
)
"""Signals that would end us too early."""

GRACE_S = 1.0
"""Between TERM and KILL. Short: nobody is left to read what an agent would say in a longer one."""

GIVE_UP_S = 30.0
"""After that a KILL that has not worked will work whenever the kernel lets go of the process."""

# Between two looks: most obey in milliseconds, some are stuck for minutes.
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.2
# A process that was forked while /proc was being read is in the next look.
_EMPTY_LOOKS = 2
_DEAD_STATES = (b"Z", b"X", b"x")
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class Run(TypedDict):
    """What is known of a run."""

    mark: str
    cgroup: str | None
    scratch: str | None
    root: Identity | None
    members: list[Identity]


Runs = dict[int, Run]


class Process:
    """A living process.

    Args:
        pid: Its number.
        parent: Its parent's.
        session: The number of the process that began its session.
        start: When it began, in the kernel's ticks.
    """

    def __init__(self, pid: int, parent: int, session: int, start: int) -> None:
        self.identity = (pid, start)
        self.pid, self.parent, self.session = pid, parent, session


def main() -> None:
    """Waits for the end of the process `argv[1]`, its parent, and ends what it left running."""
    for number in UNWANTED:
        # A shutdown tells everybody at once: undaunted then ends its runs, and after that us.
        signal.signal(number, signal.SIG_IGN)
    # Until now they were held back: `process_guard.py` blocks them while it starts us.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, UNWANTED)
    runs = serve(sys.stdin.fileno(), int(sys.argv[1]))
    if not runs:
        return
    if os.access("/proc/self/stat", os.R_OK):
        _end(list(runs.values()))
    else:
        _end_groups(list(runs.values()))
    _remove_scratch(list(runs.values()))


def serve(stream: int, parent: int) -> Runs:
    """Takes messages until undaunted is gone; returns the runs that were on.

    The pipe alone would not do: a child that undaunted's program forked without exec (the fork
    method of `multiprocessing`) holds it open too. So the process itself is watched where the
    kernel offers that (Linux 5.3).
    """
    runs: Runs = {}
    begun = b""
    news = select.poll()
    news.register(stream, select.POLLIN)
    gone = _watched(parent)
    if gone is not None:
        news.register(gone, select.POLLIN)
    # Our parent is another once it has died: then what it said is there, and no more comes.
    patience_ms = None if os.getppid() == parent else 0
    while True:
        ready = [descriptor for descriptor, _ in news.poll(patience_ms)]
        if stream not in ready:
            return runs  # it is gone, and all that it said is read
        chunk = os.read(stream, 1 << 16)
        if not chunk:
            return runs
        # What comes after the last newline is half a message of somebody who died over it.
        *lines, begun = (begun + chunk).split(b"\n")
        for line in lines:
            number, run = json.loads(line)
            if run is None:
                runs.pop(number, None)
            else:
                runs[number] = _with_tuples(run)


def _with_tuples(run: dict[str, Any]) -> Run:
    """The run with pairs that compare equal to ours: JSON has lists."""
    return Run(
        mark=run["mark"],
        cgroup=run["cgroup"],
        scratch=run["scratch"],
        root=run["root"] and tuple(run["root"]),
        members=[tuple(member) for member in run["members"]],
    )


def _watched(parent: int) -> int | None:
    """A file that can be read once the process has ended; None where there is no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(parent)
    except OSError:
        return None  # ended already, or a kernel without it


def of_run(run: Run, table: dict[int, Process], marks: dict[int, str]) -> set[int]:
    """Returns the pids of a run's living processes and remembers them in the run.

    Args:
        run: The run.
        table: All living processes.
        marks: The values of UNDAUNTED_ATTEMPT, of those that have one.
    """
    known = set(run["members"])
    sessions = set()
    if (root := run["root"]) is not None:
        leader = table.get(root[0])
        # Another process gets the number only when nobody of the session is left.
        if leader is None or leader.identity == root:
            sessions.add(root[0])
    inside = _pids_in(run["cgroup"])
    mark = run["mark"]
    found = own = {
        process.pid
        for process in table.values()
        if process.identity in known
        or process.session in sessions
        or process.pid in inside
        or (mark and f"{marks.get(process.pid, '')}/".startswith(f"{mark}/"))
    }
    while found:
        found = {p.pid for p in table.values() if p.parent in found or p.session in found} - own
        own = own | found
    run["members"] = [table[pid].identity for pid in own]
    return own


def living() -> dict[int, Process]:
    """Every living process but this one, by its pid (proc_pid_stat(5))."""
    table = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib doubles the time to start
        if not name.isdecimal():
            continue
        try:
            # The name in parentheses may hold anything: only the last ")" ends it.
            fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
        except _GONE:
            continue
        if fields[0] not in _DEAD_STATES:
            pid = int(name)
            table[pid] = Process(pid, int(fields[1]), int(fields[3]), int(fields[19]))
    table.pop(os.getpid(), None)
    return table


def _marks(table: dict[int, Process]) -> dict[int, str]:
    marks = {}
    for pid in table:
        try:
            environ = _read(f"/proc/{pid}/environ")
        except _GONE:
            continue
        for setting in environ.split(b"\0"):
            name, _, value = setting.partition(b"=")
            if name == b"UNDAUNTED_ATTEMPT":
                marks[pid] = value.decode(errors="replace")
    return marks


def _pids_in(cgroup: str | None) -> set[int]:
    pids: set[int] = set()
    for folder in _folders(cgroup):
        try:
            pids.update(map(int, _read(f"{folder}/cgroup.procs").split()))
        except OSError:
            continue  # removed since, or a threaded group
    return pids


def _end(runs: list[Run]) -> None:
    began = time.monotonic()
    pause_s = _FIRST_PAUSE_S
    told: set[Identity] = set()
    empty_looks = 0
    while empty_looks < _EMPTY_LOOKS and time.monotonic() < began + GIVE_UP_S:
        table = living()
        marks = _marks(table)
        alive = {pid for run in runs for pid in of_run(run, table, marks)}
        empty_looks = 0 if alive else empty_looks + 1
        grace_over = time.monotonic() >= began + GRACE_S
        for pid in alive:
            if grace_over:
                _signal(pid, signal.SIGKILL)
            elif table[pid].identity not in told:
                told.add(table[pid].identity)
                # A stopped process gets its TERM only when it goes on.
                _signal(pid, signal.SIGTERM, signal.SIGCONT)
        for run in runs if grace_over else []:
            _kill_cgroup(run["cgroup"])
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
    for run in runs:
        _kill_cgroup(run["cgroup"])
        _remove_cgroup(run["cgroup"])


def _end_groups(runs: list[Run]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for run in runs:
            if run["root"] is not None:
                _signal(-run["root"][0], number)
        if number == signal.SIGTERM:
            time.sleep(GRACE_S)


def _signal(pid: int, *numbers: signal.Signals) -> None:
    for number in numbers:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return  # gone, or another user's: nothing that we could do


def _kill_cgroup(cgroup: str | None) -> None:
    if cgroup is None:
        return
    try:
        file = os.open(f"{cgroup}/cgroup.kill", os.O_WRONLY)
    except OSError:
        return  # removed already, or a kernel before 5.14: the signals have to do
    try:
        os.write(file, b"1")
    finally:
        os.close(file)


def _remove_cgroup(cgroup: str | None) -> None:
    until = time.monotonic() + GRACE_S
    for folder in _folders(cgroup):
        while time.monotonic() < until:
            try:
                os.rmdir(folder)  # noqa: PTH106 - as in `living`
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(_FIRST_PAUSE_S)  # not quite empty yet
            else:
                break


def _remove_scratch(runs: list[Run]) -> None:
    """Removes the runs' own folders: agents leave conversations there."""
    import shutil  # noqa: PLC0415 - seldom needed, and it doubles the time to start

    for run in runs:
        if run["scratch"] is not None:
            # What can't be removed (a read-only folder, a full disk) nobody is there to be told of.
            shutil.rmtree(run["scratch"], ignore_errors=True)


def _folders(cgroup: str | None) -> list[str]:
    """The group and those below it, the deepest first."""
    return [folder for folder, _, _ in os.walk(cgroup, topdown=False)] if cgroup else []


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - as in `living`
        return file.read()


if __name__ == "__main__":
    main()
