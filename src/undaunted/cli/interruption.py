"""SIGINT, SIGTERM and SIGHUP end a task in an orderly way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Interruption", "SignalledError"]

R = TypeVar("R")


class SignalledError(Exception):
    """A signal ended the command.

    Args:
        number: Which.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"ended by {number.name}")
        self.number = number


class Interruption:
    """While active, the first signal cancels what `run` runs; further ones are only told.

    A signal that was ignored when the program began (`nohup`, a shell's background job) stays
    ignored.

    Args:
        on_signal: Told of each signal, and whether it is the first.
    """

    def __init__(self, on_signal: Callable[[signal.Signals, bool], None]) -> None:
        self._on_signal = on_signal
        self._received: signal.Signals | None = None
        self._work: asyncio.Task[Any] | None = None
        self._handled: list[signal.Signals] = []

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Runs `work` and returns what it returns.

        Raises:
            SignalledError: A signal came; `work` has ended by its cancellation.
        """
        if self._received is not None:
            work.close()
            raise SignalledError(self._received)
        self._work = task = asyncio.create_task(work)
        try:
            return await task
        except asyncio.CancelledError:
            if self._received is None:
                raise  # somebody else cancels us
            raise SignalledError(self._received) from None

    def _receive(self, number: signal.Signals) -> None:
        first = self._received is None
        self._on_signal(number, first)
        if not first:
            return
        self._received = number
        if self._work is not None:
            self._work.cancel()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._receive, number)
                self._handled.append(number)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in self._handled:
            loop.remove_signal_handler(number)
