"""The guard and its runner, seen from the process that they belong to."""

from __future__ import annotations

import errno
import json
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from living import is_alive
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.guard import serve
from undaunted.agents.process import GuardedRunner, SpawnError
from undaunted.agents.process_guard import Guard
from undaunted.agents.process_table import ProcessEntry, ProcessTable, process_table
from undaunted.failures import FailureKind


@pytest.fixture
async def runner() -> AsyncIterator[GuardedRunner]:
    runner = GuardedRunner()
    yield runner
    await runner.aclose()
    assert runner.guard_pid is None


async def test_one_guard_serves_all_runs(runner: GuardedRunner, stage: Any) -> None:
    """It begins with the first run, stays for the next, and ends with the runner."""
    assert runner.guard_pid is None
    await runner(stage.spec(code=""))
    guard = runner.guard_pid
    assert guard is not None
    await runner(stage.spec(code=""))
    assert runner.guard_pid == guard
    assert is_alive(guard)
    await runner.aclose()
    assert not is_alive(guard)


async def test_a_command_that_can_not_be_started_is_not_guarded(
    runner: GuardedRunner, stage: Any
) -> None:
    """The error is the same as without a guard, and the next run goes well."""
    with pytest.raises(SpawnError, match="was not found"):
        await runner(stage.spec("no-such-agent"))
    assert (await runner(stage.spec(code=""))).exit_code == 0


async def test_without_a_guard_the_run_goes_on(
    runner: GuardedRunner,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A guard that can't be started is logged, and costs no task."""
    monkeypatch.setattr(logging.getLogger("undaunted.agents.process_guard"), "disabled", False)
    spec = stage.spec(code="")
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(sys, "executable", "/no/such/python")
        assert (await runner(spec)).exit_code == 0
    assert runner.guard_pid is None
    assert "no guard process" in caplog.text


def test_a_guard_that_does_not_listen_is_replaced() -> None:
    """A stopped guard neither blocks us nor is left to take our runs for orphans one day."""
    guard = Guard()
    runs = [guard.begin(mark="first", cgroup=None)]
    stopped = guard.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    while guard.pid == stopped:  # until the pipe is full
        runs.append(guard.begin(mark="m" * 1000, cgroup=None))
    assert guard.pid is not None
    assert not is_alive(stopped)
    for run in runs:
        run.end()
    guard.close()


def test_what_did_not_change_is_not_told() -> None:
    """A look that finds the same processes costs no message."""
    told: list[bytes] = []

    class Silent(Guard):
        alive = True

        def tell(self, message: bytes) -> bool:
            told.append(message)
            return True

    run = Silent().begin(mark="tok", cgroup=Path("/group"))
    run.learn(100, [(100, 7)])
    run.learn(100, [(100, 7)])
    run.learn(100, [(101, 8)])
    run.end()
    run.end()
    known = b'{"mark": "tok", "cgroup": "/group", "scratch": null, "root": %s, "members": %s}'
    assert told == [
        b"[1, %s]\n" % (known % (b"null", b"[]")),
        b"[1, %s]\n" % (known % (b"[100, 7]", b"[[100, 7]]")),
        b"[1, %s]\n" % (known % (b"[100, 7]", b"[[101, 8]]")),
        b"[1, null]\n",
    ]


def test_a_guard_that_starts_late_reads_what_was_said() -> None:
    """undaunted is dead, a copy holds its pipe: whole messages count, half a one does not."""
    dead = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    dead.wait()
    there, here = os.pipe()
    run = {
        "mark": "tok",
        "cgroup": None,
        "scratch": None,
        "root": [100, 7],
        "members": [[100, 7], [101, 8]],
    }
    said = [[1, run], [2, run], [1, None]]
    os.write(here, b"".join(json.dumps(message).encode() + b"\n" for message in said) + b"[2, nu")
    known = run | {"root": (100, 7), "members": [(100, 7), (101, 8)]}
    assert serve(there, dead.pid) == {2: known}
    os.close(here)
    assert serve(there, os.getppid()) == {}, "the end of the pipe is one too"
    os.close(there)


async def test_on_windows_nothing_is_run(
    runner: GuardedRunner, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the runner says at once that it does not work, and that no other agent would."""
    spec = stage.spec(code="")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SpawnError, match="not on Windows") as raised:
        await runner(spec)
    assert (raised.value.kind, raised.value.blames_task) == (FailureKind.MISCONFIGURED, True)


def test_a_guard_that_dies_in_mid_run_is_replaced() -> None:
    """The next look at the run starts a new one, although nothing of the run has changed."""
    guard = Guard()
    run = guard.begin(mark="tok", cgroup=None)
    run.learn(100, [(100, 7)])
    first = guard.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    run.learn(100, [(100, 7)])
    assert guard.pid not in {None, first}
    run.end()
    guard.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe's size is the system's")
def test_a_run_of_thousands_of_processes_is_guarded() -> None:
    """What is known of it is more than a usual pipe holds."""
    guard = Guard()
    run = guard.begin(mark="tok", cgroup=None)
    first = guard.pid
    run.learn(100, [(10_000_000 + n, 123_456_789) for n in range(5000)])
    assert guard.pid == first is not None
    run.end()
    guard.close()


async def test_what_cant_be_looked_at_is_ended_all_the_same(
    stage: Any, monkeypatch: pytest.MonkeyPatch, runner: GuardedRunner
) -> None:
    """Without a file descriptor for a look nothing known lives on, and the guard keeps the run."""
    table = process_table()
    seen: list[ProcessEntry] = []

    def read() -> dict[int, ProcessEntry]:
        if seen:
            raise OSError(errno.EMFILE, "Too many open files")
        entries = table.read()
        mine = [e for e in entries.values() if table.variable(e.pid, ATTEMPT_VARIABLE) == "tok"]
        seen.extend(mine if len(mine) >= 2 else [])
        return entries

    broken = ProcessTable(read, table.variable)
    monkeypatch.setattr("undaunted.agents.process.process_table", lambda: broken)
    monkeypatch.setattr("undaunted.agents.process._LOOK_EVERY_S", 0.01)
    env = {"PATH": os.environ["PATH"], ATTEMPT_VARIABLE: "tok"}
    spec = stage.spec("sh", "-c", "sleep 600 & sleep 600")
    with pytest.raises(OSError, match="Too many open files"):
        await runner(replace(spec, env=env))
    ends = [os.pidfd_open(e.pid) for e in seen if is_alive(e.pid)]
    assert all(select.select([end], [], [], 60)[0] for end in ends)
    assert runner._guard._runs, "what could not be looked for stays the guard's"
