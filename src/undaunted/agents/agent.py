"""What an agent is to the flow: a name, a readiness, and one run that ends in an `AgentResult`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from undaunted.agents.credentials import Credential
from undaunted.failures import Failure
from undaunted.tasks import PermissionDenial, Permissions, Usage

__all__ = [
    "Agent",
    "AgentRequest",
    "AgentResult",
    "Availability",
    "Inspection",
    "OutputSink",
    "RunNotice",
    "VersionState",
]

OutputSink = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Takes each chunk as the agent prints it, for the transcript. Must not block or raise."""


VersionState = Literal["tested", "newer", "older", "other_major", "unknown"]
"""How a version stands to the tested one: the same; of the same major; of another; not told."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an agent could be started here and now.

    Attributes:
        usable: It can be started.
        reason: Why not, or where it was found.
        kind: For an agent that can't be used: `not_installed` or `misconfigured`.
    """

    usable: bool
    reason: str
    kind: Literal["", "not_installed", "misconfigured"] = ""


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One attempt's order to an agent.

    Attributes:
        prompt: The text, as the person typed it.
        cwd: Absolute working directory.
        permissions: What the agent may do.
        model: The model to ask for; None is the agent's own default.
        extra_args: Further command line arguments, from the person's configuration or flags.
        env_names: Names of the caller's variables to pass on.
        agent_session_id: Id for the agent's session, a UUID, where the agent takes one.
        token: The attempt's token; marks every process of this attempt.
        timeout_s: Wall-clock limit in seconds.
        idle_timeout_s: Limit without a byte of output in seconds.
        resume_session_id: A session of the agent's own that is to be continued instead of begun
            anew; None begins anew. An agent that can't continue it begins anew by itself.
        longest_wait_s: An agent that announces a longer wait of its own is ended at once, since the
            task can move on meanwhile; in seconds.
    """

    prompt: str
    cwd: str
    permissions: Permissions
    model: str | None
    extra_args: tuple[str, ...]
    env_names: tuple[str, ...]
    agent_session_id: str
    token: str
    timeout_s: float
    idle_timeout_s: float
    resume_session_id: str | None = None
    longest_wait_s: float = math.inf


@dataclass(frozen=True, slots=True)
class RunNotice:
    """Something the agent said in mid-run that a person may want to see.

    Attributes:
        kind: `inner_retry` (a retry of its own), `session` (its id became known), `session_lost`
            (the one to be continued could not be, so it begins anew), `text` (a piece of the
            answer) or `tool`.
        text: For a person, one line.
        wait_s: With `inner_retry`: how long the agent will wait before it, in seconds, where it
            says so.
    """

    kind: Literal["inner_retry", "session", "session_lost", "text", "tool"]
    text: str
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How one run of an agent ended. Exactly one of `failure` and a finished `content` counts.

    Attributes:
        content: The answer; with a failure, what there was of it, or None.
        failure: Why the run failed; None for a success.
        agent_session_id: The agent's own session id.
        model: The model the agent says it used.
        usage: Tokens used.
        cost_usd: Cost in US dollars as the agent reports it.
        exit_code: The process's exit status, negative for a signal; None if it never started.
        inner_retries: Retries the agent made inside itself.
        permission_denials: Tool calls it was not allowed to make.
        command: The command line without the prompt.
    """

    content: str | None
    failure: Failure | None
    agent_session_id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    exit_code: int | None = None
    inner_retries: int = 0
    permission_denials: tuple[PermissionDenial, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found of an installed agent.

    Attributes:
        version: What it calls itself; None if it said nothing of the kind.
        tested_version: The version that undaunted was tested with; empty for a described agent.
        version_state: How the one stands to the other.
        missing_flags: Flags that undaunted uses and that the program's help does not name.
        problem: Why it could not be asked; empty if it could.
    """

    version: str | None
    tested_version: str
    version_state: VersionState
    missing_flags: tuple[str, ...] = ()
    problem: str = ""


class Agent(Protocol):
    """A coding agent that can be run without a person.

    Cancellation: `run` ends every process it started before it lets the cancellation through.
    """

    @property
    def name(self) -> str:
        """The name in configuration, rows and metrics."""
        ...

    @property
    def account(self) -> str:
        """Which login is used: part of the breaker's key."""
        ...

    @property
    def key(self) -> str:
        """Its name in the order of a task: the agent's, or `agent/account` for a named account."""
        ...

    @property
    def resumes(self) -> bool:
        """Whether it can continue a session of its own."""
        ...

    def availability(self) -> Availability:
        """Whether it could be started here and now; starts nothing."""
        ...

    def credential(self) -> Credential | None:
        """What it would log in with, as far as can be seen; None where nothing was found."""
        ...

    def credential_mark(self) -> str:
        """A digest that changes with the agent's credential; says nothing about it otherwise."""
        ...

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`, as they are shown to the person."""
        ...

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why this agent can't take the request as typed; None if it can."""
        ...

    async def inspect(self) -> Inspection:
        """Asks the program for its version and its flags; asks no model."""
        ...

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        """Runs the agent once and returns how it ended; never raises for an agent's failure.

        Args:
            request: What to do.
            sink: Gets every chunk of output as it comes.
            notify: Gets what is worth showing while it runs.
        """
        ...
