"""A prompt reaches a real agent's model as it was typed, or is refused with a reason."""

from __future__ import annotations

import pytest

from real_agents.desk import Desk

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("claude", "gemini")]

TRICKY = {
    "an-option": "--help",
    "a-file-elsewhere": "@/etc/hostname",
    "quotes": "Two lines,\n\n 'single' \"double\" `back` $HOME \\n %s {x} <b> äßñ 漢字 🙂\n",
}
# What Gemini CLI would run, or read, instead of handing it on.
REFUSED_BY_GEMINI = {"a-command": "/clear", "a-file-here": "Explain @a.txt"}


@pytest.fixture
def file_here(desk: Desk) -> None:
    (desk.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")


@pytest.mark.usefixtures("file_here")
@pytest.mark.parametrize(
    ("agent", "prompt"),
    [
        *(pytest.param("claude", p, id=f"claude-{n}") for n, p in TRICKY.items()),
        *(pytest.param("claude", p, id=f"claude-{n}") for n, p in REFUSED_BY_GEMINI.items()),
        *(pytest.param("gemini", p, id=f"gemini-{n}") for n, p in TRICKY.items()),
    ],
)
async def test_as_typed(desk: Desk, agent: str, prompt: str) -> None:
    """Text that looks like an option, a command or a file reaches the model letter by letter."""
    run = await desk.run(prompt, "--agents", agent)
    assert run.status == 0, run.stderr
    assert desk.prompts(agent) == [prompt]


@pytest.mark.usefixtures("file_here")
@pytest.mark.parametrize("prompt", REFUSED_BY_GEMINI.values(), ids=REFUSED_BY_GEMINI)
async def test_refused(desk: Desk, prompt: str) -> None:
    """What Gemini CLI would not hand on as typed it never gets; the next agent does."""
    run = await desk.run(prompt, "--agents", "gemini,claude")
    assert run.status == 0, run.stderr
    assert run.course == [("gemini", "invalid_request"), ("claude", "succeeded")]
    assert "would not hand the prompt on as typed: it takes" in run.attempts[0]["message"]
    assert run.attempts[0]["exit_code"] is None, "it was not even started"
    assert desk.apis["gemini"].requests == []
    assert desk.prompts("claude") == [prompt]


async def test_refused_by_the_only_one(desk: Desk) -> None:
    """With no other agent the run fails and says why."""
    run = await desk.run("/clear", "--agents", "gemini")
    assert run.status == 1, run.stderr
    assert run.course == [("gemini", "invalid_request")]
    assert "it takes /clear for a command of its own" in run.stderr


@pytest.mark.parametrize("agent", ["claude", "gemini"])
async def test_long(desk: Desk, agent: str) -> None:
    """300,000 characters on stdin, more than one argument can hold, reach the model unchanged."""
    prompt = "".join(f"Line {n} of a long prompt.\n" for n in range(12_000))[:300_000]
    assert len(prompt) == 300_000
    run = await desk.run("-", "--agents", agent, stdin=prompt)
    assert run.status == 0, run.stderr
    assert desk.prompts(agent) == [prompt]
