"""How long to wait between attempts: exponential backoff, and the jitter that spreads callers.

Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (full and equal
jitter are his names; full jitter costs the fewest calls under contention).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Backoff", "Exponential", "Jitter", "jittered"]

Backoff = Callable[[int], float]
"""Seconds to wait, before jitter, after the failed attempt of that number (from 1)."""

Jitter = Literal["equal", "full", "none"]
"""How a delay d is spread: `full` over [0, d], `equal` over [d/2, d], `none` not at all."""

# Fits a float, and is beyond all growth: even the least factor above 1 has overflowed by then.
_LAST_EXPONENT = 2**63


@dataclass(frozen=True, slots=True)
class Exponential:
    """The delay `min(base_s * factor ** (attempt - 1), max_s)`, for any attempt, however large.

    Args:
        base_s: Seconds after the first failed attempt, 0 or more.
        factor: Growth per attempt, above 0; below 1 the delays shrink.
        max_s: Bound of the delay in seconds, 0 or more.
    """

    base_s: float = 1.0
    factor: float = 2.0
    max_s: float = 60.0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.base_s, self.factor, self.max_s))):
            raise ValueError(f"backoff needs finite numbers: {self}")
        if self.base_s < 0 or self.factor <= 0 or self.max_s < 0:
            raise ValueError(f"backoff needs base_s >= 0, factor > 0, max_s >= 0: {self}")

    def __call__(self, attempt: int) -> float:
        """Seconds to wait after attempt `attempt` (from 1) failed, in [0, max_s]."""
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        try:
            # float: an integer factor would be raised digit by digit, for ever at attempt 10**9.
            growth = float(self.factor) ** min(attempt - 1, _LAST_EXPONENT)
        except OverflowError:
            growth = math.inf
        # 0 times infinity is not a number; a base of 0 means no delay.
        return min(self.base_s * growth, self.max_s) if self.base_s else 0.0


_SPREADS: Mapping[Jitter, Callable[[float, float], float]] = {
    "equal": lambda delay_s, u: delay_s / 2 + delay_s / 2 * u,
    "full": lambda delay_s, u: delay_s * u,
    "none": lambda delay_s, u: delay_s,  # noqa: ARG005 - the same shape as its siblings
}


def jittered(delay_s: float, jitter: Jitter, random: Callable[[], float]) -> float:
    """`delay_s` spread as `jitter` says, with `random` giving uniform numbers in [0, 1).

    Raises:
        ValueError: There is no such jitter.
    """
    if jitter not in _SPREADS:
        raise ValueError(f"jitter is one of {', '.join(_SPREADS)}, not {jitter!r}")
    return _SPREADS[jitter](delay_s, random())
