"""What a real agent did before it was cut off is gone on with, and not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from needs import AGENTS
from real_agents.desk import Desk, Run
from undaunted.rehearsal.answers import Answer, shell

pytestmark = pytest.mark.real_agents

each_agent = pytest.mark.parametrize(
    "agent", [pytest.param(agent, marks=pytest.mark.needs(agent)) for agent in AGENTS]
)

# Where each keeps its sessions, below HOME.
SESSIONS = {
    "claude": ".claude/projects",
    "gemini": ".gemini/tmp",
    "copilot": ".copilot/session-state",
    "codex": ".codex/sessions",
    "opencode": ".local/share/opencode",
}


@pytest.fixture
def noted(desk: Desk) -> Callable[[], str]:
    """What the model has had written into a file, a line each time, before it answered."""
    notes = desk.cwd / "notes.txt"
    answer = Answer("all noted", (shell(f"echo noted >> {notes}"),))
    for api in desk.apis.values():
        api.set_answer(answer)
    desk.env["IS_SANDBOX"] = "1"  # else Claude Code grants root nothing
    return lambda: notes.read_text(encoding="utf-8")


async def cut_off(desk: Desk, agent: str, meanwhile: Callable[[], None] = lambda: None) -> Run:
    """A run that is cut off in mid-answer, after the note was taken, and then is well."""
    # Of a cut opencode recovers by itself, or not, after more than a minute.
    fault = "500;retry-after=1" if agent == "opencode" else "cut"
    run = await desk.run_on_a_bad_day(
        agent,
        fault,
        "Take notes.",
        *("--permissions", "full"),
        begins_well=True,
        meanwhile=meanwhile,
    )
    assert run.status == 0, run.stderr
    assert run.task["content"] == "all noted"
    assert [attempt["outcome"] for attempt in run.attempts] == ["failed", "succeeded"]
    assert run.attempts[1]["reason_chosen"] == "attempt 2; continues its session"
    return run


@each_agent
async def test_cut_off(desk: Desk, noted: Callable[[], str], agent: str) -> None:
    """The second attempt's first request holds prompt and work; the tool ran once."""
    run = await cut_off(desk, agent)
    [request] = desk.apis[agent].model_requests
    first = next(m for m in request.messages if m.role == "user" and "Take notes." in m.text)
    result = next(m for m in request.messages if m.role == "tool")
    assert request.messages.index(first) < request.messages.index(result)
    assert "The run before this one was cut off" in request.messages[-1].text
    assert noted() == "noted\n"
    assert "begins anew" not in run.stderr


@each_agent
async def test_a_session_that_is_gone(desk: Desk, noted: Callable[[], str], agent: str) -> None:
    """A session that was removed meanwhile costs one start: the prompt is asked afresh."""
    run = await cut_off(desk, agent, lambda: shutil.rmtree(desk.home / SESSIONS[agent]))
    assert run.stderr.count("begins anew") == 1
    fresh = desk.apis[agent].model_requests[0]
    assert fresh.prompt.endswith("Take notes.")
    assert "tool" not in {message.role for message in fresh.messages}
    assert "The run before this one" not in fresh.prompt
    assert noted() == "noted\n" * 2
