"""What is special to the real Copilot CLI: its sessions, its permissions, and what it obeys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from real_agents.lone_agent import LoneAgent, lone_agent
from undaunted.rehearsal.answers import shell, write_file

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("copilot")]

# It is silent while it waits for the model; a run that does something is not silent for so long.
IDLE_S = 8.0


@pytest.fixture
async def copilot(tmp_path: Path) -> AsyncIterator[LoneAgent]:
    async with lone_agent("copilot", tmp_path) as agent:
        yield agent


async def test_a_run_that_was_cut_off_is_continued(copilot: LoneAgent) -> None:
    """The session has the id that we gave it; the second request holds the earlier turns."""
    await copilot.api.set_fault("hang-mid")
    cut = await copilot.run("Count to ten.", idle_timeout_s=IDLE_S)
    assert cut.failure is not None
    assert cut.failure.kind == "timeout"
    assert cut.agent_session_id is not None
    await copilot.api.set_fault("ok")
    copilot.api.forget()
    done = await copilot.run("Count to ten.", resume=cut.agent_session_id)
    assert (done.content, done.agent_session_id) == ("says copilot", cut.agent_session_id)
    request = copilot.api.model_requests[0]
    earlier, again = [m.text for m in request.messages if m.role == "user"]
    assert earlier.endswith("Count to ten.")
    assert "The run before this one was cut off" in again


async def test_a_session_that_is_gone_begins_anew(copilot: LoneAgent) -> None:
    """A session that it does not know costs a start, not the task."""
    stale = str(uuid4())
    done = await copilot.run("Say it.", resume=stale)
    assert done.failure is None
    assert done.content == "says copilot"
    assert done.agent_session_id not in {None, stale}
    assert [n.kind for n in copilot.notices].count("session_lost") == 1
    [request] = copilot.api.model_requests
    assert request.prompt.endswith("Say it.")


@pytest.mark.parametrize(
    "prompt",
    [
        "--help",
        "/clear",
        "/Compact",
        "Explain @a.txt",
        "!ls",
        " 'a' \"b\" $HOME {x} <b>\n\n äß 漢字 🙂",
    ],
    ids=["option", "command", "nearly a command", "mention", "shell", "quotes"],
)
async def test_as_typed(copilot: LoneAgent, prompt: str) -> None:
    """The prompt reaches the model letter by letter, behind the program's own line of time."""
    (copilot.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")
    done = await copilot.run(prompt)
    assert done.content == "says copilot"
    [request] = copilot.api.model_requests
    assert request.prompt.endswith(f"</current_datetime>\n\n{prompt}")
    assert len(request.prompt_parts) == 1


@pytest.mark.parametrize("step", ["write", "shell"])
async def test_read_changes_nothing(copilot: LoneAgent, step: str) -> None:
    """`read` denies what changes something, whatever the environment allows, and tells of it."""
    copilot.env["COPILOT_ALLOW_ALL"] = "true"
    file = copilot.cwd / "new.txt"
    call = write_file(str(file), "written") if step == "write" else shell(f"touch {file}")
    done = await copilot.ask_for(call, "read")
    assert not file.exists()
    assert [d.tool for d in done.permission_denials] == [{"write": "create", "shell": "bash"}[step]]
    assert str(file) in done.permission_denials[0].detail


async def test_edit_ends_at_the_working_directory(copilot: LoneAgent, tmp_path: Path) -> None:
    """`edit` writes a file here, and neither elsewhere nor with a command."""
    copilot.env["COPILOT_ALLOW_ALL"] = "true"
    here, elsewhere = copilot.cwd / "here.txt", tmp_path / "elsewhere.txt"
    assert (await copilot.ask_for(write_file(str(here), "x"), "edit")).permission_denials == ()
    assert here.exists()
    by_command = copilot.cwd / "by-command.txt"
    for step in (write_file(str(elsewhere), "x"), shell(f"touch {by_command}")):
        assert len((await copilot.ask_for(step, "edit")).permission_denials) == 1
    assert not elsewhere.exists()
    assert not by_command.exists()


async def test_a_folders_hooks_do_not_run(copilot: LoneAgent) -> None:
    """A folder that was merely cloned runs nothing, not even where the environment trusts all."""
    copilot.env["COPILOT_ALLOW_ALL"] = "true"
    ran = copilot.cwd / "ran"
    start = [{"type": "command", "bash": f"touch {ran}"}]
    hooks = copilot.cwd / ".github" / "hooks"
    hooks.mkdir(parents=True)
    text = json.dumps({"version": 1, "hooks": {"sessionStart": start}})
    (hooks / "start.json").write_text(text, encoding="utf-8")
    assert (await copilot.run()).content == "says copilot"
    assert not ran.exists()


async def test_full_runs_a_command(copilot: LoneAgent, tmp_path: Path) -> None:
    """`full` runs a shell command, and writes elsewhere."""
    elsewhere = tmp_path / "elsewhere.txt"
    done = await copilot.ask_for(shell(f"touch {elsewhere}"), "full")
    assert done.permission_denials == ()
    assert elsewhere.exists()


async def test_inner_retries_are_told(copilot: LoneAgent) -> None:
    """What it survives by itself is counted, and is one attempt of ours."""
    await copilot.api.set_fault("500:2")
    done = await copilot.run()
    assert (done.content, done.inner_retries) == ("says copilot", 2)
    assert [n.kind for n in copilot.notices].count("inner_retry") == 2
