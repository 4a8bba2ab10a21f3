"""What every front door calls: run a task, look at tasks and agents, force a breaker."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from undaunted.agents.agent import Agent
from undaunted.checkup import Checkup
from undaunted.course import model_for
from undaunted.errors import ConfigurationError, InvalidTaskError, NotFoundError
from undaunted.health import AgentHealth, Health
from undaunted.orchestrator import Orchestrator
from undaunted.resilience.clock import Clock
from undaunted.routing import Choice, Option, Skip, decide, logins_of
from undaunted.store.records import TranscriptChunk
from undaunted.store.store import Store
from undaunted.tasks import Permissions, Task, TaskRecord, TaskState, agent_key, split_key

__all__ = ["PROMPT_MAX_CHARS", "AgentReport", "PlanStep", "Service"]

# Ten times what is promised to work; a longer text is a file's content, and belongs in a file.
PROMPT_MAX_CHARS = 3_000_000

# What costs least: a word in, a word out.
_PROBE = "Answer with the one word: ready"
_PROBE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class AgentReport:
    """An agent as `agents` shows it.

    Attributes:
        name: The agent.
        available: It can be started.
        where: Where its program is, or why it can't be started.
        account: The login.
        model: The model of this breaker; None for the agent's own default.
        health: The breaker and its figures.
    """

    name: str
    available: bool
    where: str
    account: str
    model: str | None
    health: AgentHealth

    @property
    def key(self) -> str:
        """The agent and its login, as an order names them."""
        return agent_key(self.name, self.account)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What would be done with one agent, and why.

    Attributes:
        agent: Its name, or `agent/account`.
        tried: It would be tried.
        reason: Why, or why not.
        model: The model that would be asked for; None is the agent's own default.
        permission_flags: The agent's own flags for the task's permissions.
    """

    agent: str
    tried: bool
    reason: str
    model: str | None
    permission_flags: tuple[str, ...]


