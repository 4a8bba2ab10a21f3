"""Which agent is next, and why: each choice and each passing-over says its reason.

The order is the configured one. What rules an agent out for now: its program is missing, its
circuit breaker is open, or it was tried before in this task.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from undaunted.tasks import DEFAULT_ACCOUNT

__all__ = ["Choice", "Option", "Skip", "decide", "logins_of", "usable_now"]


def logins_of(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The logins to try for `names`, in order, each once.

    Args:
        names: Agents, which stand for all their logins, or single logins (`agent/account`; the
            usual one is `agent/default`).
        known: Every login there is, an agent's in the order in which they are to be tried.

    Raises:
        KeyError: A name stands for none.
    """
    every = tuple(known)
    found: dict[str, None] = {}
    for name in names:
        usual = name.removesuffix(f"/{DEFAULT_ACCOUNT}")
        logins = [key for key in every if key == name or key.startswith(f"{name}/")]
        logins = logins or [key for key in every if key == usual]
        if not logins:
            raise KeyError(name)
        found.update(dict.fromkeys(logins))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is known of an agent before it is chosen.

    Attributes:
        agent: Its name, or `agent/account`.
        missing: Why it can't be started; empty if it can.
        closed_reason: Why its breaker keeps it out; empty if it does not.
        back_at: When its breaker lets a probe through, where that is known.
        probe: Its breaker is half-open: an attempt now is the probe.
    """

    agent: str
    missing: str = ""
    closed_reason: str = ""
    back_at: datetime | None = None
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An agent to try now."""

    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """An agent that is passed over, and when it is back, where that is known."""

    agent: str
    reason: str
    back_at: datetime | None = None


def usable_now(option: Option) -> bool:
    """Whether the agent could be tried now."""
    return not option.missing and not option.closed_reason


def decide(option: Option, *, before: Sequence[tuple[str, str]]) -> Choice | Skip:
    """Whether to try the agent of `option` now.

    Args:
        option: What is known of it.
        before: (agent, why it is out of the race) of the agents earlier in the order.

    Returns:
        A choice with its reason, or a skip with its reason and the time of return.
    """
    if option.missing:
        return Skip(option.agent, option.missing)
    if option.closed_reason:
        return Skip(option.agent, option.closed_reason, option.back_at)
    reason = "first in the configured order"
    if before:
        reason = "next in order: " + "; ".join(f"{agent} {why}" for agent, why in before)
    if option.probe:
        reason += "; its breaker is half-open, this is the probe"
    return Choice(option.agent, reason)
