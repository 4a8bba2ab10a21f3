"""THE flow of one task: agents in order, attempts under policies, one final state.

    deadline( retry( slot( breaker( attempt ) ) ) )         for each agent that can take the task

Retry stands outside of the breaker, so that every attempt counts; an open breaker is a refusal,
which is not retried but switches to the next agent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from undaunted.agents.agent import Agent
from undaunted.attempts import ENDING_S, AttemptRunner
from undaunted.course import Course, Visit, model_for
from undaunted.endings import (
    Ending,
    all_failed,
    cancelled,
    deadline_passed,
    failed,
    internal_error,
    succeeded,
)
from undaunted.errors import AnswerNotRecordedError, StoreError
from undaunted.failures import OF_ACCOUNT, Action, AttemptFailedError, Failure
from undaunted.health import AgentHealth, Health
from undaunted.health_records import HealthKey
from undaunted.narrator import Narrator
from undaunted.resilience.backoff import Exponential
from undaunted.resilience.clock import Clock
from undaunted.resilience.deadline import Deadline
from undaunted.resilience.errors import CircuitOpenError, DeadlineExceededError
from undaunted.resilience.pipeline import Pipeline
from undaunted.resilience.retry import Retry
from undaunted.routing import Choice, Option, Skip, decide, logins_of, usable_now
from undaunted.slots import AgentSlots, SlotsTakenError
from undaunted.store.records import TaskFailureRecord
from undaunted.store.run_lock import RunLock
from undaunted.store.store import Store
from undaunted.tasks import Task, TaskRecord, TaskState
from undaunted.transcripts import TranscriptRecorder
from undaunted.uninterrupted import uninterrupted

__all__ = ["FlowSettings", "Orchestrator"]

# How often a task that waits looks whether an agent is back before its time.
_LOOK_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """What the configuration tells the flow.

    Attributes:
        order: Agents to try when the task names none.
        retry_base_s: Backoff before an agent's second attempt, in seconds; doubles from there.
        retry_max_s: Longest backoff, and longest stated wait that is slept through, in seconds.
        slots_of: Runs at the same time on this machine, by agent and account.
        model_of: The model to ask for where the task names none, by agent and account.
        max_switches: Changes of agent at most; None is no bound.
    """

    order: tuple[str, ...]
    retry_base_s: float
    retry_max_s: float
    slots_of: Callable[[str, str], int]
    model_of: Callable[[str, str], str | None]
    max_switches: int | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """An agent as it was seen at one moment: as an option, and its breaker as it is kept."""

    option: Option
    health: AgentHealth


class Orchestrator:
    """Takes tasks through the flow; any number of them side by side.

    Emits: the events of `undaunted.events`, each after the fact it tells of was written.
    Cancellation: ends the running agent's processes, writes the task down as cancelled, and goes
    through.
    """

    def __init__(
        self,
        *,
        agents: Mapping[str, Agent],
        store: Store,
        health: Health,
        slots: AgentSlots,
        attempts: AttemptRunner,
        settings: FlowSettings,
        clock: Clock,
        random: Callable[[], float],
        narrator: Narrator,
    ) -> None:
        self._agents = agents
        self._store = store
        self._health = health
        self._slots = slots
        self._attempts = attempts
        self._settings = settings
        self._clock = clock
        self._random = random
        self._narrator = narrator

    async def run(self, task: Task) -> TaskRecord:
        """Runs `task` to a final state and returns what became of it.

        Raises:
            StoreError: The task could not be written down: if at once, it was not accepted.
            AnswerNotRecordedError: It was done, which could not be written down.
        """
        course = Course.of(task, self._clock)
        with RunLock(self._store.folder, task.id):
            await self._accept(course)
            try:
                async with self._attempts.transcript(task.id) as transcript:
                    ending = await self._until_done(course, transcript)
            except asyncio.CancelledError:
                with contextlib.suppress(StoreError):  # the next command says what became of it
                    await uninterrupted(self._finish(course, cancelled()))
                raise
            except BaseException:
                # A fault of ours: it is raised, and what was accepted still gets a final state. If
                # the store is at fault, the next command gives it one (`sweep_interrupted`).
                with contextlib.suppress(StoreError):
                    await uninterrupted(self._finish(course, internal_error()))
                raise
            try:
                await uninterrupted(self._finish(course, ending))
            except AnswerNotRecordedError:
                raise
            except StoreError as error:
                if ending.state is TaskState.SUCCEEDED and ending.content is not None:
                    raise AnswerNotRecordedError(str(error), content=ending.content) from error
                raise
        return await self._store.task(task.id)

    async def _until_done(self, course: Course, transcript: TranscriptRecorder) -> Ending:
        """The flow: each agent that can, in order; then the wait for the first to return."""
        while True:
            for agent in self._names(course.task):
                if agent in course.spent:
                    continue
                if course.left_s <= 0:
                    return deadline_passed(course)
                seen = await self._look(course)
                if course.left_s <= 0:
                    return deadline_passed(course)  # the store was slow
                if isinstance(choice := self._consider(course, seen[agent].option), Choice):
                    ending = await self._visit(course, choice, seen, transcript)
                    if ending is not None:
                        return ending
            if course.left_s <= 0:
                return deadline_passed(course)
            seen = await self._look(course)
            back = _earliest_return(seen)
            if back is None or not course.may_wait_until(back[1]):
                return all_failed(course, back)
            await self._wait(course, *back, out={n for n in seen if not usable_now(seen[n].option)})

    def _consider(self, course: Course, option: Option) -> Choice | Skip:
        """Chooses the agent of `option` or passes it over; says why."""
        agent, most = option.agent, self._settings.max_switches
        if most is not None and course.visited and course.switches >= most:
            choice: Choice | Skip = Skip(agent, f"the limit of {most} switches is reached")
        else:
            out = [(s.agent, f"is out ({s.reason})") for s in course.skips.values()]
            before = [b for b in (*course.spent.items(), *out) if b[0] != agent]
            choice = decide(option, before=before)
        if isinstance(choice, Choice):
            course.skips.pop(agent, None)
            return choice
        if course.skips.get(agent) != choice:
            self._narrator.skipped(course, choice)
        course.skips[agent] = choice
        return choice

    async def _visit(
        self,
        course: Course,
        choice: Choice,
        seen: Mapping[str, _Seen],
        transcript: TranscriptRecorder,
    ) -> Ending | None:
        """One agent's turn; None hands the task on."""
        agent = self._agents[choice.agent]
        visit = Visit(
            agent=agent.name,
            account=agent.account,
            model=self._model(course.task, agent),
            reason=choice.reason,
            max_attempts=course.task.attempts,
            retry_cap_s=self._settings.retry_max_s,
        )
        self._narrator.chosen(course, visit, agent, course.before(visit))
        usable = [n for n in seen if usable_now(seen[n].option) and n not in course.spent]
        # Logins of one agent share its time: a timeout would rule all of them out.
        untried = max(1, len({self._agents[key].name for key in usable}))
        try:
            result = await self._pipeline(
                course, visit, agent, seen[agent.key].health, untried
            ).call(
                self._attempts.run,
                course,
                visit,
                agent,
                untried=untried,
                transcript=transcript,
            )
        except AttemptFailedError as error:
            self._rule_out(course, agent, error.failure)
            if visit.next_action(error.failure) in {Action.FAIL, Action.STOP}:
                return failed(visit, error.failure)
            return None
        except CircuitOpenError as error:
            # Since it was chosen somebody opened it, or probes it now.
            course.skips[agent.key] = Skip(agent.key, str(error), error.open_until)
            last = visit.failures[-1].kind if visit.failures else None
            course.spent[agent.key] = f"failed ({last})" if last else "let nobody through"
            return None
        except SlotsTakenError as error:
            course.skips[agent.key] = Skip(agent.key, str(error))
            course.spent[agent.key] = "had no free slot"
            return None
        except DeadlineExceededError:
            return deadline_passed(course)
        return succeeded(visit, result)

    def _pipeline(
        self, course: Course, visit: Visit, agent: Agent, health: AgentHealth, untried: int
    ) -> Pipeline:
        """The policies around one agent's attempts, outermost first."""
        settings, tell = self._settings, self._narrator
        slots = settings.slots_of(agent.name, agent.account)

        backoff = Exponential(base_s=settings.retry_base_s, max_s=settings.retry_max_s)

        def admitted(last_chance: bool) -> None:  # noqa: FBT001 - a callback
            visit.last_chance = last_chance

        return Pipeline(
            # A guard: the attempt's own limit comes first and lets a finished answer through.
            Deadline(course.left_s + ENDING_S, clock=self._clock),
            Retry(
                course.task.attempts,
                # What the agent asked for again by itself was a request too: the wait grows with
                # every request that failed, not with every process.
                backoff=lambda n: backoff(n + course.attempts[-1].inner_retries),
                retry_if=lambda error: (
                    isinstance(error, AttemptFailedError)
                    and visit.next_action(error.failure) is Action.RETRY
                ),
                max_retry_after_s=settings.retry_max_s,
                clock=self._clock,
                random=self._random,
                on_retry=lambda event: tell.retrying(course, visit, event),
            ),
            self._slots.policy(
                agent.key,
                slots,
                wait_s=course.attempt_timeout_s(untried),
                on_wait=lambda: tell.slot_awaited(course, visit, slots),
            ),
            self._health.breaker(
                self._key(course.task, agent),
                credential_mark=agent.credential_mark(),
                lease_s=course.task.timeout_s,
                figures=lambda: (course.attempts[-1].duration_s, course.attempts[-1].cost_usd),
                on_admit=admitted,
                on_open=lambda why, until: tell.breaker_opened(course, visit, why, until),
                known=health,
            ),
        )

    async def _look(self, course: Course) -> dict[str, _Seen]:
        """What is known of each agent of the task now, in order."""
        report = await self._health.report()
        seen: dict[str, _Seen] = {}
        for name in self._names(course.task):
            agent = self._agents[name]
            availability = agent.availability()
            stored = report.get(self._key(course.task, agent), AgentHealth())
            health = stored.unless_changed(agent.credential_mark())
            option = Option(
                agent=name,
                missing="" if availability.usable else availability.reason,
                closed_reason=health.closed_reason,
                back_at=health.back_at,
                probe=health.probe_due,
            )
            seen[name] = _Seen(option, stored)
        return seen

    async def _wait(self, course: Course, agent: str, back_at: datetime, *, out: set[str]) -> None:
        """Sleeps until `back_at`, or until one of `out` is back: it is in the race again."""
        await self._store.set_waiting(course.task.id, back_at)
        self._narrator.waiting(course, agent, back_at)
        back: set[str] = set()
        # In steps: an agent may be back early, and a sleep does not count the time that a machine
        # was suspended.
        while not back and (left_s := (back_at - self._clock.now()).total_seconds()) > 0:
            began_s = self._clock.monotonic()
            await self._clock.sleep(min(left_s, _LOOK_AGAIN_S))
            course.waited_s += self._clock.monotonic() - began_s
            seen = await self._look(course)
            back = {name for name in out if usable_now(seen[name].option)}
        await self._store.resume_waiting(course.task.id)
        returned = {self._agents[key].name for key in back or out}
        for key in [key for key in course.spent if self._agents[key].name in returned]:
            del course.spent[key]

    async def _accept(self, course: Course) -> None:
        """Writes the task down; from here on it is not lost."""
        await self._store.create_task(course.task, created_at=course.created_at)
        await self._store.start_task(course.task.id, course.created_at)
        self._narrator.accepted(course, tuple(self._names(course.task)))

    async def _finish(self, course: Course, ending: Ending) -> None:
        """Writes the final state and tells of it."""
        task, now = course.task, self._clock.now()
        record = None
        if ending.state is TaskState.FAILED:
            record = TaskFailureRecord(
                task_id=task.id,
                error_message=ending.message,
                attempted_agents=tuple(course.visited),
                duration_s=course.elapsed_s,
                timestamp=now,
            )
        written = await self._store.finish_task(
            task.id,
            ending.state,
            at=now,
            agent=ending.agent,
            account=ending.account,
            model=ending.model,
            content=ending.content,
            agent_session_id=ending.agent_session_id,
            switches=course.switches,
            error_kind=ending.kind,
            error_code=ending.code,
            error_detail_code=ending.detail_code,
            error_message=ending.message or None,
            retry_after_s=ending.retry_after_s,
            failure=record,
            close_attempts=True,
        )
        if written:
            self._narrator.ended(course, ending, now)
        elif ending.state is TaskState.SUCCEEDED and ending.content is not None:
            raise AnswerNotRecordedError("somebody else ended the task", content=ending.content)

    def _names(self, task: Task) -> Sequence[str]:
        return logins_of(task.agents or self._settings.order, self._agents)

    def _rule_out(self, course: Course, agent: Agent, failure: Failure) -> None:
        """Takes an agent out of the race, and its other logins where they would fail as well."""
        course.spent[agent.key] = f"failed ({failure.kind})"
        if failure.kind in OF_ACCOUNT:
            return
        for key in self._names(course.task):
            if self._agents[key].name == agent.name:
                course.spent.setdefault(key, f"would fail as {agent.key} did ({failure.kind})")

    def _model(self, task: Task, agent: Agent) -> str | None:
        return model_for(task, agent) or self._settings.model_of(agent.name, agent.account)

    def _key(self, task: Task, agent: Agent) -> HealthKey:
        return HealthKey(agent.name, agent.account, self._model(task, agent) or "")


def _earliest_return(seen: Mapping[str, _Seen]) -> tuple[str, datetime] | None:
    """(agent, instant) of the agent that is back first, where any says when."""
    back = [
        (name, s.option.back_at)
        for name, s in seen.items()
        if s.option.back_at is not None and not s.option.missing
    ]
    return min(back, key=lambda b: b[1], default=None)
