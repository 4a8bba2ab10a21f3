"""Many tasks with outcomes drawn from a seed: what must hold for every one of them."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from integration.flow.conftest import MakeWorld
from integration.flow.scripted_agent import ScriptedAgent
from undaunted.config import Settings
from undaunted.events import (
    AttemptStarted,
    Event,
    RetryScheduled,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
    WaitStarted,
)
from undaunted.failures import KINDS, FailureKind
from undaunted.tasks import FINAL_STATES, Task, TaskRecord, TaskState
from undaunted.testing import FakeClock

TASKS = 200
# An agent that does not keep to its limit is stopped this much later.
STOPPING_S = 30.0


# Any other seed must do as well: SIMULATION_SEED=7 pytest tests/integration/flow
SEED = int(os.environ.get("SIMULATION_SEED", "1"))


async def test_two_hundred_tasks(make_world: MakeWorld) -> None:
    """Each task ends in exactly one final state, and its attempts and times obey the house."""
    rng = random.Random(SEED)  # noqa: S311 - a replayable seed is what is wanted
    clock = FakeClock(autojump=True)
    names = ("first", "second", "third")
    agents = [ScriptedAgent(name, clock, rng) for name in names]
    settings = Settings(slots=2, retry_base=2, retry_max=60)
    async with make_world(agents, clock, rng=rng, settings=settings) as world:
        tasks = [
            Task(
                prompt="do it",
                id=str(UUID(int=rng.getrandbits(128), version=4)),
                cwd=str(world.folder),
                timeout_s=rng.choice([60.0, 600.0, 1800.0]),
                deadline_s=rng.choice([300.0, 1800.0, 7200.0]),
                max_wait_s=rng.choice([0.0, 0.0, 600.0, 21600.0]),
                attempts=rng.choice([1, 3, 5]),
            )
            for _ in range(TASKS)
        ]
        lanes = [tasks[lane::4] for lane in range(4)]

        async def run_lane(lane: list[Task]) -> list[TaskRecord]:
            return [await world.service.run(task) for task in lane]

        records = [r for done in await asyncio.gather(*map(run_lane, lanes)) for r in done]
        stored = await world.service.tasks(limit=TASKS + 1)
        failures = await world.store.task_failures(limit=TASKS + 1)

    assert len(records) == len(stored) == TASKS
    assert Counter(f.task_id for f in failures) == Counter(
        r.task.id for r in records if r.state is TaskState.FAILED
    )
    assert {r.state for r in records} == {TaskState.SUCCEEDED, TaskState.FAILED}
    assert all(agent.most_running <= 2 for agent in agents), "slots bound what runs at once"
    for record in records:
        told = [e for e in world.events if e.task_id == record.task.id]
        check_task(record, told, names)
    check_closed_agents(records)


def check_task(record: TaskRecord, told: list[Event], names: tuple[str, ...]) -> None:
    """What must hold for one task."""
    task, attempts = record.task, record.attempts
    assert record.state in FINAL_STATES
    assert sum(isinstance(e, TaskSucceeded | TaskFailed | TaskCancelled) for e in told) == 1
    assert [a.number for a in attempts] == list(range(1, len(attempts) + 1))
    assert all(a.outcome is not None for a in attempts), "no attempt stays open"
    waits = [e for e in told if isinstance(e, WaitStarted)]

    # Attempts: bounded per agent and kind; nothing after a success or a failure for good.
    visits: list[list[str]] = []
    for index, attempt in enumerate(attempts):
        if attempt.reason_chosen.startswith("attempt "):
            visits[-1].append(str(attempt.kind))
        else:
            visits.append([str(attempt.kind)])
        last = index == len(attempts) - 1
        if attempt.outcome == "succeeded":
            assert last
            assert record.state is TaskState.SUCCEEDED
            assert record.content == "done"
        if attempt.action == "fail":
            assert last
            assert record.state is TaskState.FAILED
        if attempt.action == "switch" and not last:
            assert not attempts[index + 1].reason_chosen.startswith("attempt ")
    for kinds in visits:
        assert len(kinds) <= task.attempts
        for kind, count in Counter(kinds).items():
            if kind != "None" and KINDS[FailureKind(kind)].max_retries is not None:
                assert count <= 2, f"{kind} is retried once"
        assert "timeout" not in kinds[:-1], "a timeout switches at once"
    if not waits:
        order = [names.index(a.agent) for a in attempts]
        assert order == sorted(order), "agents are tried in order, none twice"
        assert record.switches == max(0, len(set(order)) - 1)

    # Time: no attempt longer than its limit, all of them inside the deadline, waits inside theirs.
    for started in (e for e in told if isinstance(e, AttemptStarted)):
        attempt = attempts[started.number - 1]
        assert started.timeout_s <= task.timeout_s
        assert attempt.duration_s is not None
        assert attempt.duration_s <= started.timeout_s + STOPPING_S + 0.001
    running_s = sum(a.duration_s or 0 for a in attempts)
    backoff_s = sum(e.delay_s for e in told if isinstance(e, RetryScheduled))
    assert running_s + backoff_s <= task.deadline_s + STOPPING_S + 0.001
    # A wait ends with the event behind it: an agent may be back before its time.
    ends = {e.at: after.at for e, after in pairwise(told)}
    waited_s = sum((ends[w.at] - w.at).total_seconds() for w in waits)
    assert waited_s <= task.max_wait_s + 0.001


def check_closed_agents(records: list[TaskRecord]) -> None:
    """An agent that said when it is back is left alone until then, by every task."""
    attempts = sorted((a for r in records for a in r.attempts), key=lambda a: a.started_at)
    for attempt in attempts:
        if attempt.resets_at is None or attempt.duration_s is None:
            continue
        ended_at = attempt.started_at + timedelta(seconds=attempt.duration_s)
        early = [
            a
            for a in attempts
            if a.agent == attempt.agent and ended_at < a.started_at < attempt.resets_at
        ]
        assert early == []
