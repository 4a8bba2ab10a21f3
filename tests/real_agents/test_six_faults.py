"""Six faults of its model, as each real agent takes them: ok, 429, 401, 500, cut, hang."""

from __future__ import annotations

import pytest

from living import marked
from needs import AGENTS
from real_agents.desk import GEMINI_MODEL, Desk, Run

pytestmark = pytest.mark.real_agents

# Who takes over: of the two that start the fastest the other one.
NEXT = {agent: "codex" if agent == "claude" else "claude" for agent in AGENTS}

each_agent = pytest.mark.parametrize(
    "agent", [pytest.param(a, marks=pytest.mark.needs(a, NEXT[a])) for a in AGENTS]
)

MODELS = {
    "claude": "claude-",
    "gemini": GEMINI_MODEL,
    "copilot": "rehearsal-model",
    "opencode": "rehearsal/rehearsal-model",
}

# Ours to limit with three of them.
INNER_RETRIES = {"claude": 2, "gemini": 2, "copilot": 5, "codex": 2, "opencode": 5}

# Longer than any is silent before its first word on a busy machine: Gemini CLI needed 14 s once.
IDLE_TIMEOUT_S = 15

BROKEN = {"broken_response", "network", "server_error"}


def check_over(desk: Desk, run: Run) -> None:
    """Nothing of the run lives: neither by the desk's HOME nor by the mark of an attempt."""
    assert desk.left_alive() == []
    assert [marked(attempt["token"]) for attempt in run.attempts] == [[]] * len(run.attempts)


async def run_both(desk: Desk, agent: str, fault: str, *arguments: str) -> Run:
    """A run on `agent`, which fails once, and then on the next one, which answers."""
    await desk.apis[agent].set_fault(fault)
    run = await desk.run(
        "Say hello.", "--agents", f"{agent},{NEXT[agent]}", "--attempts", "1", *arguments
    )
    check_over(desk, run)
    assert run.status == 0, run.stderr
    assert [attempt["agent"] for attempt in run.attempts] == [agent, NEXT[agent]]
    assert [attempt["action"] for attempt in run.attempts] == ["switch", "done"]
    assert run.task["content"] == f"says {NEXT[agent]}"
    assert desk.prompts(NEXT[agent]) == ["Say hello."]
    return run


@each_agent
async def test_ok(desk: Desk, agent: str) -> None:
    """The answer and its figures come back; the model gets the prompt, and nothing else of ours."""
    run = await desk.run("Say hello.", "--agents", agent)
    check_over(desk, run)
    assert run.status == 0, run.stderr
    assert run.task["content"] == f"says {agent}"
    assert run.course == [(agent, "succeeded")]
    [prompt] = desk.prompts(agent)
    assert prompt.endswith("Say hello.")
    assert "undaunted" not in prompt
    [attempt] = run.attempts
    assert (attempt["exit_code"], attempt["inner_retries"]) == (0, 0)
    assert run.task["agent_session_id"]
    if agent != "copilot":  # it tells premium requests, and no tokens
        assert attempt["usage"]["input_tokens"] > 0
        assert attempt["usage"]["output_tokens"] > 0
    if agent != "codex":  # it does not tell its model
        assert run.task["model"].startswith(MODELS[agent])
    if agent == "claude":
        assert run.task["cost_usd"] > 0


@each_agent
async def test_429(desk: Desk, agent: str) -> None:
    """Once its own retries are used up it is our turn, after the time that was asked for."""
    run = await desk.run_on_a_bad_day(agent, "429;retry-after=1", "Say hello.")
    check_over(desk, run)
    assert run.status == 0, run.stderr
    assert run.task["content"] == f"says {agent}"
    assert run.course == [(agent, "rate_limited"), (agent, "succeeded")]
    limited, done = run.attempts
    assert (limited["action"], done["action"]) == ("retry", "done")
    assert limited["inner_retries"] == INNER_RETRIES[agent]
    if agent == "gemini":  # the others tell nobody how long they were asked to wait
        assert limited["retry_after_s"] == pytest.approx(1.0)


@each_agent
async def test_401(desk: Desk, agent: str) -> None:
    """A key that is rejected is never tried twice by us: the next agent answers."""
    run = await run_both(desk, agent, "401")
    assert run.course[0] == (agent, "auth")


@each_agent
async def test_500(desk: Desk, agent: str) -> None:
    """A service that is down for a while is asked again."""
    # Left alone opencode waits for a minute; the others don't heed the hint, or it changes little.
    fault = "500;retry-after=1" if agent == "opencode" else "500"
    run = await desk.run_on_a_bad_day(agent, fault, "Say hello.")
    check_over(desk, run)
    assert run.status == 0, run.stderr
    assert run.task["content"] == f"says {agent}"
    # Codex words it as a high demand.
    kind = "overloaded" if agent == "codex" else "server_error"
    assert run.course == [(agent, kind), (agent, "succeeded")]
    assert [attempt["action"] for attempt in run.attempts] == ["retry", "done"]


@each_agent
async def test_cut(desk: Desk, agent: str) -> None:
    """An answer that breaks off is none; how it is gone on with is shown in test_resume.py."""
    run = await run_both(desk, agent, "cut", "--idle-timeout", f"{IDLE_TIMEOUT_S}s")
    # opencode waits ever longer between its retries, and says nothing meanwhile.
    assert run.course[0][1] in ({"timeout"} if agent == "opencode" else BROKEN), run.attempts[0]


@each_agent
async def test_hang(desk: Desk, agent: str) -> None:
    """A silent agent is ended, however it is launched, and the next one answers."""
    run = await run_both(desk, agent, "hang", "--idle-timeout", f"{IDLE_TIMEOUT_S}s")
    assert run.course[0] == (agent, "timeout")
    assert run.attempts[0]["message"] == f"printed nothing for {IDLE_TIMEOUT_S} s"
