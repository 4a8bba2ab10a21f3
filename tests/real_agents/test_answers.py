"""The answer alone, after retries of the agent's own, and not after an hour."""

from __future__ import annotations

import pytest

from real_agents.desk import Desk

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("claude", "gemini")]


async def test_the_answer_alone_is_on_stdout(desk: Desk) -> None:
    """Without --json stdout holds the answer and nothing else."""
    command = await desk.undaunted("run", "--agents", "claude", "Say hello.")
    status, stdout, stderr, _ = await command.ended()
    assert (status, stdout) == (0, "says claude\n"), stderr
    assert "edit: --permission-mode acceptEdits" in stderr


@pytest.mark.parametrize("agent", ["claude", "gemini"])
async def test_rate_limited_twice(desk: Desk, agent: str) -> None:
    """Two rate limits are survived by the agent itself, in one attempt of ours."""
    await desk.apis[agent].set_fault("429;retry-after=1:2")
    run = await desk.run("Say hello.", "--agents", agent)
    assert run.status == 0, run.stderr
    assert run.course == [(agent, "succeeded")]
    assert run.attempts[0]["inner_retries"] == 2
    assert len(desk.prompts(agent)) == 3
    assert run.stderr.count("retries by itself") == 2


async def test_a_long_rate_limit_is_not_slept_through(desk: Desk) -> None:
    """A limit of an hour ends the run at once, with the time at which the agent is back."""
    await desk.apis["gemini"].set_fault("429;retry-after=3600")
    run = await desk.run("Say hello.", "--agents", "gemini")
    assert run.status == 75, run.stderr
    assert run.course == [("gemini", "rate_limited")]
    assert run.attempts[0]["retry_after_s"] == pytest.approx(3600.0)
    assert run.task["error"]["retry_after"] == pytest.approx(3600, abs=5)
    assert "come back at" in run.stderr
