"""What is special to the real Copilot CLI: its sessions, its permissions, and what it obeys."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from needs import agents_path
from undaunted.agents.agent import AgentRequest, AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.copilot import CopilotAgent
from undaunted.agents.process import run_process
from undaunted.rehearsal.answers import Answer, ToolCall, shell, write_file
from undaunted.rehearsal.homes import throwaway_home
from undaunted.rehearsal.server import RehearsalServer
from undaunted.tasks import Permissions

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("copilot")]

# It is silent while it waits for the model; a run that does something is not silent for so long.
IDLE_S = 8.0


@dataclass
class Copilot:
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
            extra_args=(),
            env_names=(),
            agent_session_id=str(uuid4()),
            token=uuid4().hex,
            timeout_s=120.0,
            idle_timeout_s=idle_timeout_s,
        )
        return await CopilotAgent(context).run(
            replace(request, resume_session_id=resume),
            sink=lambda *_: None,
            notify=self.notices.append,
        )

    async def ask_for(self, step: ToolCall, permissions: Permissions) -> AgentResult:
        """A run in which the model asks for `step`, then is done."""
        self.api.set_answer(Answer("done", (step,)))
        result = await self.run(permissions=permissions)
        assert result.failure is None
        assert result.content == "done"
        return result


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where it unpacks itself, 235 MB, once for all tests."""
    folder = tmp_path_factory.mktemp("copilot")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def copilot(tmp_path: Path, cache: Path) -> AsyncIterator[Copilot]:
    cwd = tmp_path / "work"
    cwd.mkdir()
    async with RehearsalServer(answer="says copilot") as api:
        home = throwaway_home("copilot", api.url, tmp_path / "home", cache=cache)
        yield Copilot(api, {"PATH": agents_path(), "LANG": "C.UTF-8", **home}, cwd)


async def test_a_run_that_was_cut_off_is_continued(copilot: Copilot) -> None:
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


async def test_a_session_that_is_gone_begins_anew(copilot: Copilot) -> None:
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
async def test_as_typed(copilot: Copilot, prompt: str) -> None:
    """The prompt reaches the model letter by letter, behind the program's own line of time."""
    (copilot.cwd / "a.txt").write_text("what stands in the file", encoding="utf-8")
    done = await copilot.run(prompt)
    assert done.content == "says copilot"
    [request] = copilot.api.model_requests
    assert request.prompt.endswith(f"</current_datetime>\n\n{prompt}")
    assert len(request.prompt_parts) == 1


@pytest.mark.parametrize("step", ["write", "shell"])
async def test_read_changes_nothing(copilot: Copilot, step: str) -> None:
    """`read` denies what changes something, whatever the environment allows, and tells of it."""
    copilot.env["COPILOT_ALLOW_ALL"] = "true"
    file = copilot.cwd / "new.txt"
    call = write_file(str(file), "written") if step == "write" else shell(f"touch {file}")
    done = await copilot.ask_for(call, "read")
    assert not file.exists()
    assert [d.tool for d in done.permission_denials] == [{"write": "create", "shell": "bash"}[step]]
    assert str(file) in done.permission_denials[0].detail


async def test_edit_ends_at_the_working_directory(copilot: Copilot, tmp_path: Path) -> None:
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


async def test_a_folders_hooks_do_not_run(copilot: Copilot) -> None:
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


async def test_full_runs_a_command(copilot: Copilot, tmp_path: Path) -> None:
    """`full` runs a shell command, and writes elsewhere."""
    elsewhere = tmp_path / "elsewhere.txt"
    done = await copilot.ask_for(shell(f"touch {elsewhere}"), "full")
    assert done.permission_denials == ()
    assert elsewhere.exists()


async def test_inner_retries_are_told(copilot: Copilot) -> None:
    """What it survives by itself is counted, and is one attempt of ours."""
    await copilot.api.set_fault("500:2")
    done = await copilot.run()
    assert (done.content, done.inner_retries) == ("says copilot", 2)
    assert [n.kind for n in copilot.notices].count("inner_retry") == 2
