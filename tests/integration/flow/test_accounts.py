"""An agent with several logins: each has its own breaker and its place in the order."""

from __future__ import annotations

import pytest

from integration.flow.conftest import MakeWorld
from integration.flow.test_flow import StepAgent, limited, task
from undaunted.errors import ConfigurationError
from undaunted.events import AgentChosen
from undaunted.failures import OF_ACCOUNT, Failure, FailureKind
from undaunted.testing import FakeClock

K = FailureKind


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(autojump=True)


def logins(clock: FakeClock, first: list[object], second: list[object]) -> tuple[StepAgent, ...]:
    """Two logins of one agent."""
    return tuple(
        StepAgent("one", clock, [steps], account=account)  # type: ignore[list-item]
        for account, steps in (("plan", first), ("key", second))
    )


@pytest.mark.parametrize("kind", [K.QUOTA_EXHAUSTED, K.AUTH, K.BILLING])
async def test_the_next_login_takes_over(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """What hangs on the login goes to the agent's other login, and only that breaker opens."""
    plan, key = logins(clock, [Failure(kind, "x")], ["done"])
    async with make_world([plan, key], clock) as world:
        record = await world.service.run(task(world))
        reports = {r.key: r.health.state for r in await world.service.agents()}
    assert (record.state, record.agent, record.account) == ("succeeded", "one", "key")
    assert [a.account for a in record.attempts] == ["plan", "key"]
    assert record.switches == 1
    assert reports == {"one/plan": "open", "one/key": "closed"}
    chosen = [e for e in world.events if isinstance(e, AgentChosen)]
    assert [(e.account, e.switched_from) for e in chosen] == [("plan", None), ("key", "one/plan")]


@pytest.mark.parametrize("kind", sorted(set(FailureKind) - OF_ACCOUNT))
async def test_what_the_agent_itself_fails_at(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """A failure that does not hang on the login is not repeated with another login."""
    plan, key = logins(clock, [Failure(kind, "x")], ["done"])
    async with make_world([plan, key], clock) as world:
        record = await world.service.run(task(world))
    assert record.state in {"failed", "cancelled"}
    assert key.runs == []


async def test_one_login_by_name(make_world: MakeWorld, clock: FakeClock) -> None:
    """`agent/account` means that login alone; an account that there is not is refused."""
    plan, key = logins(clock, ["plan"], ["key"])
    async with make_world([plan, key], clock) as world:
        record = await world.service.run(task(world, agents=("one/key",)))
        with pytest.raises(ConfigurationError, match="no agent 'one/other'"):
            await world.service.run(task(world, agents=("one/other",)))
    assert (record.content, plan.runs) == ("key", [])


async def test_a_login_that_is_out_is_passed_over(make_world: MakeWorld, clock: FakeClock) -> None:
    """The next task begins with the login that is not out, and says why."""
    plan, key = logins(clock, [limited(clock, 3600, K.QUOTA_EXHAUSTED)], ["done"])
    async with make_world([plan, key], clock) as world:
        await world.service.run(task(world))
        steps = await world.service.plan(task(world))
        record = await world.service.run(task(world))
    assert [(s.agent, s.tried) for s in steps] == [("one/plan", False), ("one/key", True)]
    assert [a.account for a in record.attempts] == ["key"]
    assert len(plan.runs) == 1


async def test_reset_of_one_login(make_world: MakeWorld, clock: FakeClock) -> None:
    """A reset closes the breakers of the login that it names, or of all the agent's."""
    plan, key = logins(clock, [Failure(K.AUTH, "x")], [Failure(K.AUTH, "x")])
    async with make_world([plan, key], clock) as world:
        await world.service.run(task(world))
        assert await world.service.reset_agent("one/key") == 1
        assert {r.key for r in await world.service.agents() if r.health.row} == {"one/plan"}
        await world.service.run(task(world))
        assert await world.service.reset_agent("one") == 2


async def test_models_by_login(make_world: MakeWorld, clock: FakeClock) -> None:
    """A model may be asked of one login, of an agent, or of all; the closest word counts."""
    plan, key = logins(clock, [Failure(K.AUTH, "x")], ["done"])
    async with make_world([plan, key], clock) as world:
        models = {"": "small", "one": "large", "one/key": "huge"}
        record = await world.service.run(task(world, models=models))
    assert [a.model for a in record.attempts] == ["large", "huge"]


async def test_which_login_is_to_be_mended(make_world: MakeWorld, clock: FakeClock) -> None:
    """The command that is named closes the breaker of that login, and of no other."""
    plan, key = logins(clock, [Failure(K.AUTH, "x")], ["done"])
    async with make_world([plan, key], clock) as world:
        await world.service.run(task(world))
        steps = await world.service.plan(task(world))
    assert steps[0].reason.endswith("undaunted agents reset one/plan")


async def test_logins_share_their_agents_time(make_world: MakeWorld, clock: FakeClock) -> None:
    """Two logins get one agent's share of the deadline; a timeout rules out both."""
    plan, key = logins(clock, [100000.0, "too late"], [100000.0, "too late"])
    other = StepAgent("other", clock, [["done"]])
    async with make_world([plan, key, other], clock) as world:
        record = await world.service.run(task(world, deadline_s=600.0))
    assert plan.runs[0].timeout_s == pytest.approx(300.0, abs=5)
    assert (record.content, key.runs) == ("done", [])


async def test_logins_come_back_together(make_world: MakeWorld, clock: FakeClock) -> None:
    """After a wait the login that would have failed as its sibling did is in the race again."""
    wall = limited(clock, 600, K.QUOTA_EXHAUSTED)
    plan = StepAgent("one", clock, [[wall], [Failure(K.AUTH, "x")]], account="plan")
    key = StepAgent("one", clock, [[Failure(K.CONTEXT_TOO_LONG, "x")], ["done"]], account="key")
    async with make_world([plan, key], clock) as world:
        record = await world.service.run(task(world, max_wait_s=7200.0))
    assert [(a.account, a.kind) for a in record.attempts] == [
        ("plan", "quota_exhausted"),
        ("key", "context_too_long"),
        ("plan", "auth"),
        ("key", None),
    ]
