"""A signal ends a run in an orderly way: the agent first, then the task, then the command."""

from __future__ import annotations

import json
import signal

import pytest

from integration.cli.shell import Doorbell, Shell, ended
from living import is_alive, marked
from undaunted.cli.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, ExitCode.HUNG_UP),
    ],
)
def test_a_signal_cancels_the_task(
    shell: Shell, doorbell: Doorbell, number: signal.Signals, status: ExitCode
) -> None:
    """In mid-attempt: no process of it is left, the task is cancelled, the status says which."""
    shell.fake(claude=["hang", str(doorbell.path)])
    process = shell.start("run", "--json", "Hello")
    with ended(doorbell.pid()):
        process.send_signal(number)
        printed, told = process.communicate(timeout=60)
        assert process.returncode == status, told
        task = json.loads(printed)
        assert marked(task["attempts"][0]["token"]) == []
    assert task["state"] == "cancelled"
    assert task["attempts"][0]["outcome"] == "cancelled"
    assert f"{number.name}: ends the agent" in told.decode()
    assert b"Traceback" not in told


@pytest.mark.slow
def test_a_second_signal_changes_nothing(shell: Shell, doorbell: Doorbell) -> None:
    """While the agent, deaf to SIGTERM, is being ended a second Ctrl-C is only answered."""
    shell.fake(claude=["deaf", str(doorbell.path)])
    process = shell.start("run", "Hello")
    assert process.stderr is not None
    pid = doorbell.pid()
    with ended(pid):
        process.send_signal(signal.SIGINT)
        told = b""
        while b"SIGINT: ends the agent" not in told:
            told += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED
        assert not is_alive(pid)
    assert "SIGINT: is ending already" in rest
    assert "Traceback" not in rest
    assert shell.json("show", "last")["state"] == "cancelled"


def test_a_signal_that_was_ignored_stays_ignored(shell: Shell, doorbell: Doorbell) -> None:
    """Under `nohup` SIGHUP does not end the run; SIGTERM still does."""
    shell.fake(claude=["hang", str(doorbell.path)])
    process = shell.start("run", "Hello", ignoring=signal.SIGHUP)
    with ended(doorbell.pid()):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == ExitCode.TERMINATED
