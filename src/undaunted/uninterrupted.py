"""Finishing a piece of work although the task that asked for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["uninterrupted"]

R = TypeVar("R")


async def uninterrupted(work: Coroutine[Any, Any, R]) -> R:
    """Runs `work` to its end and returns its result; a cancellation meanwhile goes through then.

    What `work` raises is lost to a cancellation, which is never masked.
    """
    running = asyncio.create_task(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()  # looked at, so that the loop does not complain of it
        raise
