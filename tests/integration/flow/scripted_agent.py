"""An agent without a process: its outcomes are drawn from a seed, its time is the fake clock's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from undaunted.agents.agent import (
    AgentRequest,
    AgentResult,
    Availability,
    Inspection,
    OutputSink,
    RunNotice,
)
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions, Usage, agent_key
from undaunted.testing import FakeClock

K = FailureKind

# (weight, kind or None for a success)
MIX: list[tuple[float, FailureKind | None]] = [
    (30, None),
    (8, K.RATE_LIMITED),
    (8, K.OVERLOADED),
    (10, K.SERVER_ERROR),
    (6, K.NETWORK),
    (4, K.BROKEN_RESPONSE),
    (8, K.TIMEOUT),
    (6, K.CRASHED),
    (4, K.UNKNOWN),
    (3, K.INTERRUPTED),
    (3, K.QUOTA_EXHAUSTED),
    (1, K.AUTH),
    (2, K.NOT_FOUND),
    (2, K.CONTEXT_TOO_LONG),
    (2, K.INVALID_REQUEST),
    (2, K.LIMIT_REACHED),
]


@dataclass
class ScriptedAgent:
    """Takes what the seed gives: a kind of end, after some time."""

    name: str
    clock: FakeClock
    rng: random.Random
    mix: list[tuple[float, FailureKind | None]] = field(default_factory=lambda: MIX)
    account: str = "default"
    usable: bool = True
    requests: list[AgentRequest] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    resumes: bool = True

    @property
    def key(self) -> str:
        return agent_key(self.name, self.account)

    def credential(self) -> None:
        return None

    async def inspect(self) -> Inspection:
        return Inspection("1.0.0", "1.0.0", "tested")

    def availability(self) -> Availability:
        return Availability(self.usable, "here" if self.usable else "not on PATH")

    def credential_mark(self) -> str:
        return "mark"

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        return ("--permissions", permissions)

    def refuse(self, request: AgentRequest) -> Failure | None:
        return None

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._run(request, sink, notify)
        finally:
            self.running -= 1

    async def _run(
        self, request: AgentRequest, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        kind = self.rng.choices([k for _, k in self.mix], [w for w, _ in self.mix])[0]
        sink("stdout", b"working\n")
        if kind is K.TIMEOUT:
            # Half of the hanging agents keep to their limit, half have to be stopped.
            if self.rng.random() < 0.5:
                await self.clock.sleep(request.timeout_s * 100)
            await self.clock.sleep(request.timeout_s)
            return AgentResult(None, Failure(K.TIMEOUT, "printed nothing"), exit_code=-15)
        took_s = self.rng.uniform(1, 400)
        if took_s >= request.timeout_s:
            await self.clock.sleep(request.timeout_s)
            return AgentResult(None, Failure(K.TIMEOUT, "not done"), exit_code=-15)
        await self.clock.sleep(took_s)
        if kind is None:
            return AgentResult("done", None, usage=Usage(1, 1), cost_usd=0.5, exit_code=0)
        retry_after_s = None
        if kind in {K.RATE_LIMITED, K.QUOTA_EXHAUSTED} and self.rng.random() < 0.8:
            retry_after_s = self.rng.choice([1.0, 20.0, 300.0, 4000.0])
        return AgentResult(
            None,
            Failure(
                kind,
                f"simulated {kind}",
                "result event",
                retry_after_s=retry_after_s,
                resets_at=(
                    self.clock.now() + timedelta(seconds=retry_after_s) if retry_after_s else None
                ),
                blames_task=kind is K.INVALID_REQUEST and self.rng.random() < 0.5,
            ),
            exit_code=1,
        )
