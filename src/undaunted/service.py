"""What every front door calls: run a task, look at tasks and agents, force a breaker."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from undaunted.agents.agent import Agent
from undaunted.errors import ConfigurationError, InvalidTaskError, NotFoundError
from undaunted.health import AgentHealth, Health
from undaunted.orchestrator import Orchestrator
from undaunted.resilience.clock import Clock
from undaunted.routing import Choice, Option, Skip, decide
from undaunted.store.records import TranscriptChunk
from undaunted.store.store import Store
from undaunted.tasks import Permissions, Task, TaskRecord, TaskState

__all__ = ["PROMPT_MAX_CHARS", "AgentReport", "PlanStep", "Service"]

# Ten times what is promised to work; a longer text is a file's content, and belongs in a file.
PROMPT_MAX_CHARS = 3_000_000


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


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What would be done with one agent, and why.

    Attributes:
        agent: Its name.
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
        agents: All there are, by name.
        order: Those that are tried when a task names none, first to last.
        models: The configured model per agent name.
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
        models: Mapping[str, str | None],
        clock: Clock,
        may_run: Callable[[], None],
    ) -> None:
        self._may_run = may_run
        self._store = store
        self._orchestrator = orchestrator
        self._health = health
        self._agents = agents
        self._order = order
        self._models = models
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
        for name in task.agents or self._order:
            model = self._model(task, name)
            health = next(
                (r.health for r in report if r.name == name and r.model == model), AgentHealth()
            )
            step = self._step(task, name, model, health, before)
            before.append((name, "fails" if step.tried else f"is out ({step.reason})"))
            steps.append(step)
        return steps

    def _step(
        self,
        task: Task,
        name: str,
        model: str | None,
        health: AgentHealth,
        before: Sequence[tuple[str, str]],
    ) -> PlanStep:
        agent = self._agents[name]
        availability = agent.availability()
        option = Option(
            agent=name,
            missing="" if availability.usable else availability.reason,
            closed_reason=health.closed_reason,
            back_at=health.back_at,
            probe=health.probe_due,
        )
        decision: Choice | Skip = decide(option, before=before)
        return PlanStep(
            name,
            isinstance(decision, Choice),
            decision.reason,
            model,
            agent.permission_flags(task.permissions),
        )

    async def agents(self) -> list[AgentReport]:
        """Every configured agent with each of its breakers, in the configured order."""
        report = await self._health.report()
        rows: list[AgentReport] = []
        for name, agent in self._agents.items():
            found = agent.availability()
            mark = agent.credential_mark()
            known = {k.model or None: h for k, h in report.items() if k.agent == name}
            known.setdefault(self._models.get(name), AgentHealth())
            rows += [
                AgentReport(
                    name,
                    found.usable,
                    found.reason,
                    agent.account,
                    model,
                    health.unless_changed(mark),
                )
                for model, health in known.items()
            ]
        return rows

    async def reset_agent(self, name: str) -> int:
        """Closes the breakers of `name` and forgets their figures; returns how many there were.

        Raises:
            NotFoundError: There is no such agent.
        """
        self._known(name)
        return await self._health.reset(name)

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
        if name not in self._agents:
            raise NotFoundError(f"no agent {name!r}; known are {', '.join(self._agents)}")
        return self._agents[name]

    def _model(self, task: Task, name: str) -> str | None:
        return task.models.get(name) or task.models.get("") or self._models.get(name)

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
        unknown = [n for n in task.agents if n not in self._agents]
        if unknown:
            raise ConfigurationError(
                f"no agent {unknown[0]!r}; known are {', '.join(self._agents)}"
            )
        if len(set(task.agents)) < len(task.agents):
            raise ConfigurationError("an agent is named twice: each is tried once in a task")
        if task.cwd is None or not Path(task.cwd).is_dir():
            raise InvalidTaskError(f"{task.cwd}: is no directory", field="cwd")
