"""A retry goes on in the agent's own session, where there is one and it can be trusted."""

from __future__ import annotations

import pytest

from integration.flow.conftest import MakeWorld
from integration.flow.test_flow import StepAgent, limited, task
from undaunted.config import Settings
from undaunted.events import AttemptStarted
from undaunted.failures import Failure, FailureKind
from undaunted.testing import FakeClock

K = FailureKind


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(autojump=True)


@pytest.mark.parametrize("kind", [K.BROKEN_RESPONSE, K.CRASHED, K.NETWORK, K.RATE_LIMITED])
async def test_a_retry_goes_on_in_the_session(
    make_world: MakeWorld, clock: FakeClock, kind: FailureKind
) -> None:
    """After a cut, a crash or a limit the next attempt gets the session of the one before."""
    agent = StepAgent("cut", clock, [[Failure(kind, "x")], ["done"]], session="s-1")
    async with make_world([agent], clock) as world:
        record = await world.service.run(task(world))
    assert record.state == "succeeded"
    assert [run.resume_session_id for run in agent.runs] == [None, "s-1"]
    assert "continues its session" in record.attempts[1].reason_chosen
    started = [e for e in world.events if isinstance(e, AttemptStarted)]
    assert [e.continues_session for e in started] == [False, True]


async def test_without_a_session_it_begins_anew(make_world: MakeWorld, clock: FakeClock) -> None:
    """An agent that named no session is asked again from the start."""
    agent = StepAgent("cut", clock, [[Failure(K.NETWORK, "x")], ["done"]], session=None)
    async with make_world([agent], clock) as world:
        await world.service.run(task(world))
    assert [run.resume_session_id for run in agent.runs] == [None, None]


async def test_an_agent_that_cannot(make_world: MakeWorld, clock: FakeClock) -> None:
    """An agent that can't continue a session is never asked to."""
    steps = [[Failure(K.NETWORK, "x")], ["done"]]
    agent = StepAgent("cut", clock, steps, session="s-1", resumes=False)
    async with make_world([agent], clock) as world:
        await world.service.run(task(world))
    assert agent.runs[1].resume_session_id is None


async def test_switched_off(make_world: MakeWorld, clock: FakeClock) -> None:
    """With `resume = false` every attempt begins anew."""
    agent = StepAgent("cut", clock, [[Failure(K.NETWORK, "x")], ["done"]], session="s-1")
    async with make_world([agent], clock, settings=Settings(resume=False)) as world:
        await world.service.run(task(world))
    assert agent.runs[1].resume_session_id is None


async def test_a_session_that_breaks_twice(make_world: MakeWorld, clock: FakeClock) -> None:
    """A crash in a session that was continued is not continued again; a cut is."""
    steps = [[Failure(K.NETWORK, "x")], [Failure(K.CRASHED, "x")], ["done"]]
    crashing = StepAgent("crashing", clock, [list(s) for s in steps], session="s-1")
    async with make_world([crashing], clock) as world:
        await world.service.run(task(world))
    assert [run.resume_session_id for run in crashing.runs] == [None, "s-1", None]
    cut = StepAgent("cut", clock, [[Failure(K.NETWORK, "x")]] * 2 + [["done"]], session="s-1")
    async with make_world([cut], clock) as world:
        await world.service.run(task(world))
    assert [run.resume_session_id for run in cut.runs] == [None, "s-1", "s-1"]


async def test_after_a_wait(make_world: MakeWorld, clock: FakeClock) -> None:
    """An agent that comes back after its quota's reset goes on where the wall stopped it."""
    wall = limited(clock, 1800, K.QUOTA_EXHAUSTED)
    agent = StepAgent("walled", clock, [[wall], ["done"]], session="s-1")
    async with make_world([agent], clock) as world:
        record = await world.service.run(task(world, max_wait_s=7200.0))
    assert record.state == "succeeded"
    assert agent.runs[1].resume_session_id == "s-1"


async def test_another_agent_gets_no_session(make_world: MakeWorld, clock: FakeClock) -> None:
    """A session is its agent's own: the next agent begins anew."""
    first = StepAgent("first", clock, [[Failure(K.TIMEOUT, "x")]], session="s-1")
    second = StepAgent("second", clock, [["done"]])
    async with make_world([first, second], clock) as world:
        await world.service.run(task(world))
    assert second.runs[0].resume_session_id is None
