"""What a policy is: something that puts itself around an async function."""

from __future__ import annotations

import functools
import operator
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar, cast

__all__ = ["Policy", "RunsFunctions"]

P = ParamSpec("P")
R = TypeVar("R")


class RunsFunctions(Protocol):
    """Runs the function it is given: the type of `Policy.call`."""

    def __call__(
        self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Runs `func(*args, **kwargs)`; to be awaited."""
        ...


class Policy(ABC):
    """A rule for running an async function; alone, in a `Pipeline`, or as a decorator.

    A policy of your own implements `bind`. What it has to remember between calls belongs in the
    policy, what it has to remember during one belongs in local variables of the bound function.

    Concurrency: a policy may run any number of calls at a time, in one event loop. It takes no
    lock, and makes no promise to threads.
    """

    @abstractmethod
    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns an `async def` function that runs `inner` under this policy.

        Every call goes through the returned function, so decide here what can be decided once.
        """

    @functools.cached_property
    def call(self) -> RunsFunctions:
        """`await policy.call(func, *args, **kwargs)` runs `func` under this policy.

        It is the policy around `operator.call`, bound once, at the first use: whichever function a
        call brings along, nothing is built for it.
        """
        return cast("RunsFunctions", self.bind(operator.call))

    def __call__(self, func: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Decorates `func`: name, signature and type stay, `__wrapped__` is the original."""
        return functools.update_wrapper(self.bind(func), func)
