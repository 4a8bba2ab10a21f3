"""A task, its attempts and its states; nothing else changes a state.

queued ──> running ──> succeeded | failed | cancelled      (final, never left again)
  ^  ^       │  │
  │  └───────┘  └──> waiting ──> queued
  └── accepted       queued, waiting ──> cancelled | failed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal
from uuid import uuid4

__all__ = [
    "DEFAULT_ACCOUNT",
    "FINAL_STATES",
    "SCHEMA_VERSION",
    "AgentName",
    "Attempt",
    "AttemptOutcome",
    "IllegalTransitionError",
    "PermissionDenial",
    "Permissions",
    "Task",
    "TaskRecord",
    "TaskResponse",
    "TaskState",
    "Usage",
    "agent_key",
    "check_transition",
    "split_key",
]

# Of the object that `run --json` prints and that is later the API's task. A field that is added
# keeps the number; one that is removed or changes its meaning raises it.
SCHEMA_VERSION = 1

Permissions = Literal["read", "edit", "full"]
"""What an agent may do: `read` changes nothing, `edit` may change files in the working directory,
`full` may do whatever the agent can."""


class AgentName(StrEnum):
    """The agents that undaunted knows (S8: the enum whose `.value` is the name)."""

    CLAUDE = "claude"
    GEMINI = "gemini"
    COPILOT = "copilot"
    CODEX = "codex"
    OPENCODE = "opencode"


DEFAULT_ACCOUNT = "default"
"""The login that an agent has by itself, where the settings name none."""


def agent_key(agent: str, account: str) -> str:
    """What stands for one login of an agent in an order: `claude`, or `claude/work`."""
    return agent if account == DEFAULT_ACCOUNT else f"{agent}/{account}"


def split_key(key: str) -> tuple[str, str]:
    """(agent, account) of what `agent_key` gives."""
    agent, _, account = key.partition("/")
    return agent, account or DEFAULT_ACCOUNT


class TaskState(StrEnum):
    """Where a task is."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    WAITING = "waiting"


FINAL_STATES = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})

_TRANSITIONS: dict[TaskState | None, frozenset[TaskState]] = {
    None: frozenset({TaskState.QUEUED}),
    TaskState.QUEUED: frozenset({TaskState.RUNNING, TaskState.CANCELLED, TaskState.FAILED}),
    TaskState.RUNNING: frozenset(
        {
            TaskState.SUCCEEDED,
            TaskState.FAILED,
            TaskState.CANCELLED,
            TaskState.WAITING,
            TaskState.QUEUED,
        }
    ),
    TaskState.WAITING: frozenset({TaskState.QUEUED, TaskState.CANCELLED, TaskState.FAILED}),
}


class IllegalTransitionError(ValueError):
    """A change of state that the table does not have: a bug of ours, never a person's."""


def check_transition(current: TaskState | None, new: TaskState) -> None:
    """Raises IllegalTransitionError unless a task in `current` may become `new`.

    Args:
        current: The state the task is in; None for a task that does not exist yet.
        new: The state it is to have.
    """
    if new not in _TRANSITIONS.get(current, frozenset()):
        raise IllegalTransitionError(f"a task can't go from {current or 'nothing'} to {new}")


class AttemptOutcome(StrEnum):
    """How an attempt ended; None in a record is an attempt that still runs."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an attempt used, as the agent reports them (None: it did not say)."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        def plus(a: int | None, b: int | None) -> int | None:
            return None if a is None and b is None else (a or 0) + (b or 0)

        return Usage(
            plus(self.input_tokens, other.input_tokens),
            plus(self.output_tokens, other.output_tokens),
            plus(self.cached_input_tokens, other.cached_input_tokens),
        )


@dataclass(frozen=True, slots=True)
class PermissionDenial:
    """A tool call that the agent was not allowed to make."""

    tool: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done (S8: `.id`, `.prompt`).

    Attributes:
        prompt: The text for the agent, at least one character that is not white space.
        id: Unique; made when not given.
        cwd: The working directory, absolute; None is the caller's.
        permissions: What the agent may do.
        agents: Agents to try, in order: a name, or `agent/account` for one of its logins; empty is
            the configured order.
        models: Model per agent name; the key "" holds for every agent without one of its own.
        agent_args: Further arguments for the agents' command lines, per agent name or "" for all.
        env_names: Names of the caller's environment variables that the agent is to see as well.
        session_id: The caller's own grouping of tasks; never an agent's session.
        timeout_s: Wall-clock limit of one attempt, in seconds.
        idle_timeout_s: Longest time without a byte from the agent, in seconds.
        deadline_s: Limit of running and backoff over all attempts, in seconds.
        max_wait_s: Limit of waiting for agents that are out until a known time, in seconds.
        attempts: Attempts per agent, the first included.
    """

    prompt: str
    id: str = field(default_factory=lambda: str(uuid4()))
    cwd: str | None = None
    permissions: Permissions = "edit"
    agents: tuple[str, ...] = ()
    models: dict[str, str] = field(default_factory=dict)
    agent_args: dict[str, tuple[str, ...]] = field(default_factory=dict)
    env_names: tuple[str, ...] = ()
    session_id: str | None = None
    timeout_s: float = 1800.0
    idle_timeout_s: float = 300.0
    deadline_s: float = 7200.0
    max_wait_s: float = 0.0
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of one agent for a task. `number` counts from 1 over the whole task."""

    number: int
    agent: str
    account: str
    model: str | None
    token: str
    started_at: datetime
    reason_chosen: str
    duration_s: float | None = None
    outcome: AttemptOutcome | None = None
    kind: str | None = None
    action: str | None = None
    message: str | None = None
    evidence: str | None = None
    exit_code: int | None = None
    retry_after_s: float | None = None
    resets_at: datetime | None = None
    inner_retries: int = 0
    permission_denials: tuple[PermissionDenial, ...] = ()
    usage: Usage | None = None
    cost_usd: float | None = None
    agent_session_id: str | None = None
    command: tuple[str, ...] = ()

    @property
    def agent_key(self) -> str:
        """The agent and its login: `claude`, or `claude/work`."""
        return agent_key(self.agent, self.account)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as it is kept: what was asked, where it stands, its attempts in order."""

    task: Task
    state: TaskState
    created_at: datetime
    attempts: tuple[Attempt, ...] = ()
    agent: str | None = None
    account: str | None = None
    model: str | None = None
    content: str | None = None
    agent_session_id: str | None = None
    switches: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waiting_until: datetime | None = None
    error_kind: str | None = None
    error_code: str | None = None
    error_detail_code: str | None = None
    error_message: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class TaskResponse:
    """What `CLIOrchestrator.execute_task` returns (S8)."""

    task_id: str
    agent: str
    content: str
    session_id: str
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
