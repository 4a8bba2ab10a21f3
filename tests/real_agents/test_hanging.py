"""A real agent that hangs, or is interrupted while it does, leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from living import marked
from needs import AGENTS
from real_agents.desk import Desk

pytestmark = pytest.mark.real_agents

# Longer than either takes to say its first word on a busy machine: Gemini CLI needed 14 s once.
IDLE_TIMEOUT_S = 15
DEADLINE_S = 120

# How long, in seconds, an agent may take until it asks its model.
PATIENCE_S = 100


@pytest.mark.needs("claude", "gemini")
@pytest.mark.parametrize(("first", "second"), [("claude", "gemini"), ("gemini", "claude")])
async def test_hang_in_mid_answer(desk: Desk, first: str, second: str) -> None:
    """A silent agent is ended, the next one answers inside the deadline, no process is left."""
    await desk.apis[first].set_fault("hang-mid")
    run = await desk.run(
        "Say hello.",
        *("--agents", f"{first},{second}"),
        *("--idle-timeout", f"{IDLE_TIMEOUT_S}s", "--deadline", f"{DEADLINE_S}s"),
    )
    assert run.status == 0, run.stderr
    assert run.task["content"] == f"says {second}"
    assert run.course == [(first, "timeout"), (second, "succeeded")]
    hung = run.attempts[0]
    assert hung["message"] == f"printed nothing for {IDLE_TIMEOUT_S} s"
    assert hung["duration_s"] >= IDLE_TIMEOUT_S
    assert run.duration_s < DEADLINE_S
    assert marked(hung["token"]) == []
    assert desk.left_alive() == []


@pytest.mark.parametrize("agent", [pytest.param(a, marks=pytest.mark.needs(a)) for a in AGENTS])
async def test_interrupted_while_the_model_thinks(desk: Desk, agent: str) -> None:
    """Ctrl-C while the agent waits for its model cancels the task and ends every process."""
    await desk.apis[agent].set_fault("hang")
    command = await desk.start("Say hello.", "--agents", agent)
    await asyncio.wait_for(desk.asked[agent].wait(), PATIENCE_S)
    command.interrupt()
    run = await command.told()
    assert run.status == 130, run.stderr
    assert desk.left_alive() == []
    assert run.task["state"] == "cancelled"
    assert [attempt["outcome"] for attempt in run.attempts] == ["cancelled"]
    assert marked(run.attempts[0]["token"]) == []
