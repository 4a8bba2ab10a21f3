"""What is special to the real Codex: its sessions, its sandbox, its retries and its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from needs import agents_path
from undaunted.agents.agent import AgentRequest, AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.codex import CodexAgent
from undaunted.agents.process import run_process
from undaunted.rehearsal.answers import Answer, ToolCall, shell
from undaunted.rehearsal.homes import throwaway_home
from undaunted.rehearsal.server import RehearsalServer
from undaunted.tasks import Permissions

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("codex")]


@dataclass
class Codex:
    """The real program in a home of its own, with its model API on loopback."""

    api: RehearsalServer
    env: dict[str, str]
    cwd: Path
    notices: list[RunNotice] = field(default_factory=list)

    async def run(
        self,
        prompt: str = "Do it.",
        *,
        permissions: Permissions = "edit",
        resume: str | None = None,
        extra_args: tuple[str, ...] = (),
        idle_timeout_s: float = 60.0,
    ) -> AgentResult:
        context = CliContext(
            env=self.env,
            data_folder=self.cwd,
            run_process=run_process,
            now=lambda: datetime.now(UTC),
        )
        request = AgentRequest(
            prompt=prompt,
            cwd=str(self.cwd),
            permissions=permissions,
            model=None,
            extra_args=extra_args,
            env_names=(),
            agent_session_id=str(uuid4()),
            token=uuid4().hex,
            timeout_s=120.0,
            idle_timeout_s=idle_timeout_s,
            resume_session_id=resume,
            longest_wait_s=60.0,
        )
        return await CodexAgent(context).run(
            request, sink=lambda *_: None, notify=self.notices.append
        )

    async def ask_for(self, step: ToolCall, permissions: Permissions) -> AgentResult:
        """A run in which the model asks for `step`, then is done."""
        self.api.set_answer(Answer("done", (step,)))
        result = await self.run(permissions=permissions)
        assert (result.content, result.failure) == ("done", None)
        return result

    @property
    def settings(self) -> Path:
        """The person's own."""
        return Path(self.env["HOME"], ".codex", "config.toml")

    def lost_sessions(self) -> int:
        return [notice.kind for notice in self.notices].count("session_lost")


def patch(file: Path) -> ToolCall:
    """A step that adds `file` with the program's own tool, which runs in no sandbox."""
    return shell(
        f"apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {file}\n+x\n*** End Patch\nEOF"
    )


@pytest.fixture
async def codex(tmp_path: Path) -> AsyncIterator[Codex]:
    cwd = tmp_path / "work"
    cwd.mkdir()
    async with RehearsalServer(answer="says codex") as api:
        home = throwaway_home("codex", api.url, tmp_path / "home")
        yield Codex(api, {"PATH": agents_path(), "LANG": "C.UTF-8", **home}, cwd)


@pytest.mark.parametrize("fault", ["cut", "hang-mid"])
async def test_a_run_that_was_cut_off_is_continued(codex: Codex, fault: str) -> None:
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
    assert codex.lost_sessions() == 0


async def test_a_session_that_is_gone_begins_anew(codex: Codex) -> None:
    """A session that it does not know costs a start, not the task."""
    stale = str(uuid4())
    done = await codex.run("Say it.", resume=stale)
    assert done.content == "says codex"
    assert done.agent_session_id not in {None, stale}
    assert codex.lost_sessions() == 1
    assert [r.prompt for r in codex.api.model_requests] == ["Say it."]


async def test_arguments_that_no_resumed_run_takes(codex: Codex) -> None:
    """Where the person's own arguments are for new sessions only, a new one it is."""
    first = await codex.run()
    done = await codex.run(resume=first.agent_session_id, extra_args=("--add-dir", str(codex.cwd)))
    assert done.content == "says codex"
    assert done.agent_session_id != first.agent_session_id
    assert codex.lost_sessions() == 1


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
async def test_as_typed(codex: Codex, prompt: str) -> None:
    """The prompt reaches the model letter by letter."""
    (codex.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")
    assert (await codex.run(prompt)).content == "says codex"
    [request] = codex.api.model_requests
    assert request.prompt == prompt


async def test_read_changes_nothing(codex: Codex) -> None:
    """`read` holds whatever the person's settings and rules allow."""
    text = codex.settings.read_text(encoding="utf-8")
    codex.settings.write_text(
        f'sandbox_mode = "danger-full-access"\napproval_policy = "on-request"\n{text}',
        encoding="utf-8",
    )
    rules = codex.settings.parent / "rules" / "default.rules"
    rules.parent.mkdir()
    rules.write_text('prefix_rule(pattern=["touch"], decision="allow")\n', encoding="utf-8")
    by_command, by_patch = codex.cwd / "by-command.txt", codex.cwd / "by-patch.txt"
    await codex.ask_for(shell(f"touch {by_command}"), "read")
    denied = await codex.ask_for(patch(by_patch), "read")
    assert [d.tool for d in denied.permission_denials] == ["apply_patch"]
    assert list(codex.cwd.iterdir()) == []


async def test_edit_ends_at_the_working_directory(codex: Codex, tmp_path: Path) -> None:
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


async def test_full_writes_elsewhere(codex: Codex, tmp_path: Path) -> None:
    """`full` runs a command without the sandbox."""
    elsewhere = tmp_path / "elsewhere.txt"
    done = await codex.ask_for(shell(f"touch {elsewhere}"), "full")
    assert done.permission_denials == ()
    assert elsewhere.exists()


async def test_a_folders_settings_do_not_count(codex: Codex) -> None:
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


async def test_inner_retries_are_few_and_told(codex: Codex) -> None:
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


async def test_offline_is_not_waited_out(codex: Codex) -> None:
    """It would wait for the network for ever; the task moves on after a few of its notices."""
    await codex.api.set_fault("refused")
    failed = await codex.run()
    assert failed.failure is not None
    assert (failed.failure.kind, failed.inner_retries) == ("network", 3)
    assert "waiting for network" in failed.failure.message
