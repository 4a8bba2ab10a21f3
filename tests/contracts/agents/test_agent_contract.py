"""What the flow relies on with every agent (`undaunted.agents.agent.Agent`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, get_args

import pytest

from living import marked
from undaunted.agents.agent import Agent, AgentRequest, AgentResult, RunNotice
from undaunted.failures import Action, FailureKind
from undaunted.tasks import Permissions

MakeAgent = Callable[[Any], Agent]
MakeRequest = Callable[..., AgentRequest]


async def run(agent: Agent, request: AgentRequest) -> tuple[AgentResult, bytes, list[RunNotice]]:
    chunks: list[bytes] = []
    notices: list[RunNotice] = []
    result = await agent.run(
        request, sink=lambda stream, chunk: chunks.append(chunk), notify=notices.append
    )
    return result, b"".join(chunks), notices


def test_it_has_a_name_and_an_account(make_agent: MakeAgent) -> None:
    """Name and account make a breaker's key: never empty, always the same."""
    agent = make_agent("answers")
    assert agent.name
    assert agent.account
    assert (agent.name, agent.account) == (
        make_agent("crashes").name,
        make_agent("crashes").account,
    )


def test_it_shows_its_flags_for_each_permission(make_agent: MakeAgent) -> None:
    """Each level of permissions has flags of its own."""
    agent = make_agent("answers")
    flags = [agent.permission_flags(level) for level in get_args(Permissions)]
    assert all(flags)
    assert len(set(flags)) == len(flags)


def test_it_knows_whether_it_could_be_started(make_agent: MakeAgent) -> None:
    """What is there is usable; what is missing says so, and of which kind that is."""
    assert make_agent("answers").availability().usable
    missing = make_agent("missing").availability()
    assert (missing.usable, missing.kind) == (False, "not_installed")
    assert missing.reason


def test_its_credential_mark_is_steady_and_says_nothing(make_agent: MakeAgent) -> None:
    """The mark stays while the credential does, and is short enough to be no credential."""
    agent = make_agent("answers")
    assert agent.credential_mark() == agent.credential_mark()
    assert len(agent.credential_mark()) <= 64


def test_it_refuses_an_empty_prompt(make_agent: MakeAgent, make_request: MakeRequest) -> None:
    """A prompt without a text is the task's fault; an ordinary one is taken."""
    agent = make_agent("answers")
    assert agent.refuse(make_request()) is None
    refusal = agent.refuse(make_request(prompt=" \n"))
    assert refusal is not None
    assert refusal.action is Action.FAIL


async def test_it_answers(make_agent: MakeAgent, make_request: MakeRequest) -> None:
    """A success has content and no failure; its output went through the sink, its news out."""
    result, output, notices = await run(make_agent("answers"), make_request())
    assert (result.failure, result.content) == (None, "Say hello")
    assert result.exit_code == 0
    assert b"Say hello" in output
    assert notices


async def test_the_prompt_is_not_in_the_command(
    make_agent: MakeAgent, make_request: MakeRequest
) -> None:
    """The command that is kept with the attempt does not hold the prompt."""
    result, _, _ = await run(make_agent("answers"), make_request(prompt="a private matter"))
    assert result.command
    assert not any("a private matter" in argument for argument in result.command)


async def test_a_prompt_may_begin_with_a_dash(
    make_agent: MakeAgent, make_request: MakeRequest
) -> None:
    """A prompt never becomes an option."""
    result, _, _ = await run(make_agent("answers"), make_request(prompt="--help"))
    assert result.content == "--help"


async def test_a_crash_is_a_failure(make_agent: MakeAgent, make_request: MakeRequest) -> None:
    """An agent that crashes has a failure of that kind, with evidence, and raises nothing."""
    result, _, _ = await run(make_agent("crashes"), make_request())
    assert result.failure is not None
    assert result.failure.kind is FailureKind.CRASHED
    assert result.failure.message
    assert result.failure.evidence


async def test_a_hang_is_ended(make_agent: MakeAgent, make_request: MakeRequest) -> None:
    """An agent that falls silent is ended by the idle timeout."""
    result, _, _ = await run(make_agent("hangs"), make_request(idle_timeout_s=1.0))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.TIMEOUT


async def test_a_missing_program_is_a_failure(
    make_agent: MakeAgent, make_request: MakeRequest
) -> None:
    """An agent that is gone when its turn comes is a failure too, not an exception."""
    result, _, _ = await run(make_agent("missing"), make_request())
    assert result.failure is not None
    assert result.failure.kind is FailureKind.NOT_INSTALLED
    assert result.exit_code is None


async def test_a_cancelled_run_leaves_nothing(
    make_agent: MakeAgent, make_request: MakeRequest
) -> None:
    """A cancellation comes through once every process of the run is gone."""
    request = make_request()
    printed = asyncio.Event()
    running = asyncio.create_task(
        make_agent("hangs").run(
            request, sink=lambda stream, chunk: printed.set(), notify=lambda notice: None
        )
    )
    await printed.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(request.token) == []
