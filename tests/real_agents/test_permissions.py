"""What a real agent may do under `--permissions`, tried with tool calls of the model."""

from __future__ import annotations

import json
import sys

import pytest

from real_agents.desk import Desk, Run
from undaunted.rehearsal.answers import Answer, ToolCall, shell, write_file

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("claude", "gemini")]

EACH_AGENT = pytest.mark.parametrize("agent", ["claude", "gemini"])


async def ask_for(desk: Desk, agent: str, step: ToolCall, permissions: str) -> Run:
    """Runs `agent` with a model that asks for `step`, then is done."""
    desk.apis[agent].set_answer(Answer("done", (step,)))
    run = await desk.run("Do it.", "--agents", agent, "--permissions", permissions)
    assert run.status == 0, run.stderr
    assert run.task["content"] == "done"
    return run


@EACH_AGENT
async def test_edit_writes_here(desk: Desk, agent: str) -> None:
    """`edit` lets a tool call change a file of the working directory."""
    file = desk.cwd / "new.txt"
    run = await ask_for(desk, agent, write_file(str(file), "written"), "edit")
    assert file.read_text(encoding="utf-8").strip() == "written"
    assert run.attempts[0]["permission_denials"] == []


@EACH_AGENT
async def test_edit_does_not_write_elsewhere(desk: Desk, agent: str) -> None:
    """`edit` ends at the working directory, and the denied call is in the attempt."""
    file = desk.home / "new.txt"
    run = await ask_for(desk, agent, write_file(str(file), "written"), "edit")
    assert not file.exists()
    denial = run.attempts[0]["permission_denials"][0]
    assert denial["tool"] == {"claude": "Write", "gemini": "write_file"}[agent]
    assert str(file) in denial["detail"]


@EACH_AGENT
async def test_edit_runs_no_program(desk: Desk, agent: str) -> None:
    """`edit` grants no shell: Claude Code denies the call, Gemini CLI does not offer the tool."""
    file = desk.cwd / "new.txt"
    command = f"{sys.executable} -c \"open('{file}', 'w')\""
    run = await ask_for(desk, agent, shell(command), "edit")
    assert not file.exists()
    denied = [denial["detail"] for denial in run.attempts[0]["permission_denials"]]
    assert denied == ([command] if agent == "claude" else [])


@pytest.mark.parametrize("tool", ["write", "shell"])
@EACH_AGENT
async def test_read_changes_nothing(desk: Desk, agent: str, tool: str) -> None:
    """`read` takes the changing tools away, even where the person's settings allow them."""
    allow_everything(desk)
    file = desk.cwd / "new.txt"
    command = f"{sys.executable} -c \"open('{file}', 'w')\""
    step = write_file(str(file), "written") if tool == "write" else shell(command)
    await ask_for(desk, agent, step, "read")
    assert not file.exists()
    # The model was asked once: it had no such tool to call.
    assert len(desk.prompts(agent)) == 1


@EACH_AGENT
async def test_full_runs_a_program(desk: Desk, agent: str) -> None:
    """`full` runs a shell command."""
    desk.env["IS_SANDBOX"] = "1"  # one of Claude Code's own variables: it lets root do so
    file = desk.cwd / "new.txt"
    run = await ask_for(desk, agent, shell(f"{sys.executable} -c \"open('{file}', 'w')\""), "full")
    assert file.exists()
    assert run.attempts[0]["permission_denials"] == []


@pytest.mark.needs("root")
async def test_full_as_root(desk: Desk) -> None:
    """Claude Code refuses root everything; that is told as a matter of configuration."""
    run = await desk.run("Do it.", "--agents", "claude", "--permissions", "full")
    assert run.status == 1, run.stderr
    assert run.course == [("claude", "misconfigured")]
    assert "cannot be used with root/sudo privileges" in run.attempts[0]["message"]
    assert desk.apis["claude"].requests == []


def allow_everything(desk: Desk) -> None:
    """Has the person's own settings of both agents allow every tool."""
    claude = desk.home / ".claude" / "settings.json"
    claude.parent.mkdir()
    claude.write_text(
        json.dumps({"permissions": {"allow": ["Bash", "Edit", "Write"]}}), encoding="utf-8"
    )
    gemini = desk.home / ".gemini" / "settings.json"
    settings = json.loads(gemini.read_text(encoding="utf-8"))
    settings["tools"] = {"allowed": ["replace", "run_shell_command", "write_file"]}
    gemini.write_text(json.dumps(settings), encoding="utf-8")
