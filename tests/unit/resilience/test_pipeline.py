from __future__ import annotations

import asyncio
import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pytest

from resilience.script import Script
from undaunted.resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    Deadline,
    DeadlineExceededError,
    Exponential,
    Pipeline,
    Policy,
    Retry,
    Timeout,
    TransientError,
)
from undaunted.testing import FakeClock

P = ParamSpec("P")
R = TypeVar("R")


class Noting(Policy):
    """Writes down when a call passes, inwards and outwards."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes
        self.binds = 0

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        self.binds += 1

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            self._notes.append(f"{self._name} in")
            try:
                return await inner(*args, **kwargs)
            finally:
                self._notes.append(f"{self._name} out")

        return call


async def test_the_first_policy_is_the_outermost() -> None:
    """A call goes through them from left to right, and back."""
    notes: list[str] = []
    pipeline = Pipeline(Noting("a", notes), Noting("b", notes), Noting("c", notes))
    assert await pipeline.call(Script("ok"), 1, two=2) == "ok"
    assert notes == ["a in", "b in", "c in", "c out", "b out", "a out"]


async def test_a_chain_is_bound_once() -> None:
    """Calls build nothing, whatever function they bring."""
    policy = Noting("a", [])
    pipeline = Pipeline(policy)
    assert [await pipeline.call(Script(n)) for n in range(3)] == [0, 1, 2]
    assert policy.binds == 1


async def test_an_empty_pipeline_runs_the_work() -> None:
    """No policy, no difference."""
    error = ValueError()
    assert await Pipeline().call(Script("ok")) == "ok"
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - by identity
        await Pipeline().call(Script(error))
    assert caught.value is error


async def test_a_pipeline_is_a_policy() -> None:
    """It stands in another one as its policies would."""
    notes: list[str] = []
    inner = Pipeline(Noting("b", notes), Noting("c", notes))
    await Pipeline(Noting("a", notes), inner, Pipeline()).call(Script("ok"))
    assert notes == ["a in", "b in", "c in", "c out", "b out", "a out"]


@pytest.mark.parametrize(
    "policy",
    [Retry(), CircuitBreaker(), Timeout(5), Deadline(5), Pipeline(), Pipeline(Retry(), Retry())],
    ids=lambda policy: type(policy).__name__,
)
async def test_a_policy_works_alone_and_as_a_decorator(policy: Policy) -> None:
    """What is decorated keeps its name, signature, text, kind and original; arguments arrive."""

    async def ask(prompt: str, *, model: str = "m") -> str:
        """Asks."""
        return f"{model}: {prompt}"

    decorated = policy(ask)
    assert await policy.call(ask, "why", model="x") == "x: why"
    assert await decorated("why", model="x") == "x: why"
    assert inspect.unwrap(decorated) is ask
    assert decorated is not ask
    assert decorated.__name__ == "ask"
    assert decorated.__doc__ == "Asks."
    assert inspect.signature(decorated) == inspect.signature(ask)
    assert inspect.iscoroutinefunction(decorated)
    assert inspect.iscoroutinefunction(policy.call)


async def test_a_method_can_be_decorated() -> None:
    """`self` arrives as with any function."""

    class Agent:
        name = "claude"

        @Pipeline(Retry(), Timeout(5))
        async def run(self, prompt: str) -> str:
            return f"{self.name}: {prompt}"

    assert await Agent().run("why") == "claude: why"


async def test_everything_that_is_awaited_can_be_run() -> None:
    """Partials and objects with an async call are functions, too."""
    assert await Retry().call(functools.partial(Script("ok"), 1)) == "ok"
    assert await Retry()(functools.partial(Script("ok"), 1))() == "ok"


async def test_keywords_of_the_work_may_have_any_name() -> None:
    """`func`, `self` and `inner` belong to the work as well."""

    async def work(**keywords: int) -> dict[str, int]:
        return keywords

    everything = Pipeline(Deadline(5), Retry(), CircuitBreaker(), Timeout(5))
    keywords = {"func": 1, "self": 2, "inner": 3, "args": 4, "obj": 5}
    assert await everything.call(work, **keywords) == keywords


async def test_a_decorated_function_shares_its_policys_state(clock: FakeClock) -> None:
    """One breaker around two functions is one circuit."""
    breaker = CircuitBreaker(1, clock=clock)
    failing, other = breaker(Script(TransientError())), breaker(Script("ok"))
    with pytest.raises(TransientError):
        await failing()
    with pytest.raises(CircuitOpenError):
        await other()


# Order is meaning: each row is one way to put policies around work that always fails (or hangs),
# with what becomes of one call: how often the work ran, what was raised, when, and what the
# breaker (of threshold 2) has counted.

Make = Callable[[FakeClock, CircuitBreaker], Pipeline]


def retry(clock: FakeClock, attempts: int = 3) -> Retry:
    return Retry(attempts, backoff=Exponential(1, 2, 60), jitter="none", clock=clock)


ORDERS: dict[str, tuple[Make, str, int, type[Exception], float, int]] = {
    "retry(breaker): every attempt counts, the refusal is not retried": (
        lambda clock, breaker: Pipeline(retry(clock, 5), breaker),
        "fails", 2, CircuitOpenError, 3, 2,
    ),
    "breaker(retry): a whole call counts once": (
        lambda clock, breaker: Pipeline(breaker, retry(clock, 5)),
        "fails", 5, TransientError, 15, 1,
    ),
    "retry(timeout): each attempt has its limit, and timeouts are retried": (
        lambda clock, breaker: Pipeline(retry(clock), Timeout(10, clock)),
        "hangs", 3, TimeoutError, 33, 0,
    ),
    "timeout(retry): one limit over all, even in a wait": (
        lambda clock, breaker: Pipeline(Timeout(2.5, clock), retry(clock)),
        "fails", 2, TimeoutError, 2.5, 0,
    ),
    "deadline(retry): no wait that would pass it": (
        lambda clock, breaker: Pipeline(Deadline(2.5, clock), retry(clock)),
        "fails", 2, TransientError, 1, 0,
    ),
    "deadline(retry(timeout)): the last attempt is cut": (
        lambda clock, breaker: Pipeline(Deadline(15, clock), retry(clock), Timeout(10, clock)),
        "hangs", 2, DeadlineExceededError, 15, 0,
    ),
    "retry(breaker(timeout)): timeouts open the circuit": (
        lambda clock, breaker: Pipeline(retry(clock), breaker, Timeout(10, clock)),
        "hangs", 2, CircuitOpenError, 23, 2,
    ),
    "retry(timeout(breaker)): a timeout outside of it is a cancellation to the breaker": (
        lambda clock, breaker: Pipeline(retry(clock), Timeout(10, clock), breaker),
        "hangs", 3, TimeoutError, 33, 0,
    ),
    "deadline(retry(breaker(timeout))): the house's order": (
        lambda clock, breaker: Pipeline(
            Deadline(100, clock), retry(clock), breaker, Timeout(10, clock)
        ),
        "fails", 2, CircuitOpenError, 3, 2,
    ),
    "retry(retry): attempts multiply": (
        lambda clock, breaker: Pipeline(retry(clock, 2), retry(clock, 2)),
        "fails", 4, TransientError, 3, 0,
    ),
    "nothing": (
        lambda clock, breaker: Pipeline(), "fails", 1, TransientError, 0, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ORDERS.values(), ids=ORDERS.keys())
async def test_the_order_of_policies_is_their_meaning(
    clock: FakeClock, row: tuple[Make, str, int, type[Exception], float, int]
) -> None:
    """Runs, error, time and count are the row's."""
    make, behaviour, runs, error, took_s, counted = row
    breaker = CircuitBreaker(2, 60, clock=clock)
    ran = 0

    async def work() -> None:
        nonlocal ran
        ran += 1
        if behaviour == "hangs":
            await clock.sleep(math.inf)
        raise TransientError

    started = clock.monotonic()
    with pytest.raises(error) as caught:
        await make(clock, breaker).call(work)
    assert type(caught.value) is error
    assert (ran, clock.monotonic() - started, breaker.failure_count) == (runs, took_s, counted)
    assert breaker.state is (CircuitState.OPEN if counted == 2 else CircuitState.CLOSED)


async def test_a_cancelled_pipeline_is_cancelled(clock: FakeClock) -> None:
    """No policy catches, counts or retries it, wherever the call stands."""
    breaker = CircuitBreaker(1, clock=clock)
    pipeline = Pipeline(Deadline(99, clock), retry(clock), breaker, Timeout(10, clock))
    still = asyncio.create_task(pipeline.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    still.cancel()
    with pytest.raises(asyncio.CancelledError):
        await still
    assert (breaker.state, breaker.failure_count) == (CircuitState.CLOSED, 0)
