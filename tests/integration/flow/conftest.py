"""A service on a real store, scripted agents and a fake clock."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from undaunted.agents.agent import Agent
from undaunted.app import compose
from undaunted.config import Settings
from undaunted.events import Event
from undaunted.redaction import Redactor
from undaunted.service import Service
from undaunted.store.store import Store
from undaunted.testing import FakeClock

# In memory where there is such a place: the flow is tested here, not the disk.
_FAST_FOLDER = next((p for p in (Path("/dev/shm"),) if p.is_dir()), None)  # noqa: S108


class HeldStore:
    """The real store; the fake clock stands still while its threads work."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self._store = store
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not callable(value):
            return value
        if name == "health_update":
            return self._held_update

        async def held(*args: Any, **kwargs: Any) -> Any:
            with self._clock.held():
                return await value(*args, **kwargs)

        return held

    @asynccontextmanager
    async def _held_update(self, key: Any) -> AsyncIterator[Any]:
        with self._clock.held():
            async with self._store.health_update(key) as row:
                yield row


@dataclass
class World:
    """What a test of the flow needs."""

    service: Service
    store: Store
    clock: FakeClock
    events: list[Event]
    folder: Path


MakeWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def make_world(tmp_path: Path, request: pytest.FixtureRequest) -> MakeWorld:
    """Gives `async with make_world(agents, clock, rng)`."""

    @asynccontextmanager
    async def make(
        agents: list[Agent],
        clock: FakeClock,
        *,
        rng: random.Random | None = None,
        settings: Settings | None = None,
        redactor: Redactor | None = None,
        max_switches: int | None = None,
    ) -> AsyncIterator[World]:
        seeded = rng or random.Random(1)  # noqa: S311 - a replayable seed is what is wanted
        events: list[Event] = []
        parent = _FAST_FOLDER or tmp_path
        data = Path(tempfile.mkdtemp(dir=parent))
        request.addfinalizer(lambda: shutil.rmtree(data))
        async with await Store.open(data, clock_now=clock.now) as store:
            service = compose(
                agents={agent.key: agent for agent in agents},
                order=tuple(dict.fromkeys(agent.name for agent in agents)),
                store=HeldStore(store, clock),  # type: ignore[arg-type]
                settings=settings or Settings(),
                clock=clock,
                uniform=seeded.random,
                new_id=lambda: str(UUID(int=seeded.getrandbits(128), version=4)),
                emit=events.append,
                redactor=redactor or Redactor(),
                max_switches=max_switches,
            )
            yield World(service, store, clock, events, tmp_path)

    return make
