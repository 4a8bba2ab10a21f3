"""The real `claude` and `gemini`, driven by `undaunted run` against the rehearsal's model APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from real_agents.desk import Desk
from undaunted.rehearsal.recording import RecordedRequest
from undaunted.rehearsal.server import RehearsalServer


@pytest.fixture
async def desk(private_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk where all is well, to begin with; whatever was run there has to be gone at its end."""
    asked = {"claude": asyncio.Event(), "gemini": asyncio.Event()}
    knocked = asyncio.Event()

    def knock(_: RecordedRequest) -> None:
        knocked.set()

    def hear(agent: str, request: RecordedRequest) -> None:
        if request.is_model_request:
            asked[agent].set()

    async with (
        RehearsalServer(answer="says claude", on_request=lambda r: hear("claude", r)) as claude,
        RehearsalServer(answer="says gemini", on_request=lambda r: hear("gemini", r)) as gemini,
        RehearsalServer(on_request=knock) as door,
    ):
        desk = Desk(
            home=private_path / "home",
            cwd=tmp_path,
            apis={"claude": claude, "gemini": gemini},
            asked=asked,
            door=door.url,
            knocked=knocked,
        )
        yield desk
        await desk.close()
        assert desk.left_alive() == []
