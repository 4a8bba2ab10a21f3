"""The answer of a real agent alone, and after retries of its own and of ours."""

from __future__ import annotations

import pytest

from real_agents.desk import Desk
from undaunted.agents.continuation import continuation

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


@pytest.mark.parametrize("agent", ["claude", "gemini"])
async def test_rate_limited_four_times(desk: Desk, agent: str) -> None:
    """Beyond its two inner retries the agent gives up, and our second attempt gets the answer."""
    await desk.apis[agent].set_fault("429;retry-after=1:4")
    run = await desk.run("Say hello.", "--agents", agent, "--attempts", "2")
    assert run.status == 0, run.stderr
    assert run.course == [(agent, "rate_limited"), (agent, "succeeded")]
    assert [attempt["inner_retries"] for attempt in run.attempts] == [2, 1]
    assert [attempt["action"] for attempt in run.attempts] == ["retry", "done"]
    first, again = "Say hello.", continuation("Say hello.")
    assert desk.prompts(agent) == [first, first, first, again, again]
    if agent == "gemini":  # Claude Code tells nobody how long it was asked to wait
        assert run.attempts[0]["retry_after_s"] == pytest.approx(1.0)


async def test_a_long_rate_limit_is_not_slept_through(desk: Desk) -> None:
    """A limit of an hour ends the run at once, with the time at which the agent is back."""
    await desk.apis["gemini"].set_fault("429;retry-after=3600")
    run = await desk.run("Say hello.", "--agents", "gemini")
    assert run.status == 75, run.stderr
    assert run.course == [("gemini", "rate_limited")]
    assert run.attempts[0]["retry_after_s"] == pytest.approx(3600.0)
    assert run.task["error"]["retry_after"] == pytest.approx(3600, abs=5)
    assert "come back at" in run.stderr
