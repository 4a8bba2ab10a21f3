"""How the library's types look from outside; checked by mypy, never run.

Every `assert_type` is a promise to those who use the library under a strict type checker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, assert_type

from undaunted.resilience import (
    AllFailedError,
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    Clock,
    Deadline,
    Exponential,
    Permit,
    Pipeline,
    Policy,
    Retry,
    RetryEvent,
    SystemClock,
    Timeout,
    execute_with_fallback_chain,
    execute_with_timeout,
    fallback,
    remaining_s,
    retry_after_of,
    retry_with_exponential_backoff,
    retry_with_jitter,
)
from undaunted.testing import FakeClock

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Answer:
    text: str


@dataclass
class Task:
    prompt: str


async def ask(prompt: str, *, model: str = "m") -> Answer:
    return Answer(f"{model}: {prompt}")


async def ask_other(prompt: str, *, model: str = "m") -> Answer:
    return Answer(f"{model}: {prompt}!")


async def ask_plainly(prompt: str) -> Answer:
    return Answer(prompt)


pipeline = Pipeline(Deadline(60), Retry(attempts=3), CircuitBreaker(), Timeout(30))


async def running_work() -> None:
    assert_type(await pipeline.call(ask, "why", model="x"), Answer)
    assert_type(await Retry().call(ask, "why"), Answer)
    assert_type(await CircuitBreaker().call_async(ask, "why"), Answer)
    task = asyncio.create_task(pipeline.call(ask, "why"))
    assert_type(task, asyncio.Task[Answer])
    # What the function would not take, `call` does not take.
    await pipeline.call(ask, 1)  # type: ignore[arg-type]
    await pipeline.call(ask, "why", modle="x")  # type: ignore[call-arg]
    await pipeline.call(ask)  # type: ignore[call-arg]
    # A function that is not async is refused.
    await pipeline.call(len, "why")  # type: ignore[arg-type]


@pipeline
async def decorated(prompt: str, *, model: str = "m") -> Answer:
    return await ask(prompt, model=model)


async def decorating() -> None:
    assert_type(await decorated("why", model="x"), Answer)
    await decorated(1)  # type: ignore[arg-type]
    await decorated("why", modle="x")  # type: ignore[call-arg]
    bound: Callable[[str], Coroutine[Any, Any, Answer]] = pipeline(ask_plainly)
    assert_type(await bound("why"), Answer)


class Agent:
    @Retry()
    async def run(self, prompt: str) -> Answer:
        return await ask(prompt)


async def decorating_a_method() -> None:
    assert_type(await Agent().run("why"), Answer)
    await Agent().run(1)  # type: ignore[arg-type]


class Quietly(Policy):
    """A policy of a user's own needs one method."""

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return await inner(*args, **kwargs)

        return call


async def composing() -> None:
    assert_type(await Pipeline(Quietly(), pipeline, Pipeline()).call(ask, "why"), Answer)
    Pipeline(Retry)  # type: ignore[arg-type]
    Pipeline(ask)  # type: ignore[arg-type]


async def falling_back() -> None:
    run = fallback([("one", ask), ("other", ask_other)])
    assert_type(await run("why", model="x"), Answer)
    await run(1)  # type: ignore[arg-type]
    try:
        await fallback([("one", pipeline(ask)), ("other", ask_other)])("why")
    except AllFailedError as error:
        assert_type(error.errors, list[tuple[str, Exception]])
        assert_type(error.exceptions[0], Exception | ExceptionGroup[Exception])


def settings() -> None:
    def on_retry(event: RetryEvent) -> None:
        assert_type(event.error, Exception)
        assert_type(event.retry_after_s, float | None)

    Retry(
        3,
        backoff=Exponential(base_s=0.5),
        jitter="equal",
        retry_if=lambda error: isinstance(error, OSError),
        clock=FakeClock(),
        random=lambda: 0.5,
        on_retry=on_retry,
    )
    Retry(backoff=lambda attempt: attempt * 1.0)
    Retry(jitter="fuzzy")  # type: ignore[arg-type]
    CircuitBreaker(5, 60, ConnectionError, name="claude", counts=lambda error: True)
    CircuitBreaker(5, 60, (ConnectionError, TimeoutError))
    CircuitBreaker(5, 60, Exception, "claude")  # type: ignore[call-arg]
    clocks: list[Clock] = [SystemClock(), FakeClock()]
    assert_type(clocks[0].now(), datetime)


def looking(breaker: CircuitBreaker) -> None:
    assert_type(breaker.state, CircuitState)
    assert_type(breaker.open_until, datetime | None)
    assert_type(breaker.retry_after_s, float | None)
    assert_type(breaker.failure_count, int)
    assert_type(breaker.acquire(), Permit)
    assert_type(remaining_s(), float | None)
    assert_type(retry_after_of(CircuitOpenError()), float | None)
    breaker.restore(breaker.snapshot(), keep_probe=True)


async def the_documents_functions() -> None:
    assert_type(await retry_with_exponential_backoff(ask, "why", max_retries=5), Answer)
    assert_type(await retry_with_jitter(ask, "why", base_delay=0.5, model="x"), Answer)
    assert_type(await execute_with_timeout(ask, "why", timeout_seconds=5.0), Answer)
    assert_type(
        await execute_with_fallback_chain(Task("why"), [ask, ask_other], ["one", "other"]), Answer
    )
    await execute_with_fallback_chain("why", [ask], ["one"])  # type: ignore[arg-type]
