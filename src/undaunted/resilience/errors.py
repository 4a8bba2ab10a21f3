"""What the policies raise: refusals and failures are two families.

Exception
├── ExecutionRejectedError       a refusal: the work was not started
│   └── CircuitOpenError         by a circuit breaker
├── TransientError               a failure that may be gone next time
│   └── NetworkError             the other side was not reached, or lost
├── PermanentError               a failure that will be the same next time
├── ResourceExhaustedError       something is used up; neither of the two: it says when to return
├── ExceptionGroup
│   └── AllFailedError           every candidate of a fallback failed; holds each one's error
└── TimeoutError
    └── DeadlineExceededError    the total limit passed, whichever part was slow

A refusal says nothing about the work, so it is never retried and never counted; a fallback moves
on from it like from any failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

__all__ = [
    "AllFailedError",
    "CircuitOpenError",
    "DeadlineExceededError",
    "ExecutionRejectedError",
    "NetworkError",
    "PermanentError",
    "ResourceExhaustedError",
    "TransientError",
]


class ExecutionRejectedError(Exception):
    """A policy refused to start the work.

    Args:
        *args: The text for a person.
        retry_after_s: Seconds until the policy may let work through; None if it can't know.
    """

    def __init__(self, *args: object, retry_after_s: float | None = None) -> None:
        super().__init__(*args)
        self.retry_after_s = retry_after_s


class CircuitOpenError(ExecutionRejectedError):
    """A circuit breaker refused: it is open, or half-open with its probe under way.

    Args:
        *args: The text for a person.
        retry_after_s: Seconds until a probe may start; None while one runs or when isolated.
        open_until: The same as an instant (aware, UTC).
        isolated: A person holds it open; only a reset closes it.
    """

    def __init__(
        self,
        *args: object,
        retry_after_s: float | None = None,
        open_until: datetime | None = None,
        isolated: bool = False,
    ) -> None:
        super().__init__(*args, retry_after_s=retry_after_s)
        self.open_until = open_until
        self.isolated = isolated


class TransientError(Exception):
    """A failure that may be gone at the next attempt (S1)."""


class NetworkError(TransientError):
    """The other side was not reached, or the connection was lost."""


class PermanentError(Exception):
    """A failure that another attempt would only repeat (S1)."""


class ResourceExhaustedError(Exception):
    """Something is used up: slots, quota, memory (S1, S2). Neither transient nor permanent.

    Args:
        *args: The text for a person.
        retry_after_s: Seconds until there may be some again, where that is known.
    """

    def __init__(self, *args: object, retry_after_s: float | None = None) -> None:
        super().__init__(*args)
        self.retry_after_s = retry_after_s


class AllFailedError(ExceptionGroup[Exception]):
    """Every candidate of a fallback failed (S6).

    As an exception group it shows each candidate's traceback, and `except*` reaches inside.

    Args:
        errors: Candidate and error, in order of the tries; at least one.
    """

    errors: list[tuple[str, Exception]]

    def __new__(cls, errors: Sequence[tuple[str, Exception]]) -> Self:
        """Makes the group's text and parts; groups are built here, not in `__init__`."""
        told = "\n".join(f"{name}: {error}" for name, error in errors)
        self = super().__new__(cls, f"All agents failed:\n{told}", [error for _, error in errors])
        self.errors = list(errors)
        return self

    def __str__(self) -> str:
        # The group's own text would end in a count of sub-exceptions, which are all told here.
        return self.message


class DeadlineExceededError(TimeoutError):
    """The total limit over attempts and waits passed (see `Deadline`)."""
