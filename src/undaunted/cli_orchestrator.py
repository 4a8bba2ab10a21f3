"""The specification's face on the product: `CLIOrchestrator` (S8), `execute_task_safely` (S7)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from undaunted.app import App
from undaunted.breaker_rows import snapshot_of
from undaunted.config import Configuration
from undaunted.errors import (
    AgentUnavailableError,
    ConfigurationError,
    ErrorCode,
    InvalidTaskError,
    StoreError,
    TaskExecutionError,
)
from undaunted.events import Event
from undaunted.failures import FailureKind
from undaunted.health_records import HealthRow
from undaunted.resilience.breaker.breaker import CircuitBreaker
from undaunted.resilience.breaker.snapshot import BreakerSnapshot, CircuitState
from undaunted.resilience.errors import NetworkError
from undaunted.resilience.functions import execute_with_timeout, retry_with_exponential_backoff
from undaunted.service import Service
from undaunted.tasks import AgentName, Task, TaskRecord, TaskResponse, TaskState, split_key

__all__ = ["CLIOrchestrator", "Executes", "execute_task_safely"]


_log = logging.getLogger(__name__)

_FRESH = CircuitBreaker().snapshot()


class CLIOrchestrator:
    """Runs a task on one agent after another, with the specification's names and limits (S8, S9).

    The flow is the product's own: failures are classified first, what is transient is retried, and
    everything stays under one total deadline, `task_timeout`. The breakers of `circuit_breakers`
    show the shared ones of the store as of the last task; one that is opened or isolated by hand
    keeps its agent out.

    Args:
        env: The environment that agents and settings are taken from; None is this process's.

    Attributes:
        circuit_breakers: A breaker per agent, by name: 5 failures open it for 60 seconds.
        max_agent_switches: Changes of agent in one task at most; no agent is tried twice.
        task_timeout: Total limit of a task, retries and switches included, in seconds.
    """

    def __init__(self, *, env: Mapping[str, str] | None = None) -> None:
        self._app = App(os.environ if env is None else env)
        self.circuit_breakers = {
            str(name): CircuitBreaker(failure_threshold=5, timeout_duration=60, name=name)
            for name in AgentName
        }
        self._shown: dict[str, BreakerSnapshot] = {}
        self.max_agent_switches = 3
        self.task_timeout: float = 300

    async def execute_task(self, task: Task, session_id: str) -> TaskResponse:
        """Runs `task` and returns the first agent's answer that succeeds.

        Args:
            task: What is to be done.
            session_id: The caller's grouping of tasks.

        Raises:
            AgentUnavailableError: No agent could be tried: not installed, breaker open, no quota.
            TaskExecutionError: Every agent that was tried failed; `failures` has each one's error.
        """
        async with self._open() as service:
            try:
                order = await self._order(service, task)
                record = await service.run(self._limited(task, session_id, order))
            except (InvalidTaskError, ConfigurationError) as error:
                raise TaskExecutionError(f"Invalid task configuration: {error}") from error
            try:
                await self._show_breakers(service)
            except StoreError as error:
                _log.warning("circuit_breakers do not show the present state: %s", error)
        if record.state is not TaskState.SUCCEEDED or record.content is None:
            raise _execution_error(record)
        return TaskResponse(
            task_id=task.id,
            agent=record.agent or "",
            content=record.content,
            session_id=session_id,
            timestamp=record.finished_at or record.created_at,
        )

    async def _select_agent(self, task: Task) -> AgentName:
        """The agent that a task would go to now: by availability, breaker and configured order.

        Raises:
            AgentUnavailableError: None can take it.
        """
        return await self._select_fallback_agent(task, excluded_agents=())

    async def _select_fallback_agent(self, task: Task, excluded_agents: Sequence[str]) -> AgentName:
        """The next agent for a task, after those of `excluded_agents`.

        Raises:
            AgentUnavailableError: None is left.
        """
        async with self._open() as service:
            order = await self._order(service, task)
        left = [k for k in order if not {k, split_key(k)[0]} & set(excluded_agents)]
        if not left:
            raise AgentUnavailableError("no agent is left that could take the task")
        return AgentName(split_key(left[0])[0])

    async def _order(self, service: Service, task: Task) -> list[str]:
        """The agents that can take the task now, in order."""
        steps = await service.plan(_in_a_directory(task))
        usable = [
            step.agent for step in steps if step.tried and not self._closed_by_hand(step.agent)
        ]
        if not usable:
            reasons = {step.agent: step.reason for step in steps}
            told = "; ".join(f"{agent}: {reason}" for agent, reason in reasons.items())
            raise AgentUnavailableError(f"no agent can take the task: {told}", failures=reasons)
        return usable

    def _limited(self, task: Task, session_id: str, order: Sequence[str]) -> Task:
        return replace(
            _in_a_directory(task),
            session_id=session_id,
            agents=tuple(order[: self.max_agent_switches + 1]),
            timeout_s=min(task.timeout_s, self.task_timeout),
            deadline_s=self.task_timeout,
            max_wait_s=0.0,
        )

    def _closed_by_hand(self, agent: str) -> bool:
        """Whether somebody opened the agent's breaker here since it was last shown."""
        breaker = self.circuit_breakers[split_key(agent)[0]]
        forced = breaker.snapshot() != self._shown.get(split_key(agent)[0], _FRESH)
        return forced and breaker.state is CircuitState.OPEN

    async def _show_breakers(self, service: Service) -> None:
        for agent in await service.agents():
            if agent.name not in self.circuit_breakers or self._closed_by_hand(agent.name):
                continue
            breaker = self.circuit_breakers[agent.name]
            breaker.restore(snapshot_of(agent.health.row or HealthRow()))
            self._shown[agent.name] = breaker.snapshot()

    def _open(self) -> AbstractAsyncContextManager[Service]:
        return self._app.service(self._configuration(), emit=_ignore, rehearsal=False)

    def _configuration(self) -> Configuration:
        breaker = next(iter(self.circuit_breakers.values()))
        flags = {
            "breaker_failures": breaker.failure_threshold,
            "breaker_open": breaker.timeout_duration,
        }
        return self._app.configuration(Path.cwd(), flags)


