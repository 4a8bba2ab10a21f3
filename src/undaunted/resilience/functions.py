"""The specification's named functions, with the signatures and defaults it gives them (S3 to S7).

They are literal: `exceptions` alone decides what is retried, no error is classified, no header is
read. For that there are the policies. Cancellation, KeyboardInterrupt and SystemExit are never
retried, whatever `exceptions` holds.

Every keyword that a function does not name belongs to `func`, so clock and randomness can't come
in as arguments: they come in through `NamedFunctions`, of which the module's functions are one.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Protocol, TypeVar

from undaunted.resilience.backoff import Exponential, jittered
from undaunted.resilience.clock import Clock, SystemClock
from undaunted.resilience.fallback import fallback
from undaunted.resilience.timeout import Timeout

__all__ = [
    "HasPrompt",
    "NamedFunctions",
    "execute_with_fallback_chain",
    "execute_with_timeout",
    "retry_with_exponential_backoff",
    "retry_with_jitter",
]

R = TypeVar("R")


class HasPrompt(Protocol):
    """A task, as far as a fallback chain is concerned."""

    @property
    def prompt(self) -> str:
        """The text for an agent."""
        ...


class NamedFunctions:
    """The specification's functions on one clock and one source of randomness.

    Args:
        clock: Where time comes from.
        random: Uniform numbers in [0, 1).
    """

    def __init__(
        self, clock: Clock | None = None, random: Callable[[], float] = random_module.random
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._random = random

    async def retry_with_exponential_backoff(
        self,
        func: Callable[..., Awaitable[R]],
        *args: object,
        max_retries: int = 3,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        exponential_base: float = 2.0,
        exceptions: tuple[type[BaseException], ...] = (Exception,),
        **kwargs: object,
    ) -> R:
        """Runs `func(*args, **kwargs)` until it succeeds, up to `max_retries` times (S3).

        After failed attempt n it waits `min(initial_delay * exponential_base ** (n - 1),
        max_delay)` seconds.

        Args:
            func: The async function.
            *args: Its arguments.
            max_retries: Attempts, the first included; at least 1.
            initial_delay: Seconds after the first failed attempt.
            max_delay: Bound of a wait in seconds.
            exponential_base: Growth of the wait per attempt.
            exceptions: What is retried.
            **kwargs: Keywords for `func`.

        Returns:
            What `func` returns.

        Raises:
            ValueError: `max_retries` is below 1.
            Exception: The last attempt's, unchanged; or at once one that `exceptions` leaves out.
        """
        backoff = Exponential(initial_delay, exponential_base, max_delay)
        return await self._retry(
            lambda: func(*args, **kwargs), max_retries, exceptions, delay_s=backoff
        )

    async def retry_with_jitter(
        self,
        func: Callable[..., Awaitable[R]],
        *args: object,
        max_retries: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 60.0,
        **kwargs: object,
    ) -> R:
        """Runs `func(*args, **kwargs)` until it succeeds, up to `max_retries` times (S4).

        After failed attempt n it waits a time that is uniform in
        `[0, min(base_delay * 2 ** (n - 1), max_delay)]` seconds.

        Args:
            func: The async function.
            *args: Its arguments.
            max_retries: Attempts, the first included; at least 1.
            base_delay: Bound of the first wait in seconds.
            max_delay: Bound of every wait in seconds.
            **kwargs: Keywords for `func`.

        Returns:
            What `func` returns.

        Raises:
            ValueError: `max_retries` is below 1.
            Exception: The last attempt's, unchanged.
        """
        backoff = Exponential(base_delay, 2.0, max_delay)
        return await self._retry(
            lambda: func(*args, **kwargs),
            max_retries,
            (Exception,),
            delay_s=lambda attempt: jittered(backoff(attempt), "full", self._random),
        )

    async def _retry(
        self,
        run: Callable[[], Awaitable[R]],
        attempts: int,
        exceptions: tuple[type[BaseException], ...],
        *,
        delay_s: Callable[[int], float],
    ) -> R:
        if attempts < 1:
            raise ValueError(
                f"max_retries counts the first attempt too: at least 1, not {attempts}"
            )
        for attempt in count(1):
            try:
                return await run()
            except exceptions as error:
                if attempt >= attempts or not isinstance(error, Exception):
                    raise
            await self._clock.sleep(delay_s(attempt))
        raise AssertionError("count() does not end")

    async def execute_with_timeout(
        self,
        func: Callable[..., Awaitable[R]],
        *args: object,
        timeout_seconds: float = 30.0,
        **kwargs: object,
    ) -> R:
        """Runs `func(*args, **kwargs)` for `timeout_seconds` at most (S7).

        The work is stopped, not abandoned: it is cancelled, and has ended when the error is
        raised, with all that it ends itself (a child process and its descendants).

        Args:
            func: The async function.
            *args: Its arguments.
            timeout_seconds: The limit, above 0.
            **kwargs: Keywords for `func`.

        Returns:
            What `func` returns.

        Raises:
            TimeoutError: The time was up (`asyncio.TimeoutError` is the same class).
        """
        return await Timeout(timeout_seconds, self._clock).call(func, *args, **kwargs)


async def execute_with_fallback_chain(
    task: HasPrompt,
    agents: Sequence[Callable[[str], Awaitable[R]]],
    agent_names: Sequence[str],
) -> R:
    """Gives `task.prompt` to one agent after another until one succeeds (S6).

    Args:
        task: What has a `prompt`.
        agents: Async functions that take the prompt, in the order of the tries.
        agent_names: Their names, as many.

    Returns:
        The first success.

    Raises:
        ValueError: No agent, or not one name for each.
        AllFailedError: Every agent failed; holds each one's name and error.
    """
    return await fallback(zip(agent_names, agents, strict=True))(task.prompt)


_named = NamedFunctions()
retry_with_exponential_backoff = _named.retry_with_exponential_backoff
retry_with_jitter = _named.retry_with_jitter
execute_with_timeout = _named.execute_with_timeout
