"""One of an agent's logins, as the person's settings describe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from undaunted.tasks import DEFAULT_ACCOUNT

__all__ = ["Account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login of an agent; part of its breaker's key.

    Attributes:
        name: Unique among the agent's accounts.
        config_folder: The vendor's configuration folder with this login; None is the usual one.
        key: The secret of its own: stored by the person, or taken from a variable that they named.
        key_variable: The variable in which the agent's program expects `key`; empty is the agent's
            usual one.
        prefer_key: A paid key is used even where a subscription is there.
        problem: Why it can't be used as it is written; empty if it can.
    """

    name: str = DEFAULT_ACCOUNT
    config_folder: Path | None = None
    key: str | None = field(default=None, repr=False)
    key_variable: str = ""
    prefer_key: bool = False
    problem: str = ""
