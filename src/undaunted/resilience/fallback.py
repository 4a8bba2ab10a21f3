"""Trying one candidate after another until one succeeds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.errors import AllFailedError

__all__ = ["fallback"]

P = ParamSpec("P")
R = TypeVar("R")


def _always(error: Exception) -> bool:  # noqa: ARG001 - the shape of a predicate
    return True


def fallback(
    candidates: Iterable[tuple[str, Callable[P, Awaitable[R]]]],
    *,
    move_on_if: Callable[[Exception], bool] = _always,
) -> Callable[P, Coroutine[Any, Any, R]]:
    """One async function out of several: the first candidate that succeeds gives the result.

    Each candidate gets the same arguments. To give one policies of its own, decorate it:
    `fallback([("first", pipeline(first)), ("second", second)])`.

    Args:
        candidates: Name and function each, in the order of the tries; at least one.
        move_on_if: Whether another candidate may help after this error. By default always, after
            a refusal as well: an open circuit is the best reason to try the next.

    Returns:
        The function. It raises AllFailedError with each candidate's error when none succeeds, and
        the error itself, unchanged, where `move_on_if` says no. Cancellation ends it at once.

    Raises:
        ValueError: There is no candidate.
    """
    tries = tuple(candidates)
    if not tries:
        raise ValueError("a fallback needs at least one candidate")

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        errors: list[tuple[str, Exception]] = []
        for name, candidate in tries:
            try:
                return await candidate(*args, **kwargs)
            except Exception as error:
                if not move_on_if(error):
                    raise
                errors.append((name, error))
        raise AllFailedError(errors)

    return call
