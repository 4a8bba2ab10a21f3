"""An order to an agent, and a spawner that must not be used: for tests of how agents are asked."""

from __future__ import annotations

from undaunted.agents.agent import AgentRequest
from undaunted.agents.process import ProcessResult, ProcessSpec

__all__ = ["REQUEST", "not_run"]

REQUEST = AgentRequest(
    prompt="do it",
    cwd="/",
    permissions="edit",
    model=None,
    extra_args=(),
    env_names=(),
    agent_session_id="12345678-1234-4234-a234-123456789abc",
    token="token",
    timeout_s=10,
    idle_timeout_s=5,
)


async def not_run(spec: ProcessSpec, **_: object) -> ProcessResult:
    """Stands for `run_process` where nothing is to be started."""
    raise AssertionError("nothing is started")
