"""One real agent by itself, without the flow: for what is special to its program."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from needs import AGENTS_BIN, agents_path
from undaunted.agents.account import Account
from undaunted.agents.agent import AgentRequest, AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.process import run_process
from undaunted.config import Settings
from undaunted.rehearsal.answers import Answer, ToolCall
from undaunted.rehearsal.homes import throwaway_home
from undaunted.rehearsal.server import RehearsalServer
from undaunted.roster import agent_of
from undaunted.tasks import Permissions

__all__ = ["AGENTS_CACHE", "LoneAgent", "lone_agent"]

AGENTS_CACHE = AGENTS_BIN.parent / ".cache" / "rehearsal"
"""Where programs unpack themselves, once for all homes (Copilot CLI: 235 MB)."""


@dataclass
class LoneAgent:
    """The real program in a home of its own, with its model API on loopback."""

    name: str
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
        model: str | None = None,
        extra_args: tuple[str, ...] = (),
        idle_timeout_s: float = 60.0,
    ) -> AgentResult:
        """Runs it once."""
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
            model=model,
            extra_args=extra_args,
            env_names=(),
            agent_session_id=str(uuid4()),
            token=uuid4().hex,
            timeout_s=120.0,
            idle_timeout_s=idle_timeout_s,
            resume_session_id=resume,
            longest_wait_s=60.0,
        )
        agent = agent_of(self.name, Settings(), context, Account())
        return await agent.run(request, sink=lambda *_: None, notify=self.notices.append)

    async def ask_for(self, step: ToolCall, permissions: Permissions) -> AgentResult:
        """A run in which the model asks for `step`, then is done."""
        self.api.set_answer(Answer("done", (step,)))
        result = await self.run(permissions=permissions)
        assert (result.content, result.failure) == ("done", None)
        return result

    def told(self, kind: str) -> list[str]:
        """What it told of this kind while it ran."""
        return [notice.text for notice in self.notices if notice.kind == kind]


@asynccontextmanager
async def lone_agent(name: str, folder: Path) -> AsyncGenerator[LoneAgent]:
    """The agent `name`, well, with its home and its working directory below `folder`."""
    cwd = folder / "work"
    cwd.mkdir()
    async with RehearsalServer(answer=f"says {name}") as api:
        home = throwaway_home(name, api.url, folder / "home", cache=AGENTS_CACHE)
        yield LoneAgent(name, api, {"PATH": agents_path(), "LANG": "C.UTF-8", **home}, cwd)
