"""What is special to the real opencode: its sessions, its permissions, its log, and its config."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from real_agents.lone_agent import LoneAgent, lone_agent
from undaunted.rehearsal.answers import Answer, shell, write_file
from undaunted.rehearsal.server import RehearsalServer

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("opencode")]

# Longest time in seconds until it has started and asked its model.
PATIENCE_S = 60.0

ALLOW_ALL = {"permission": {"bash": "allow", "edit": "allow", "*": "allow"}}


@pytest.fixture
async def opencode(tmp_path: Path) -> AsyncIterator[LoneAgent]:
    async with lone_agent("opencode", tmp_path) as agent:
        yield agent


async def test_a_run_that_was_cut_off_is_continued(opencode: LoneAgent) -> None:
    """Its session is known before it answers; the next request holds prompt and tool call."""
    knocked = asyncio.Event()
    async with RehearsalServer(on_request=lambda _: knocked.set()) as door:
        begun = f"import urllib.request as r, time; r.urlopen('{door.url}'); time.sleep(600)"
        step = shell(f'{sys.executable} -c "{begun}"')
        opencode.api.set_answer(Answer("done", (step,)))
        run = asyncio.create_task(opencode.run("Count to ten.", permissions="full"))
        await asyncio.wait_for(knocked.wait(), PATIENCE_S)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    [session] = opencode.told("session")
    opencode.api.forget()
    done = await opencode.run("Count to ten.", permissions="full", resume=session)
    assert (done.content, done.agent_session_id) == ("done", session)
    [request] = opencode.api.model_requests
    first, _, again = [(m.role, m.text) for m in request.messages]
    assert first == ("user", "Count to ten.")
    assert again[0] == "user"
    assert "The run before this one was cut off" in again[1]


async def test_a_session_that_is_gone_begins_anew(opencode: LoneAgent) -> None:
    """A session that it does not know costs a start, not the task."""
    done = await opencode.run("Say it.", resume="ses_nosuch")
    assert done.failure is None
    assert done.content == "says opencode"
    assert len(opencode.told("session_lost")) == 1
    [request] = opencode.api.model_requests
    assert request.prompt == "Say it."


@pytest.mark.parametrize(
    "prompt",
    ["--help", "/init @a.txt\n\n'a' \"b\" !`ls` $1 $HOME {env:HOME} äß 漢字 🙂\n"],
    ids=["option", "everything"],
)
async def test_as_typed(opencode: LoneAgent, prompt: str) -> None:
    """The prompt reaches the model letter by letter, and no second one is asked for a title."""
    (opencode.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")
    assert (await opencode.run(prompt)).content == "says opencode"
    [request] = opencode.api.model_requests
    assert request.prompt_parts == (prompt,)


async def test_read_changes_nothing(opencode: LoneAgent) -> None:
    """Neither a file nor a command, whatever the configuration and that of the folder allow."""
    folder = {**ALLOW_ALL, "agent": {"build": ALLOW_ALL}}
    (opencode.cwd / "opencode.json").write_text(json.dumps(folder), encoding="utf-8")
    opencode.env["OPENCODE_CONFIG_CONTENT"] = json.dumps(ALLOW_ALL)
    file = opencode.cwd / "new.txt"
    opencode.api.set_answer(Answer("done", (shell(f"touch {file}"), write_file(str(file), "x"))))
    done = await opencode.run(permissions="read")
    assert done.content == "done"
    assert not file.exists()
    assert len(opencode.api.model_requests) == 1, "the tools were not offered"


async def test_edit_ends_at_the_working_directory(opencode: LoneAgent, tmp_path: Path) -> None:
    """`edit` writes a file here; elsewhere, or with a command, it is denied, and goes on."""
    here, elsewhere = opencode.cwd / "here.txt", tmp_path / "elsewhere.txt"
    by_command = opencode.cwd / "by-command.txt"
    steps = (
        write_file(str(here), "x"),
        write_file(str(elsewhere), "x"),
        shell(f"touch {by_command}"),
    )
    opencode.api.set_answer(Answer("done", steps))
    done = await opencode.run()
    assert (done.content, done.exit_code) == ("done", 0)
    assert [(d.tool, d.detail) for d in done.permission_denials] == [
        ("write", str(elsewhere)),
        ("bash", f"touch {by_command}"),
    ]
    assert here.exists()
    assert not elsewhere.exists()
    assert not by_command.exists()


async def test_full_runs_a_command(opencode: LoneAgent, tmp_path: Path) -> None:
    """`full` runs a shell command, and writes elsewhere."""
    elsewhere = tmp_path / "elsewhere.txt"
    done = await opencode.ask_for(shell(f"touch {elsewhere}"), "full")
    assert done.permission_denials == ()
    assert elsewhere.exists()


async def test_inner_retries_are_told(opencode: LoneAgent) -> None:
    """The log tells of each, and of the model that was asked."""
    await opencode.api.set_fault("500:1")
    done = await opencode.run()
    assert (done.content, done.inner_retries) == ("says opencode", 1)
    assert done.model == "rehearsal/rehearsal-model"
    [why] = opencode.told("inner_retry")
    assert why.startswith("The server had an error")


async def test_a_model_that_it_does_not_know(opencode: LoneAgent) -> None:
    """The event says "unexpected server error"; the log says what it was."""
    done = await opencode.run(model="rehearsal/nosuch")
    assert done.failure is not None
    assert done.failure.kind == "not_found"
    assert "Model not found: rehearsal/nosuch" in done.failure.message
