from __future__ import annotations

import asyncio
import inspect

import pytest

from resilience.script import Script
from undaunted.resilience import (
    AllFailedError,
    CircuitOpenError,
    PermanentError,
    TransientError,
    fallback,
)


async def test_the_first_success_wins() -> None:
    """Later candidates are not run."""
    first, second, third = Script(TransientError()), Script("second"), Script("third")
    run = fallback([("first", first), ("second", second), ("third", third)])
    assert await run("prompt", model="m") == "second"
    assert (first.runs, second.runs, third.runs) == (1, 1, 0)
    assert second.calls == [(("prompt",), {"model": "m"})]


async def test_when_all_fail_every_error_is_told() -> None:
    """One error holds each candidate's, in order."""
    one, two = TransientError("1"), PermanentError("2")
    with pytest.raises(AllFailedError) as caught:
        await fallback([("a", Script(one)), ("b", Script(two))])()
    assert caught.value.errors == [("a", one), ("b", two)]


async def test_a_refusal_moves_on() -> None:
    """An open circuit is the best reason to try the next."""
    assert await fallback([("a", Script(CircuitOpenError())), ("b", Script("b"))])() == "b"


async def test_an_error_that_no_other_candidate_helps_with_is_raised() -> None:
    """`move_on_if` ends the search with the error itself."""
    error, second = ValueError("the prompt is empty"), Script("b")
    run = fallback(
        [("a", Script(error)), ("b", second)], move_on_if=lambda e: not isinstance(e, ValueError)
    )
    with pytest.raises(ValueError, match="empty") as caught:
        await run()
    assert caught.value is error
    assert second.runs == 0


async def test_cancellation_ends_the_search() -> None:
    """No other candidate is tried for a task that is being cancelled."""
    second = Script("b")
    with pytest.raises(asyncio.CancelledError):
        await fallback([("a", Script(asyncio.CancelledError())), ("b", second)])()
    assert second.runs == 0


def test_no_candidate_is_refused() -> None:
    """Nothing to try is a mistake in the settings."""
    with pytest.raises(ValueError, match="at least one"):
        fallback([])


async def test_each_call_begins_with_the_first() -> None:
    """Nothing is remembered from one call to the next, also when the candidates came lazily."""
    first = Script(TransientError(), "first")
    run = fallback(pair for pair in [("first", first), ("second", Script("second"))])
    assert [await run(), await run()] == ["second", "first"]


def test_it_is_a_coroutine_function() -> None:
    """Frameworks that look recognise it."""
    assert inspect.iscoroutinefunction(fallback([("a", Script("a"))]))
