from __future__ import annotations

import asyncio
import inspect
import math
from dataclasses import dataclass

import pytest

from resilience.script import Script
from undaunted.resilience import (
    AllFailedError,
    CircuitOpenError,
    NamedFunctions,
    NetworkError,
    ResourceExhaustedError,
    execute_with_fallback_chain,
    execute_with_timeout,
    functions,
    retry_with_exponential_backoff,
    retry_with_jitter,
)
from undaunted.testing import FakeClock


@dataclass
class Task:
    prompt: str


@pytest.fixture
def named(clock: FakeClock) -> NamedFunctions:
    return NamedFunctions(clock, random=lambda: 0.5)


def settings(function: object) -> dict[str, object]:
    """The keyword-only settings of a function and their defaults."""
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def test_the_signatures_are_the_documents() -> None:
    """Names, order and defaults (S3, S4, S6, S7); every other keyword is the function's."""
    assert settings(retry_with_exponential_backoff) == {
        "max_retries": 3,
        "initial_delay": 1.0,
        "max_delay": 60.0,
        "exponential_base": 2.0,
        "exceptions": (Exception,),
    }
    assert settings(retry_with_jitter) == {"max_retries": 3, "base_delay": 1.0, "max_delay": 60.0}
    assert settings(execute_with_timeout) == {"timeout_seconds": 30.0}
    for function in (retry_with_exponential_backoff, retry_with_jitter, execute_with_timeout):
        names = list(inspect.signature(function).parameters)
        assert (names[0], names[1], names[-1]) == ("func", "args", "kwargs")
        assert inspect.iscoroutinefunction(function)
    assert list(inspect.signature(execute_with_fallback_chain).parameters) == [
        "task",
        "agents",
        "agent_names",
    ]


async def test_the_modules_functions_run_on_the_systems_time() -> None:
    """They need nothing to be set up."""
    work = Script(NetworkError(), "done")
    assert await retry_with_exponential_backoff(work, "x", initial_delay=0, key=1) == "done"
    assert work.calls == [(("x",), {"key": 1})] * 2
    assert await retry_with_jitter(Script(NetworkError(), "done"), base_delay=0) == "done"
    assert await execute_with_timeout(Script("done")) == "done"


# S3


async def test_s3_waits_by_the_formula(named: NamedFunctions, clock: FakeClock) -> None:
    """Delays 2, 6, 18 and then the bound, without jitter; max_retries counts the first attempt."""
    started, work = clock.monotonic(), Script(NetworkError())
    with pytest.raises(NetworkError):
        await named.retry_with_exponential_backoff(
            work, max_retries=5, initial_delay=2, max_delay=20, exponential_base=3
        )
    assert (work.runs, clock.monotonic() - started) == (5, 2 + 6 + 18 + 20)


async def test_s3_raises_the_last_error_unchanged(named: NamedFunctions) -> None:
    """The same object, with nothing chained to it."""
    errors = [NetworkError(1), NetworkError(2), NetworkError(3)]
    with pytest.raises(NetworkError) as caught:
        await named.retry_with_exponential_backoff(Script(*errors))
    assert caught.value is errors[2]
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("error", [ValueError(), CircuitOpenError(), RuntimeError()])
async def test_s3_classifies_nothing(named: NamedFunctions, error: Exception) -> None:
    """By default every exception is retried, permanent ones and refusals included."""
    assert await named.retry_with_exponential_backoff(Script(error, "done")) == "done"


async def test_s3_retries_what_exceptions_says(named: NamedFunctions) -> None:
    """Others are raised at once."""
    only = (NetworkError, TimeoutError)
    work = Script(TimeoutError(), NetworkError(), ValueError(), "never")
    with pytest.raises(ValueError):  # noqa: PT011 - its class is the point
        await named.retry_with_exponential_backoff(work, max_retries=9, exceptions=only)
    assert work.runs == 3


async def test_s3_reads_no_stated_time(named: NamedFunctions, clock: FakeClock) -> None:
    """It is literal: the formula alone decides how long to wait."""
    started = clock.monotonic()
    work = Script(ResourceExhaustedError(retry_after_s=999), "done")
    assert await named.retry_with_exponential_backoff(work) == "done"
    assert clock.monotonic() - started == 1


