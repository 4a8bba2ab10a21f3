"""Both ways to look at the machine's processes agree with the kernel, and with each other."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest

from undaunted.agents import process_table as module
from undaunted.agents.process_table import ProcessTable

TABLES = {
    "proc": ProcessTable(module._read_proc, module._variable_in_proc),
    "psutil": ProcessTable(module._read_psutil, module._variable_in_psutil),
}
ZOMBIE = """
import os, time
pid = os.fork()
if not pid: os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=TABLES.values(), ids=TABLES.keys())
def table(request: pytest.FixtureRequest) -> ProcessTable:
    return request.param  # type: ignore[no-any-return]  # pytest's param is untyped


def test_we_are_in_the_table(table: ProcessTable) -> None:
    """This process stands there with its parent and its session."""
    entry = table.read()[os.getpid()]
    assert (entry.pid, entry.parent_pid) == (os.getpid(), os.getppid())
    assert entry.session_id == os.getsid(0)
    assert entry.identity == table.read()[os.getpid()].identity


async def test_a_name_may_hold_anything(stage: Any, table: ProcessTable) -> None:
    """Spaces and parentheses in a program's name don't break its row."""
    program = stage.cwd / "a) b (c"
    shutil.copy(shutil.which("sh") or "/bin/sh", program)
    running = stage.start(str(program), "-c", "echo $$; read forever < /dev/zero")
    pid = int(await stage.line(0))
    entry = table.read()[pid]
    assert (entry.name, entry.parent_pid, entry.session_id) == ("a) b (c", os.getpid(), pid)
    await stage.stop(running)


async def test_a_variable_is_the_one_at_the_start(stage: Any, table: ProcessTable) -> None:
    """The environment that a process was started with can be read; a missing name is None."""
    running = stage.start("sh", "-c", "echo $$; sleep 600")
    pid = int(await stage.line(0))
    assert table.variable(pid, "UNDAUNTED_ATTEMPT") == stage.token
    assert table.variable(pid, "UNDAUNTED_ATTEMP") is None
    await stage.stop(running)


async def test_a_zombie_is_not_alive(stage: Any, table: ProcessTable) -> None:
    """A process that has ended and waits for its parent is not in the table."""
    running = stage.start(sys.executable, "-I", "-S", "-c", ZOMBIE)
    zombie = int(await stage.line(0))
    assert os.path.exists(f"/proc/{zombie}")  # noqa: ASYNC240, PTH110 - /proc never blocks
    assert zombie not in table.read()
    await stage.stop(running)


def test_a_process_that_is_gone_has_no_variables(table: ProcessTable) -> None:
    """Asking after a process that never was is answered with None."""
    assert table.variable(2**22 + 1, "PATH") is None
