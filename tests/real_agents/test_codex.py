"""What is special to the real Codex: its sessions, its sandbox, its retries and its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from real_agents.lone_agent import LoneAgent, lone_agent
from undaunted.rehearsal.answers import ToolCall, shell

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("codex")]


def settings(codex: LoneAgent) -> Path:
    """The person's own."""
    return Path(codex.env["HOME"], ".codex", "config.toml")


def patch(file: Path) -> ToolCall:
    """A step that adds `file` with the program's own tool, which runs in no sandbox."""
    return shell(
        f"apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {file}\n+x\n*** End Patch\nEOF"
    )


@pytest.fixture
async def codex(tmp_path: Path) -> AsyncIterator[LoneAgent]:
    async with lone_agent("codex", tmp_path) as agent:
        yield agent


@pytest.mark.parametrize("fault", ["cut", "hang-mid"])
async def test_a_run_that_was_cut_off_is_continued(codex: LoneAgent, fault: str) -> None:
    """Whether the answer was cut or we were: the next request holds the earlier turns."""
    await codex.api.set_fault(fault)
    cut = await codex.run("Count to ten.", idle_timeout_s=8.0)
    assert cut.failure is not None
    assert cut.failure.kind == {"cut": "network", "hang-mid": "timeout"}[fault]
    await codex.api.set_fault("ok")
    codex.api.forget()
    done = await codex.run("Count to ten.", resume=cut.agent_session_id, permissions="read")
    assert (done.content, done.agent_session_id) == ("says codex", cut.agent_session_id)
    [request] = codex.api.model_requests
    said = [m.text for m in request.messages if m.role == "user"]
    assert "Count to ten." in said
    assert said[-1].startswith("The run before this one was cut off")
    assert len(codex.told("session_lost")) == 0


async def test_a_session_that_is_gone_begins_anew(codex: LoneAgent) -> None:
    """A session that it does not know costs a start, not the task."""
    stale = str(uuid4())
    done = await codex.run("Say it.", resume=stale)
    assert done.content == "says codex"
    assert done.agent_session_id not in {None, stale}
    assert len(codex.told("session_lost")) == 1
    assert [r.prompt for r in codex.api.model_requests] == ["Say it."]


async def test_arguments_that_no_resumed_run_takes(codex: LoneAgent) -> None:
    """Where the person's own arguments are for new sessions only, a new one it is."""
    first = await codex.run()
    done = await codex.run(resume=first.agent_session_id, extra_args=("--add-dir", str(codex.cwd)))
    assert done.content == "says codex"
    assert done.agent_session_id != first.agent_session_id
    assert len(codex.told("session_lost")) == 1


@pytest.mark.parametrize(
    "prompt",
    [
        "-",
        "--help",
        "/clear",
        "Explain @a.txt",
        "!ls",
        "resume",
        " 'a' \"b\" $HOME {x} <b>\n\n äß 漢字 🙂 \n",
        "".join(f"Line {n} of a long prompt.\n" for n in range(12_000))[:300_000],
    ],
    ids=["dash", "option", "command", "mention", "shell", "word", "quotes", "long"],
)
async def test_as_typed(codex: LoneAgent, prompt: str) -> None:
    """The prompt reaches the model letter by letter."""
    (codex.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")
    assert (await codex.run(prompt)).content == "says codex"
    [request] = codex.api.model_requests
    assert request.prompt == prompt


async def test_read_changes_nothing(codex: LoneAgent) -> None:
    """`read` holds whatever the person's settings and rules allow."""
    text = settings(codex).read_text(encoding="utf-8")
    settings(codex).write_text(
        f'sandbox_mode = "danger-full-access"\napproval_policy = "on-request"\n{text}',
        encoding="utf-8",
    )
    rules = settings(codex).parent / "rules" / "default.rules"
    rules.parent.mkdir()
    rules.write_text('prefix_rule(pattern=["touch"], decision="allow")\n', encoding="utf-8")
    by_command, by_patch = codex.cwd / "by-command.txt", codex.cwd / "by-patch.txt"
    await codex.ask_for(shell(f"touch {by_command}"), "read")
    denied = await codex.ask_for(patch(by_patch), "read")
    assert [d.tool for d in denied.permission_denials] == ["apply_patch"]
    assert list(codex.cwd.iterdir()) == []


async def test_edit_ends_at_the_working_directory(codex: LoneAgent, tmp_path: Path) -> None:
    """`edit` writes here with a patch or a command, and elsewhere, in /tmp also, with neither."""
    here = codex.cwd / "here.txt", codex.cwd / "patched.txt"
    await codex.ask_for(shell(f"touch {here[0]}"), "edit")
    done = await codex.ask_for(patch(here[1]), "edit")
    assert sorted(codex.cwd.iterdir()) == [*here]
    assert done.permission_denials == ()
    elsewhere = tmp_path / "elsewhere.txt"
    stopped = await codex.ask_for(shell(f"sleep 1; touch {elsewhere}"), "edit")
    refused = await codex.ask_for(patch(elsewhere), "edit")
    denials = *stopped.permission_denials, *refused.permission_denials
    assert [d.tool for d in denials] == ["command_execution", "apply_patch"]
    assert not elsewhere.exists()


async def test_full_writes_elsewhere(codex: LoneAgent, tmp_path: Path) -> None:
    """`full` runs a command without the sandbox."""
    elsewhere = tmp_path / "elsewhere.txt"
    done = await codex.ask_for(shell(f"touch {elsewhere}"), "full")
    assert done.permission_denials == ()
    assert elsewhere.exists()


async def test_a_folders_settings_do_not_count(codex: LoneAgent) -> None:
    """A folder that was merely cloned starts nothing, and chooses neither model nor provider."""
    ran = codex.cwd / "ran"
    settings = codex.cwd / ".codex" / "config.toml"
    settings.parent.mkdir()
    settings.write_text(
        'model = "another"\nmodel_provider = "openai"\n'
        f'[mcp_servers.x]\ncommand = "touch"\nargs = ["{ran}"]\n',
        encoding="utf-8",
    )
    assert (await codex.run(permissions="full")).content == "says codex"
    [request] = codex.api.model_requests
    assert request.model != "another"
    assert not ran.exists()


async def test_inner_retries_are_few_and_told(codex: LoneAgent) -> None:
    """A provider of the person's own is asked three times at most, each retry announced."""
    await codex.api.set_fault("500:2")
    done = await codex.run()
    assert (done.content, done.inner_retries) == ("says codex", 2)
    assert [n.kind for n in codex.notices].count("inner_retry") == 2
    await codex.api.set_fault("500")
    codex.api.forget()
    failed = await codex.run()
    assert failed.failure is not None
    assert failed.inner_retries == 2
    assert len(codex.api.model_requests) == 3


async def test_offline_is_not_waited_out(codex: LoneAgent) -> None:
    """It would wait for the network for ever; the task moves on after a few of its notices."""
    await codex.api.set_fault("refused")
    failed = await codex.run()
    assert failed.failure is not None
    assert (failed.failure.kind, failed.inner_retries) == ("network", 3)
    assert "waiting for network" in failed.failure.message
