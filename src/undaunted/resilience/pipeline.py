"""Several policies, one around the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.policy import Policy

__all__ = ["Pipeline"]

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Policy):
    """Policies as one, outermost first.

    `Pipeline(Retry(), CircuitBreaker(), Timeout(30))` retries what the breaker lets through, and
    limits each attempt. The order is the meaning: with the timeout first it would limit all
    attempts and the waits between them together; with the breaker first it would count the last
    attempt's failure only. A pipeline is itself a policy and can stand in another one.

    Args:
        *policies: Outermost first; with none, calls go straight through.
    """

    def __init__(self, *policies: Policy) -> None:
        self.policies = policies

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns `inner` with every policy around it, the last one next to it."""
        if not self.policies:
            return _coroutine_function(inner)
        *outer, innermost = self.policies
        bound = innermost.bind(inner)
        for policy in reversed(outer):
            bound = policy.bind(bound)
        return bound


def _coroutine_function(
    inner: Callable[P, Awaitable[R]],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """`inner` as a new `async def`, for an empty pipeline has no layer to give it one."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return await inner(*args, **kwargs)

    return call
