"""A stage for real processes; nothing that was started on it may be alive afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from living import marked
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.process import ProcessResult, ProcessSpec, run_process


@dataclass
class Stage:
    """Runs Python code or commands as one attempt and takes down the lines they print."""

    cwd: Path
    token: str = field(default_factory=lambda: uuid4().hex)
    lines: list[bytes] = field(default_factory=list)
    _over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def spec(self, *argv: str, code: str = "", **settings: object) -> ProcessSpec:
        """What runs `argv`, or a Python child with `code`; generous limits unless given."""
        values: dict[str, object] = {
            "argv": argv or (sys.executable, "-I", "-S", "-c", code),
            "env": {"PATH": os.environ["PATH"], ATTEMPT_VARIABLE: self.token},
            "cwd": str(self.cwd),
            "timeout_s": 120.0,
            "idle_timeout_s": 120.0,
        }
        return ProcessSpec(**(values | settings))  # type: ignore[arg-type]  # any setting

    async def run(self, *argv: str, code: str = "", **settings: object) -> ProcessResult:
        """Runs to the end."""
        return await run_process(self.spec(*argv, code=code, **settings), on_stdout_line=self._take)

    def start(self, *argv: str, code: str = "", **settings: object) -> asyncio.Task[ProcessResult]:
        """Begins a run."""
        return asyncio.create_task(self.run(*argv, code=code, **settings))

    @staticmethod
    async def stop(running: asyncio.Task[ProcessResult]) -> None:
        """Cancels a run and waits until it has ended everything."""
        running.cancel()
        await asyncio.wait((running,))

    async def line(self, number: int) -> bytes:
        """Waits for the line of that number, counted from 0."""
        while len(self.lines) <= number:
            assert not self._over, f"the run ended after {self.lines}"
            self._news.clear()
            await self._news.wait()
        return self.lines[number]

    def _take(self, line: bytes) -> None:
        self.lines.append(line)
        self._news.set()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage that fails the test if a process of its attempt outlives it."""
    stage = Stage(tmp_path)
    yield stage
    assert marked(stage.token) == []
