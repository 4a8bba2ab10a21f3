"""The course of one task through the flow: what was tried, how long it took, what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from undaunted.agents.agent import Agent, AgentResult
from undaunted.failures import Action, Failure, FailureKind
from undaunted.resilience.clock import Clock
from undaunted.routing import Skip
from undaunted.tasks import Attempt, Task, agent_key

__all__ = ["Course", "Visit", "model_for"]

# A share of time too small for an agent to even start in is no share.
_MIN_ATTEMPT_S = 0.001

# After one of these, in a session that was continued, the session itself may be what is broken.
_BREAKDOWNS = frozenset(
    {
        FailureKind.CRASHED,
        FailureKind.INVALID_REQUEST,
        FailureKind.MISCONFIGURED,
        FailureKind.NOT_FOUND,
        FailureKind.UNKNOWN,
    }
)


def model_for(task: Task, agent: Agent) -> str | None:
    """The model that `task` asks of `agent`: for the login, the agent, or all; None for none."""
    models = task.models
    return models.get(agent.key) or models.get(agent.name) or models.get("")


@dataclass(slots=True)
class Visit:
    """One agent's turn in a task: it may be several attempts.

    Attributes:
        agent: The agent's name.
        account: Its login.
        model: The model to ask for; None is the agent's own default.
        reason: Why it was chosen.
        max_attempts: Attempts at most, the first included.
        retry_cap_s: The longest stated wait that is slept through, in seconds.
        attempts: Attempts made so far.
        failures: How they failed, in order.
        result: How the last attempt ended.
        last_chance: One failure that counts opens the agent's breaker.
    """

    agent: str
    account: str
    model: str | None
    reason: str
    max_attempts: int
    retry_cap_s: float
    attempts: int = 0
    failures: list[Failure] = field(default_factory=list)
    result: AgentResult | None = None
    last_chance: bool = False

    @property
    def key(self) -> str:
        """The agent and its login: `claude`, or `claude/work`."""
        return agent_key(self.agent, self.account)

    def next_action(self, failure: Failure) -> Action:
        """What follows from `failure`, the last of `failures`, at this point of the visit.

        A retry becomes a switch when the attempts are used up, when the kind allows no further
        retry of its own, when the stated wait is too long to be slept through, or when the failure
        opens the breaker, which would refuse the retry.
        """
        action = failure.action_within(self.retry_cap_s)
        if action is not Action.RETRY:
            return action
        of_kind = sum(1 for f in self.failures if f.kind is failure.kind)
        most = failure.rule.max_retries
        opens = self.last_chance and failure.counts_for_breaker
        if opens or self.attempts >= self.max_attempts or (most is not None and of_kind > most):
            return Action.SWITCH
        return Action.RETRY


@dataclass(slots=True)
class Course:
    """What has become of a task so far.

    Attributes:
        task: The task.
        clock: Where time comes from.
        created_at: When it was accepted.
        attempts: Closed attempts, in order.
        visited: Agents (`agent`, or `agent/account`) that were tried, each once, the last one last.
        spent: Why an agent is out of the race for this task.
        skips: Agents that were passed over, with the last reason.
        sessions: The agents' own sessions that could be continued.
        switches: Changes from one agent to another.
    """

    task: Task
    clock: Clock
    created_at: datetime
    started_s: float
    waited_s: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)
    spent: dict[str, str] = field(default_factory=dict)
    skips: dict[str, Skip] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    switches: int = 0

    @classmethod
    def of(cls, task: Task, clock: Clock) -> Course:
        """A course that begins now."""
        return cls(task, clock, clock.now(), clock.monotonic())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the task was accepted, waiting included."""
        return self.clock.monotonic() - self.started_s

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; waiting does not count. Never below 0."""
        return max(0.0, self.task.deadline_s - (self.elapsed_s - self.waited_s))

    def attempt_timeout_s(self, untried: int) -> float:
        """The wall-clock limit of an attempt: min(timeout, time left / agents still untried).

        So a first agent that hangs can't eat the time of those behind it.

        Args:
            untried: Agents that could still be tried, the present one included; at least 1.
        """
        return max(_MIN_ATTEMPT_S, min(self.task.timeout_s, self.left_s / untried))

    def may_wait_until(self, back_at: datetime | None) -> bool:
        """Whether the task may wait for an agent that is back at `back_at`."""
        if back_at is None or self.task.max_wait_s <= 0 or self.left_s <= 0:
            return False
        needed_s = (back_at - self.clock.now()).total_seconds()
        return self.waited_s + needed_s <= self.task.max_wait_s

    def before(self, visit: Visit) -> str | None:
        """The agent that `visit` takes the task over from; None for the first."""
        last = self.visited[-1] if self.visited else None
        return last if last != visit.key else None

    def begin(self, visit: Visit) -> None:
        """Notes that an agent is really tried: a visit that is refused is no switch."""
        if self.before(visit) is not None:
            self.switches += 1
        if visit.key in self.visited:
            self.visited.remove(visit.key)
        self.visited.append(visit.key)

    def keep_session(self, visit: Visit, failure: Failure, session_id: str | None) -> None:
        """Notes the session that a retry may go on with, after a failed attempt.

        One in which the agent broke down by itself is not trusted a second time.
        """
        known = self.sessions.pop(visit.key, None)
        if session_id is not None and not (known and failure.kind in _BREAKDOWNS):
            self.sessions[visit.key] = session_id
