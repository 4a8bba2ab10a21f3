"""Every kind of store that the contract holds for; PostgreSQL's joins this table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undaunted.store.store import Store

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


async def _sqlite(folder: Path) -> Store:
    return await Store.open(folder, clock_now=lambda: NOW)


_OPENERS: dict[str, Callable[[Path], Awaitable[Store]]] = {"sqlite": _sqlite}


@pytest.fixture(params=sorted(_OPENERS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store whose clock stands at `now`."""
    async with await _OPENERS[request.param](tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    """The instant at which the store's clock stands."""
    return NOW
