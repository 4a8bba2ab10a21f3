"""How many runs of one agent go on at once on this machine: a lock file each.

Command lines of one account race on their token files, and every one of them takes memory. The
files are locked by the kernel, so that a slot is free again when its process dies in whatever way.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from undaunted.errors import StoreError
from undaunted.resilience.clock import Clock
from undaunted.resilience.errors import ExecutionRejectedError
from undaunted.resilience.policy import Policy

__all__ = ["AgentSlots", "SlotsTakenError"]

P = ParamSpec("P")
R = TypeVar("R")

# A lock on a file can't be awaited, so a run that finds all slots taken looks again after a while:
# soon enough against runs of minutes, seldom enough to cost nothing.
_LOOK_AGAIN_S = 0.2


class SlotsTakenError(ExecutionRejectedError):
    """Every slot of an agent was taken for as long as there was time to wait."""


class AgentSlots:
    """The slots of all agents, shared by every process on one data folder.

    Args:
        folder: Where the lock files are.
        clock: Where waiting is done.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def policy(
        self, agent: str, slots: int, *, wait_s: float, on_wait: Callable[[], None]
    ) -> Policy:
        """A policy that runs the work in one of the agent's slots.

        Args:
            agent: The agent and its login.
            slots: How many there are, at least 1.
            wait_s: Longest wait for one, in seconds.
            on_wait: Called once, when all are taken and the waiting begins.
        """
        return _SlotPolicy(self, agent, slots, wait_s, on_wait)

    @contextlib.asynccontextmanager
    async def take(
        self, agent: str, slots: int, *, wait_s: float, on_wait: Callable[[], None]
    ) -> AsyncGenerator[int]:
        """Holds one slot of `agent`; yields its number, from 0. Waits while all are taken.

        Raises:
            SlotsTakenError: All were taken for `wait_s` seconds.
        """
        waited = False
        until_s = self._clock.monotonic() + wait_s
        while (taken := self._try_take(agent, slots)) is None:
            if not waited:
                waited = True
                on_wait()
            if self._clock.monotonic() >= until_s:
                raise SlotsTakenError(f"all {slots} slots are taken by other runs")
            await self._clock.sleep(_LOOK_AGAIN_S)
        number, lock = taken
        try:
            yield number
        finally:
            lock.release()

    def _try_take(self, agent: str, slots: int) -> tuple[int, FileLock] | None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} can't be used: {error.strerror}") from error
        for number in range(slots):
            # Not thread-local: whoever holds the object holds the lock.
            path = self._folder / f"{agent.replace('/', '@')}-{number}.lock"
            lock = FileLock(path, timeout=0, mode=0o600, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                continue
            return number, lock
        return None


class _SlotPolicy(Policy):
    """Runs the work while holding a slot."""

    def __init__(
        self,
        slots: AgentSlots,
        agent: str,
        count: int,
        wait_s: float,
        on_wait: Callable[[], None],
    ) -> None:
        self._wait_s = wait_s
        self._slots = slots
        self._agent = agent
        self._count = count
        self._on_wait = on_wait

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner` in a slot."""

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            slot = self._slots.take(
                self._agent, self._count, wait_s=self._wait_s, on_wait=self._on_wait
            )
            async with slot:
                return await inner(*args, **kwargs)

        return call