class Executes(Protocol):
    """An agent as the specification's samples use one."""

    async def execute(self, prompt: str) -> object:
        """Runs `prompt` and returns the answer."""
        ...


class _DefaultAgent:
    """The agents of the configuration, as one."""

    async def execute(self, prompt: str) -> object:
        """Runs `prompt` through `CLIOrchestrator` and returns the answer's text."""
        try:
            response = await CLIOrchestrator().execute_task(Task(prompt=prompt), "")
        except AgentUnavailableError:
            raise
        except TaskExecutionError as error:
            if error.kind == FailureKind.NETWORK:
                raise NetworkError(str(error)) from error
            raise
        return response.content


async def execute_task_safely(task: Task, agent: Executes | None = None) -> object:
    """Runs `task` with a timeout of 30 seconds an attempt and three attempts (S7).

    A timeout or a network error is tried again, after 1 and 2 seconds. Work that runs in child
    processes is stopped with all of them before the timeout is raised.

    Args:
        task: What is to be done.
        agent: Who does it; None is the configured agents.

    Returns:
        What `agent.execute` returned.

    Raises:
        TimeoutError: The last attempt took too long.
        NetworkError: The last attempt did not reach the other side.
    """
    executor = agent if agent is not None else _DefaultAgent()
    return await retry_with_exponential_backoff(
        execute_with_timeout,
        executor.execute,
        task.prompt,
        timeout_seconds=30.0,
        max_retries=3,
        exceptions=(TimeoutError, NetworkError),
    )


def _in_a_directory(task: Task) -> Task:
    return task if task.cwd is not None else replace(task, cwd=str(Path.cwd()))


def _execution_error(record: TaskRecord) -> TaskExecutionError:
    tried = list(dict.fromkeys(a.agent for a in record.attempts))
    failures = {a.agent: a.message or "" for a in record.attempts if a.kind is not None}
    text = f"Task execution failed: {record.error_message}. Attempted agents: {', '.join(tried)}"
    unavailable = record.error_code == ErrorCode.AGENT_UNAVAILABLE
    error = (AgentUnavailableError if unavailable else TaskExecutionError)(
        text, failures=failures, retry_after_s=record.retry_after_s
    )
    error.kind = record.error_kind
    return error


def _ignore(_event: Event) -> None:
    """Takes an event that nobody listens to."""