class Service:
    """The rules of the front doors, on one store.

    Args:
        store: Where everything is kept.
        orchestrator: Runs tasks.
        health: The agents' breakers.
        agents: Every login of every agent, by `agent` or `agent/account`.
        order: Those that are tried when a task names none, first to last.
        model_of: The configured model, by agent and account.
        clock: Where time comes from.
        may_run: Raises an UndauntedError where no agent may be run from here.
    """

    def __init__(
        self,
        *,
        store: Store,
        orchestrator: Orchestrator,
        health: Health,
        agents: Mapping[str, Agent],
        order: tuple[str, ...],
        model_of: Callable[[str, str], str | None],
        clock: Clock,
        may_run: Callable[[], None],
    ) -> None:
        self._may_run = may_run
        self._store = store
        self._orchestrator = orchestrator
        self._health = health
        self._agents = agents
        self._order = order
        self._model_of = model_of
        self._clock = clock

    async def run(self, task: Task) -> TaskRecord:
        """Runs `task` to a final state in this process.

        Raises:
            InvalidTaskError: No agent would take it as it stands.
            ConfigurationError: It names an agent that there is not.
            StoreError: It could not be written down; then it was not accepted.
        """
        self._may_run()
        self._check(task)
        return await self._orchestrator.run(task)

    async def plan(self, task: Task) -> list[PlanStep]:
        """Which agents would be tried for `task`, in order, and why; runs nothing."""
        self._check(task)
        report = await self.agents()
        steps: list[PlanStep] = []
        before: list[tuple[str, str]] = []
        for key in logins_of(task.agents or self._order, self._agents):
            model = self._model(task, self._agents[key])
            health = next(
                (r.health for r in report if r.key == key and r.model == model), AgentHealth()
            )
            step = self._step(task, key, model, health, before)
            before.append((key, "fails" if step.tried else f"is out ({step.reason})"))
            steps.append(step)
        return steps

    def _step(
        self,
        task: Task,
        key: str,
        model: str | None,
        health: AgentHealth,
        before: Sequence[tuple[str, str]],
    ) -> PlanStep:
        agent = self._agents[key]
        availability = agent.availability()
        option = Option(
            agent=key,
            missing="" if availability.usable else availability.reason,
            closed_reason=health.closed_reason,
            back_at=health.back_at,
            probe=health.probe_due,
        )
        decision: Choice | Skip = decide(option, before=before)
        return PlanStep(
            key,
            isinstance(decision, Choice),
            decision.reason,
            model,
            agent.permission_flags(task.permissions),
        )

    async def agents(self) -> list[AgentReport]:
        """Every login of every agent with each of its breakers, in the configured order."""
        report = await self._health.report()
        rows: list[AgentReport] = []
        for agent in self._agents.values():
            found = agent.availability()
            mark = agent.credential_mark()
            known = {
                key.model or None: health
                for key, health in report.items()
                if (key.agent, key.account) == (agent.name, agent.account)
            }
            known.setdefault(self._model_of(agent.name, agent.account), AgentHealth())
            rows += [
                AgentReport(
                    agent.name,
                    found.usable,
                    found.reason,
                    agent.account,
                    model,
                    health.unless_changed(mark),
                )
                for model, health in known.items()
            ]
        return rows

    async def reset_agent(self, key: str) -> int:
        """Closes the breakers of an agent or a login and forgets their figures.

        Args:
            key: `agent` for all of its logins, or `agent/account` for one.

        Returns:
            How many there were.

        Raises:
            NotFoundError: There is no such agent.
        """
        self._known(key)
        agent, account = split_key(key)
        return await self._health.reset(agent, account if "/" in key else None)

    async def check_up(
        self, keys: Sequence[str] = (), *, probe_in: Path | None = None
    ) -> list[Checkup]:
        """Looks at logins of agents: where, which version, which credential, how they fare.

        Args:
            keys: Agents, or logins (`agent/account`); none are all.
            probe_in: An empty folder: each agent that is ready is asked for one word there. That
                costs a request. None asks no model.

        Raises:
            NotFoundError: There is no such agent.
        """
        for key in keys:
            self._known(key)
        logins = logins_of(keys, self._agents) if keys else tuple(self._agents)
        report = await self.agents()
        return await asyncio.gather(*(self._check_up(key, report, probe_in) for key in logins))

    async def _check_up(
        self, key: str, report: Sequence[AgentReport], probe_in: Path | None
    ) -> Checkup:
        agent = self._agents[key]
        model = self._model_of(agent.name, agent.account)
        found = Checkup(
            key=key,
            availability=agent.availability(),
            credential=agent.credential(),
            health=next(r.health for r in report if (r.key, r.model) == (key, model)),
        )
        if not found.availability.usable:
            return found
        found = replace(found, inspection=await agent.inspect())
        if probe_in is None or not found.may_be_asked:
            return found
        self._may_run()
        probe = Task(
            prompt=_PROBE,
            cwd=str(probe_in),
            permissions="read",
            agents=(key,),
            attempts=1,
            timeout_s=_PROBE_TIMEOUT_S,
            deadline_s=_PROBE_TIMEOUT_S,
        )
        return replace(found, probe=await self._orchestrator.run(probe))

    async def sweep(self) -> list[TaskRecord]:
        """Fails the tasks whose process died, and returns them."""
        return await self._store.sweep_interrupted(self._clock.now())

    async def tasks(self, *, limit: int = 20, state: TaskState | None = None) -> list[TaskRecord]:
        """The newest tasks first."""
        return await self._store.list_tasks(limit=limit, state=state)

    async def task(self, task_id: str) -> TaskRecord:
        """The task with this id, or unique beginning of one; `last` is the newest.

        Raises:
            NotFoundError: There is none, or more than one.
        """
        if task_id == "last":
            newest = await self._store.list_tasks(limit=1)
            if not newest:
                raise NotFoundError("there is no task yet; start one with: undaunted run PROMPT")
            return await self._store.task(newest[0].task.id)
        return await self._store.find_task(task_id)

    async def transcript(self, task_id: str) -> list[TranscriptChunk]:
        """What the agents printed for a task, attempt after attempt."""
        return await self._store.transcript(task_id)

    def permission_flags(self, name: str, permissions: Permissions) -> tuple[str, ...]:
        """The flags by which an agent is told what it may do."""
        return self._known(name).permission_flags(permissions)

    def _known(self, name: str) -> Agent:
        """The first login that `name` stands for."""
        try:
            return self._agents[logins_of((name,), self._agents)[0]]
        except KeyError:
            known = ", ".join(self._agents)
            raise NotFoundError(f"no agent {name!r}; known are {known}") from None

    def _model(self, task: Task, agent: Agent) -> str | None:
        return model_for(task, agent) or self._model_of(agent.name, agent.account)

    def _check(self, task: Task) -> None:
        if not task.prompt.strip():
            raise InvalidTaskError("the prompt is empty: say what is to be done", field="prompt")
        if len(task.prompt) > PROMPT_MAX_CHARS:
            raise InvalidTaskError(
                f"the prompt has {len(task.prompt):,} characters, at most {PROMPT_MAX_CHARS:,} are "
                "taken: put the text into a file and let the agent read it",
                field="prompt",
            )
        if "\0" in task.prompt:
            raise InvalidTaskError("the prompt holds a NUL character", field="prompt")
        if task.attempts < 1:
            raise InvalidTaskError(f"at least 1 attempt, not {task.attempts}", field="attempts")
        for name in ("timeout_s", "idle_timeout_s", "deadline_s"):
            seconds: float = getattr(task, name)
            if not (seconds > 0 and math.isfinite(seconds)):
                raise InvalidTaskError(f"{name} is above 0 seconds, not {seconds}", field=name)
        for model in task.models.values():
            if model.startswith("-"):
                raise ConfigurationError(f"the model {model!r} begins with a dash: it is a flag")
        try:
            logins_of(task.agents or self._order, self._agents)
        except KeyError as error:
            known = ", ".join(self._agents)
            raise ConfigurationError(f"no agent {error.args[0]!r}; known are {known}") from None
        if len(set(task.agents)) < len(task.agents):
            raise ConfigurationError("an agent is named twice: each is tried once in a task")
        if task.cwd is None or not Path(task.cwd).is_dir():
            raise InvalidTaskError(f"{task.cwd}: is no directory", field="cwd")
