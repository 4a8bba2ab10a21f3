"""Breakers in the store, as several processes share them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from undaunted.failures import Failure, FailureKind
from undaunted.health import Admission, AgentHealth, Health
from undaunted.health_records import HealthKey
from undaunted.resilience import CircuitOpenError
from undaunted.store.store import Store
from undaunted.testing import FakeClock

KEY = HealthKey("claude", "default")
BUSY = Failure(FailureKind.SERVER_ERROR, "busy")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path, clock_now=clock.now) as store:
        yield store


class Process:
    """One process's view of the breakers."""

    def __init__(self, store: Store, clock: FakeClock, name: str) -> None:
        ids = count()
        self.health = Health(
            store,
            clock=clock,
            failure_threshold=2,
            open_s=60,
            new_id=lambda: f"{name}-{next(ids)}",
            uniform=lambda: 0.0,
        )

    async def admit(self) -> Admission:
        return await self.health.admit(KEY, "mark", lease_s=300)

    async def settle(
        self, admission: Admission, failure: Failure | None = None
    ) -> AgentHealth | None:
        return await self.health.settle(
            KEY, admission, failure, credential_mark="mark", figures=(1.0, None)
        )

    async def state(self) -> str:
        return (await self.health.report())[KEY].state


@pytest.fixture
def one(store: Store, clock: FakeClock) -> Process:
    return Process(store, clock, "one")


@pytest.fixture
def two(store: Store, clock: FakeClock) -> Process:
    return Process(store, clock, "two")


async def opened(process: Process) -> None:
    for _ in range(2):
        await process.settle(await process.admit(), BUSY)


async def test_failures_of_all_processes_add_up(one: Process, two: Process) -> None:
    """The second failure in a row opens the breaker, whoever had the first."""
    assert await one.settle(await one.admit(), BUSY) is None
    assert (await two.admit()).last_chance
    assert await two.settle(await two.admit(), BUSY) is not None
    with pytest.raises(CircuitOpenError, match="2 failures in a row") as caught:
        await one.admit()
    assert caught.value.retry_after_s == pytest.approx(60)


async def test_one_probe_for_everybody(one: Process, two: Process, clock: FakeClock) -> None:
    """After its time a single process is let in; its success closes the breaker for all."""
    await opened(one)
    clock.advance(61)
    probe = await two.admit()
    assert probe.probe_token is not None
    with pytest.raises(CircuitOpenError, match="another run probes it"):
        await one.admit()
    await two.settle(probe)
    assert (await one.admit()).probe_token is None


async def test_a_failed_probe_opens_again(one: Process, clock: FakeClock) -> None:
    """A probe that fails keeps the breaker open for another while."""
    await opened(one)
    clock.advance(61)
    assert await one.settle(await one.admit(), BUSY) is not None
    with pytest.raises(CircuitOpenError):
        await one.admit()


async def test_a_probe_that_never_comes_back(one: Process, two: Process, clock: FakeClock) -> None:
    """A claim ends with its lease, and what its owner says later changes nothing."""
    await opened(one)
    clock.advance(61)
    lost = await one.admit()
    clock.advance(301)
    found = await two.admit()
    assert await one.settle(lost, BUSY) is None
    assert await one.state() == "half_open", "the late failure opens nothing"
    await two.settle(found)
    assert await one.state() == "closed"


async def test_a_late_success_closes_nothing(one: Process, two: Process) -> None:
    """A call begun before the breaker opened says nothing of the agent now."""
    early = await one.admit()
    await opened(two)
    await one.settle(early)
    assert await one.state() == "open"


async def test_a_probe_given_back(one: Process, two: Process, clock: FakeClock) -> None:
    """A cancelled probe frees its place at once."""
    await opened(one)
    clock.advance(61)
    await one.health.give_back(KEY, await one.admit())
    assert (await two.admit()).probe_token is not None


async def test_figures(one: Process) -> None:
    """Attempts, successes, failures and times are counted."""
    await one.settle(await one.admit())
    await one.settle(await one.admit(), BUSY)
    row = (await one.health.report())[KEY].row
    assert row is not None
    assert (row.attempts, row.successes, row.failures, row.total_duration_s) == (2, 1, 1, 2.0)
    assert (row.last_kind, row.last_message) == ("server_error", "busy")


async def test_a_rate_limit_does_not_excuse_failures(one: Process, clock: FakeClock) -> None:
    """A rate limit that comes in last takes no probe from a breaker that failures opened."""
    late = await one.admit()
    await opened(one)
    await one.settle(late, Failure(FailureKind.RATE_LIMITED, "slow down"))
    clock.advance(61)
    assert (await one.admit()).probe_token is not None
