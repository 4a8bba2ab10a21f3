"""undaunted is killed, or told to end, while a real agent's command runs: nothing lives on."""

from __future__ import annotations

import asyncio
import signal
import sys
from uuid import uuid4

import pytest

from needs import AGENTS
from real_agents.desk import Command, Desk, Process, processes
from undaunted.rehearsal.answers import Answer, shell

pytestmark = pytest.mark.real_agents

each_agent = pytest.mark.parametrize(
    "agent", [pytest.param(agent, marks=pytest.mark.needs(agent)) for agent in AGENTS]
)

# How long, in seconds, an agent may take until its command runs.
PATIENCE_S = 100

# All is over five seconds after a kill; a machine that is busy with other tests needs longer.
GONE_AFTER_S = 20


async def at_work(desk: Desk, agent: str) -> tuple[Command, Process]:
    """`undaunted run` whose agent has begun a long command, and that command's process."""
    sleep = f"sleep 1000.{uuid4().int % 10**9:09}"  # like no other on this machine
    knock = f"import urllib.request as r; r.urlopen('{desk.door}')"
    step = shell(f'{sleep} & {sys.executable} -IS -c "{knock}"; wait')
    desk.apis[agent].set_answer(Answer("done", (step,)))
    desk.env["IS_SANDBOX"] = "1"  # else Claude Code grants root nothing
    command = await desk.start("Run it.", "--agents", agent, "--permissions", "full")
    async with asyncio.timeout(PATIENCE_S):
        await desk.knocked.wait()
    [sleeping] = [process for process in processes() if process.argv == sleep]
    return command, sleeping


@pytest.mark.parametrize(
    "cgroups", [False, pytest.param(True, marks=pytest.mark.cgroups)], ids=["no cgroups", "cgroups"]
)
@each_agent
async def test_killed(desk: Desk, agent: str, cgroups: bool) -> None:
    """kill -9: its guard ends the agent with all that came of it, and then itself."""
    if not cgroups:
        desk.env["UNDAUNTED_CGROUPS"] = "off"
    command, sleeping = await at_work(desk, agent)
    assert ("/undaunted-" in sleeping.cgroup) == cgroups
    command.send(signal.SIGKILL)
    async with asyncio.timeout(GONE_AFTER_S):
        await desk.deserted()
        await sleeping.ended()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@each_agent
async def test_told_to_end(desk: Desk, agent: str, number: signal.Signals, status: int) -> None:
    """INT, TERM and HUP end agent and command first, wherever they are, then the task."""
    command, sleeping = await at_work(desk, agent)
    command.send(number)
    run = await command.told()
    assert desk.left_alive() == []
    assert sleeping.argv not in [process.argv for process in processes()]
    assert run.status == status, run.stderr
    assert run.task["state"] == "cancelled"
    assert [attempt["outcome"] for attempt in run.attempts] == ["cancelled"]
