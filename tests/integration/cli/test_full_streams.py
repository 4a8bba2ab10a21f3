"""Streams that can't be written: nobody's answer, task or exit status suffers for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "UNDAUNTED_DATA_DIR": str(tmp_path / "data")}


def undaunted(env: dict[str, str], *arguments: str, full: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command with the stream `full` on a full disk."""
    with Path("/dev/full").open("wb") as disk:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: disk}
        done = subprocess.run(
            [sys.executable, "-m", "undaunted", *arguments],
            env=env,
            check=False,
            stdin=subprocess.DEVNULL,
            **streams,  # type: ignore[call-overload]
        )
    return done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode()


def states(env: dict[str, str]) -> list[str]:
    command = [sys.executable, "-m", "undaunted", "tasks", "--rehearsal", "--json"]
    listed = subprocess.run(command, env=env, check=True, capture_output=True)
    return [task["state"] for task in json.loads(listed.stdout)]


def test_stderr_is_full(env: dict[str, str]) -> None:
    """The narration is dropped; the task, its answer and the status are as ever."""
    status, out, _ = undaunted(env, "run", "--rehearsal", "--json", "hi", full="stderr")
    assert status == 0
    assert json.loads(out)["state"] == "succeeded"


def test_a_usage_error_with_a_full_stderr(env: dict[str, str]) -> None:
    """The status says it where no text can."""
    assert undaunted(env, "run", "--no-such-flag", full="stderr")[0] == 2


@pytest.mark.parametrize("form", [[], ["--json"], ["--events"]])
def test_stdout_is_full(env: dict[str, str], form: list[str]) -> None:
    """The task is done and kept, and what went wrong is said without a traceback."""
    status, _, err = undaunted(env, "run", "--rehearsal", *form, "hi", full="stdout")
    assert status == 70
    assert "stdout can't be written" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert states(env) == ["succeeded"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "show"]])
def test_other_commands(env: dict[str, str], arguments: list[str]) -> None:
    """No command tells a full disk as a bug with a traceback."""
    status, _, err = undaunted(env, *arguments, full="stdout")
    assert status == 70
    assert "Traceback" not in err
    assert "Exception ignored" not in err
