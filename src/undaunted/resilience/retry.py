"""Trying again what may work next time, after a wait."""

from __future__ import annotations

import random as random_module
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from undaunted.resilience.backoff import Backoff, Exponential, Jitter, jittered
from undaunted.resilience.classification import is_transient_or_exhausted
from undaunted.resilience.clock import Clock, SystemClock
from undaunted.resilience.deadline import remaining_s
from undaunted.resilience.errors import ExecutionRejectedError
from undaunted.resilience.policy import Policy
from undaunted.resilience.retry_after import retry_after_of

__all__ = ["Retry", "RetryEvent"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """A retry was decided.

    Attributes:
        attempt: The attempt that failed, counted from 1.
        error: How it failed.
        delay_s: Seconds until the next attempt.
        retry_after_s: Seconds to wait that the error asked for; None if it did not.
    """

    attempt: int
    error: Exception
    delay_s: float
    retry_after_s: float | None


class Retry(Policy):
    """Runs the work again while it fails in a way that may pass.

    After failed attempt n it waits `jitter(backoff(n))` seconds, or as long as the error itself
    asks for (`retry_after_of`) if that is longer; no jitter is added to a stated time. The last
    error is raised as it is, the same object, at once:

    - after `attempts` attempts,
    - when `retry_if` says no,
    - when the error is a refusal (`ExecutionRejectedError`), whatever `retry_if` says,
    - when it asks for a wait of more than `max_retry_after_s`,
    - when the wait would not end before the enclosing `Deadline`.

    Args:
        attempts: How often the work is tried, the first time included; at least 1.
        backoff: Seconds to wait after the n-th failed attempt.
        jitter: How that is spread over callers.
        retry_if: Whether an error is worth another attempt; transient errors and
            `ResourceExhaustedError` by default.
        max_retry_after_s: The longest stated wait that is slept through, in seconds.
        clock: Where time comes from.
        random: Uniform numbers in [0, 1).
        on_retry: Told of each retry before its wait. Must not block; what it raises ends the call.

    Cancellation: never caught, neither in an attempt nor in a wait.
    """

    def __init__(
        self,
        attempts: int = 3,
        *,
        backoff: Backoff = Exponential(),  # noqa: B008 - frozen
        jitter: Jitter = "full",
        retry_if: Callable[[Exception], bool] = is_transient_or_exhausted,
        max_retry_after_s: float = 60.0,
        clock: Clock | None = None,
        random: Callable[[], float] = random_module.random,
        on_retry: Callable[[RetryEvent], object] | None = None,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is at least 1, the first included, not {attempts}")
        jittered(0.0, jitter, lambda: 0.0)  # an unknown name is said here, not at the first failure
        self._attempts = attempts
        self._backoff = backoff
        self._jitter: Jitter = jitter
        self._retry_if = retry_if
        self._max_retry_after_s = max_retry_after_s
        self._clock: Clock = clock or SystemClock()
        self._random = random
        self._on_retry = on_retry

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner` until it succeeds or retrying ends."""

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            attempt = 1
            while True:
                try:
                    return await inner(*args, **kwargs)
                except Exception as error:
                    delay_s = self._delay_s(attempt, error)
                    if delay_s is None:
                        raise
                # Outside the handler: what happens during the wait has nothing to do with `error`.
                await self._clock.sleep(delay_s)
                attempt += 1

        return call

    def _delay_s(self, attempt: int, error: Exception) -> float | None:
        """Seconds to wait before the next attempt; None if there is to be none."""
        if attempt >= self._attempts or isinstance(error, ExecutionRejectedError):
            return None
        if not self._retry_if(error):
            return None
        delay_s = jittered(self._backoff(attempt), self._jitter, self._random)
        stated_s = retry_after_of(error, now=self._clock.now)
        if stated_s is not None:
            if stated_s > self._max_retry_after_s:
                return None
            delay_s = max(delay_s, stated_s)
        left_s = remaining_s()
        if left_s is not None and delay_s >= left_s:
            return None
        if self._on_retry is not None:
            self._on_retry(RetryEvent(attempt, error, delay_s, stated_s))
        return delay_s
