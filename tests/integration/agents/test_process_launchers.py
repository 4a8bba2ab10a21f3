"""Launchers that don't pass a signal on: the whole tree is told, and nothing of it stays.

The fakes do what was recorded of gemini 0.61.0 and copilot 1.0.102: gemini's launcher ignores TERM,
INT and HUP; copilot's dies of them and leaves the worker running; tools have sessions of their own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest

from living import is_alive
from undaunted.agents.process_table import process_table

PYTHON = (sys.executable, "-I", "-S", "-c")

TOOL = ("sleep", "600")
# Ends at once when asked, as gemini's worker and copilot's do, with status 0.
WORKER = f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
tool = subprocess.Popen({TOOL}, start_new_session=True)
os.write(1, b"%d %d\\n" % (os.getpid(), tool.pid))
signal.pause()
"""
# Knows nothing of what the launcher is told: its own group is only what the launcher makes it.
LAUNCHER = """
import os, signal, subprocess, sys
if sys.argv[2] == "deaf":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-I", "-S", "-c", sys.argv[1]])
worker.wait()
"""  # noqa: E501


def _launcher(kind: str) -> tuple[str, ...]:
    return (*PYTHON, LAUNCHER, WORKER, kind)


@pytest.mark.parametrize("kind", ["deaf", "mortal"])
async def test_a_launcher_takes_all_with_it(stage: Any, kind: str) -> None:
    """Worker and tool are gone with a launcher that ignores signals, and with one that dies."""
    running = stage.start(*_launcher(kind), grace_s=20)
    pids = [int(pid) for pid in (await stage.line(0)).split()]
    assert all(map(is_alive, pids))
    await stage.stop(running)
    assert not any(map(is_alive, pids))


async def test_a_launcher_that_is_killed_takes_all_with_it(stage: Any) -> None:
    """Killed from outside, a launcher's worker and tool are named as left behind, and ended."""
    running = stage.start(*_launcher("deaf"), grace_s=20)
    worker, tool = (int(pid) for pid in (await stage.line(0)).split())
    os.kill(process_table().read()[worker].parent_pid, signal.SIGKILL)
    result = await running
    assert (result.exit_code, len(result.left_behind)) == (-signal.SIGKILL, 2)
    assert not is_alive(worker)
    assert not is_alive(tool)


async def test_a_worker_that_refuses_is_killed(stage: Any) -> None:
    """Deaf all the way down: after the grace nothing is asked any more."""
    deaf = WORKER.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")
    running = stage.start(*PYTHON, LAUNCHER, deaf, "deaf", grace_s=0.3)
    pids = [int(pid) for pid in (await stage.line(0)).split()]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any(map(is_alive, pids))
