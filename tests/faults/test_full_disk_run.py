"""A disk that fills up while an agent works costs no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from small_disk import small_disk

pytestmark = pytest.mark.needs("root")

# Fills the disk that undaunted writes to, then answers as Claude Code would.
FILLS_THE_DISK = """
import json, os, sys
sys.stdin.read()
with open(os.environ["CLAUDE_BALLAST"], "wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(1024))
    except OSError:
        pass
result = {"type": "result", "subtype": "success", "is_error": False, "result": "the answer"}
print(json.dumps({**result, "padding": "x" * 20000}))
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    with small_disk(tmp_path, size_mib=2) as disk:
        yield disk


@pytest.mark.parametrize("form", ["answer", "json"])
def test_the_answer_comes_out(tmp_path: Path, disk: Path, form: str) -> None:
    """The answer is printed, the trouble is told, and with room again the task is accounted for."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -IS\n{FILLS_THE_DISK}")
    program.chmod(0o755)
    ballast = disk / "ballast"
    env = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "UNDAUNTED_DATA_DIR": str(disk / "data"),
        "CLAUDE_BALLAST": str(ballast),
    }

    def undaunted(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "undaunted", *arguments]
        return subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    flags = ["--json"] if form == "json" else []
    done = undaunted("run", "--agents", "claude", *flags, "do it")
    assert done.returncode == 70, done.stderr
    assert "could not be written down" in done.stderr
    if form == "json":
        error = json.loads(done.stdout)
        assert error["details"]["code"] == "ANSWER_NOT_RECORDED"
        assert error["details"]["details"] == {"content": "the answer"}
    else:
        assert done.stdout == "the answer\n"
    ballast.unlink()
    tasks = json.loads(undaunted("tasks", "--json").stdout)
    assert [t["state"] for t in tasks] == ["failed"]