@pytest.mark.parametrize("ending", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_s3_never_retries_what_ends_a_program(
    named: NamedFunctions, ending: type[BaseException]
) -> None:
    """Not even if `exceptions` names it."""
    work = Script(ending())
    retrying = named.retry_with_exponential_backoff(work, exceptions=(BaseException,))
    with pytest.raises(ending):
        retrying.send(None)
    assert work.runs == 1


@pytest.mark.parametrize("max_retries", [0, -3])
async def test_at_least_one_attempt(named: NamedFunctions, max_retries: int) -> None:
    """The document's code would raise None; this says what is wrong, and runs nothing."""
    work = Script("never")
    for retry in (named.retry_with_exponential_backoff, named.retry_with_jitter):
        with pytest.raises(ValueError, match="max_retries"):
            await retry(work, max_retries=max_retries)
    assert work.runs == 0


async def test_the_documents_call_of_s3_over_s7(named: NamedFunctions, clock: FakeClock) -> None:
    """Keywords go through to the inner function, as the document's execute_task_safely has it."""
    started = clock.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        await named.retry_with_exponential_backoff(
            named.execute_with_timeout,
            clock.sleep,
            math.inf,
            timeout_seconds=30.0,
            max_retries=3,
            exceptions=(asyncio.TimeoutError, NetworkError),
        )
    assert clock.monotonic() - started == 30 + 1 + 30 + 2 + 30


# S4


async def test_s4_waits_by_full_jitter(named: NamedFunctions, clock: FakeClock) -> None:
    """Half of 1, 2, 4, ... and of the bound, if every random number is a half."""
    started, work = clock.monotonic(), Script(NetworkError())
    with pytest.raises(NetworkError):
        await named.retry_with_jitter(work, max_retries=5, base_delay=1.0, max_delay=5.0)
    assert (work.runs, clock.monotonic() - started) == (5, 0.5 + 1 + 2 + 2.5)


async def test_s4_waits_between_nothing_and_the_bound() -> None:
    """Full jitter is uniform in [0, min(base * 2 ** (n - 1), max)]."""
    for random, expected in ((lambda: 0.0, 0.0), (lambda: 1.0, 3.0)):
        clock = FakeClock(autojump=True)
        started = clock.monotonic()
        with pytest.raises(NetworkError):
            await NamedFunctions(clock, random).retry_with_jitter(Script(NetworkError()))
        assert clock.monotonic() - started == expected


# S6


async def test_s6_the_first_success_wins() -> None:
    """Each agent gets the prompt, and none after the first that succeeds."""
    claude, gemini, copilot = Script(NetworkError()), Script("gemini's"), Script("never")
    answer = await execute_with_fallback_chain(
        Task("why?"), [claude, gemini, copilot], ["claude", "gemini", "copilot"]
    )
    assert answer == "gemini's"
    assert (claude.calls, gemini.calls, copilot.calls) == ([(("why?",), {})],) * 2 + ([],)


async def test_s6_one_error_carries_every_agents() -> None:
    """Its text is the document's; an agent may be tried twice."""
    agents = [Script(NetworkError("a")), Script(ValueError("b")), Script(NetworkError("c"))]
    with pytest.raises(AllFailedError) as caught:
        await execute_with_fallback_chain(Task(""), agents, ["claude", "gemini", "claude"])
    assert str(caught.value) == "All agents failed:\nclaude: a\ngemini: b\nclaude: c"
    assert [name for name, _ in caught.value.errors] == ["claude", "gemini", "claude"]


@pytest.mark.parametrize(("agents", "names"), [([], []), (["one"], []), ([], ["one"])])
async def test_s6_agents_and_names_belong_together(agents: list[str], names: list[str]) -> None:
    """No agent, or not one name for each, is told; none is dropped silently."""
    with pytest.raises(ValueError, match=r"candidate|argument"):
        await execute_with_fallback_chain(Task(""), [Script(a) for a in agents], names)


# S7


async def test_s7_stops_the_work(named: NamedFunctions, clock: FakeClock) -> None:
    """The work has ended when the error comes; it is asyncio's own class."""
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await clock.sleep(math.inf)
        finally:
            ended = True

    started = clock.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        await named.execute_with_timeout(work)
    assert ended
    assert clock.monotonic() - started == 30


def test_every_named_function_is_public() -> None:
    """What the document names is in the module's `__all__`."""
    assert {
        "execute_with_fallback_chain",
        "execute_with_timeout",
        "retry_with_exponential_backoff",
        "retry_with_jitter",
    } <= set(functions.__all__)
