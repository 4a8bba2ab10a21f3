"""The real agents, driven by `undaunted run` against the rehearsal's model APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from needs import AGENTS
from real_agents.desk import Desk
from undaunted.rehearsal.recording import RecordedRequest
from undaunted.rehearsal.server import RehearsalServer


@pytest.fixture
async def desk(private_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk where all is well, to begin with; whatever was run there has to be gone at its end."""
    asked = {agent: asyncio.Event() for agent in AGENTS}
    knocked = asyncio.Event()

    def knock(_: RecordedRequest) -> None:
        knocked.set()

    def hear(agent: str, request: RecordedRequest) -> None:
        if request.is_model_request:
            asked[agent].set()

    async with AsyncExitStack() as stack:
        apis = {
            agent: await stack.enter_async_context(
                RehearsalServer(answer=f"says {agent}", on_request=partial(hear, agent))
            )
            for agent in AGENTS
        }
        door = await stack.enter_async_context(RehearsalServer(on_request=knock))
        desk = Desk(
            home=private_path / "home",
            cwd=tmp_path,
            apis=apis,
            asked=asked,
            door=door.url,
            knocked=knocked,
        )
        yield desk
        await desk.close()
        assert desk.left_alive() == []
