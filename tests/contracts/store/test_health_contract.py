"""What every store promises about the agents' health."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from undaunted.health_records import HealthKey, HealthRow
from undaunted.store.store import Store

KEY = HealthKey("claude", "default", "opus")


async def test_a_key_without_a_row_begins_closed_and_is_not_written_for_a_look(
    store: Store, now: datetime
) -> None:
    """Looking at an agent nothing is known of shows the defaults and leaves no row."""
    async with store.health_update(KEY) as row:
        assert row == HealthRow()
    assert await store.health() == {}


async def test_a_row_comes_back_as_it_was_left(store: Store, now: datetime) -> None:
    """Every field of a row survives, and the store says when it was written."""
    left = HealthRow(
        state="half_open",
        failure_count=5,
        opened_at=now,
        open_until=now + timedelta(seconds=60),
        isolated=True,
        generation=3,
        probe_token="t",
        probe_until=now + timedelta(seconds=90),
        credential_mark="mark",
        last_kind="overloaded",
        last_message="529",
        last_failure_at=now,
        last_success_at=now - timedelta(days=1),
        attempts=9,
        successes=4,
        failures=5,
        total_duration_s=12.5,
        total_cost_usd=0.25,
        updated_at=now,
    )
    defaults = HealthRow()
    assert [
        f.name for f in fields(left) if getattr(left, f.name) == getattr(defaults, f.name)
    ] == []
    async with store.health_update(KEY) as row:
        for f in fields(HealthRow):
            setattr(row, f.name, getattr(left, f.name))
        row.updated_at = None
    assert await store.health() == {KEY: left}


async def test_keys_are_apart_and_in_order(store: Store, now: datetime) -> None:
    """Accounts and models of one agent have rows of their own."""
    keys = [HealthKey("a", "x"), HealthKey("a", "x", "m"), HealthKey("a", "y"), HealthKey("b", "x")]
    for n, key in enumerate(reversed(keys)):
        async with store.health_update(key) as row:
            row.attempts = n + 1
    assert [(key, row.attempts) for key, row in (await store.health()).items()] == [
        (key, len(keys) - n) for n, key in enumerate(keys)
    ]


async def test_an_exception_changes_nothing(store: Store, now: datetime) -> None:
    """A block that raises leaves the row as it was, and the exception comes out as it is."""
    async with store.health_update(KEY) as row:
        row.failures = 1
    before = await store.health()

    async def fail_halfway() -> None:
        async with store.health_update(KEY) as row:
            row.failures = 2
            raise KeyError

    with pytest.raises(KeyError):
        await fail_halfway()
    assert await store.health() == before


async def test_no_update_is_lost(store: Store, now: datetime) -> None:
    """Many updates of one row at once all count: each sees what the one before it left."""

    async def fail_once() -> None:
        async with store.health_update(KEY) as row:
            seen = row.failures
            await asyncio.sleep(0)
            row.failures = seen + 1

    await asyncio.gather(*(fail_once() for _ in range(40)))
    assert (await store.health())[KEY].failures == 40


async def test_of_many_claimants_one_gets_the_probe(store: Store, now: datetime) -> None:
    """A half-open breaker's one probe goes to one claimant."""
    async with store.health_update(KEY) as row:
        row.state = "half_open"

    async def claim(token: str) -> bool:
        async with store.health_update(KEY) as row:
            if row.probe_token is None:
                row.probe_token = token
            return row.probe_token == token

    claims = await asyncio.gather(*(claim(f"t{n}") for n in range(20)))
    assert claims.count(True) == 1


async def test_a_write_inside_an_update_is_refused_rather_than_waited_for(
    store: Store, now: datetime
) -> None:
    """A write from within the block would wait for the block's own end, and is an error."""
    with pytest.raises(RuntimeError, match="inside another write"):
        async with store.health_update(KEY):
            await store.delete_health()


async def test_rows_are_forgotten_for_one_agent_or_all(store: Store, now: datetime) -> None:
    """Deleting says how many rows there were, and touches no other agent's."""
    for key in (KEY, replace(KEY, model=""), replace(KEY, agent="gemini")):
        async with store.health_update(key) as row:
            row.attempts = 1
    assert await store.delete_health("nobody") == 0
    assert await store.delete_health("claude") == 2
    assert [key.agent for key in await store.health()] == ["gemini"]
    assert await store.delete_health() == 1
    assert await store.health() == {}
