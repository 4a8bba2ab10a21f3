"""The course of a task on standard error: a line an event, as it happens."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from undaunted.cli.local_time import clock_time, until
from undaunted.cli.plain_text import one_line
from undaunted.cli.terminal import Terminal
from undaunted.durations import format_duration
from undaunted.events import (
    AgentChosen,
    AgentSkipped,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    BreakerOpened,
    Event,
    InnerRetryNoticed,
    RetryScheduled,
    SlotAwaited,
    TaskAccepted,
    WaitStarted,
)
from undaunted.failures import Action
from undaunted.tasks import agent_key

__all__ = ["SHORT_ID_CHARS", "Narration"]

# Of a task's id, as it is shown: enough to be the only one, short enough to be typed.
SHORT_ID_CHARS: Final = 8

_CONSEQUENCES = {
    Action.RETRY: "tried again",
    Action.SWITCH: "moves on",
    Action.FAIL: "no other agent would help",
    Action.STOP: "stops",
}


class Narration:
    """A listener that tells of events; how the task ended is `summary`'s to tell.

    Args:
        terminal: Where it is told.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._agent_width = 0

    def __call__(self, event: Event) -> None:
        """Tells of `event`, if there is something to tell."""
        match event:
            case TaskAccepted():
                self._agent_width = max((len(name) for name in event.agents), default=0)
                named = ", then ".join(event.agents)
                self._say(event, "", "", f"task {event.task_id[:SHORT_ID_CHARS]}: {named}")
            case AgentChosen():
                flags = " ".join(event.permission_flags)
                told = f"{event.reason} · {event.permissions}" + (f": {flags}" if flags else "")
                model = f" · model {event.model}" if event.model else ""
                self._say(event, "▸", agent_key(event.agent, event.account), told + model, "bold")
            case AgentSkipped():
                back = f" · back at {until(event.back_at, event.at)}" if event.back_at else ""
                self._say(
                    event,
                    "-",
                    agent_key(event.agent, event.account),
                    f"not tried: {event.reason}{back}",
                    "dim",
                )
            case SlotAwaited():
                told = f"all {event.slots} slots are taken by other runs; waits for one"
                self._say(event, "…", agent_key(event.agent, event.account), told, "dim")
            case AttemptStarted():
                told = f"attempt {event.attempt_of_agent} of {event.max_attempts}"
                limit = format_duration(event.timeout_s)
                told += ", continues its session" if event.continues_session else ""
                self._say(
                    event, "", agent_key(event.agent, event.account), f"{told}, {limit} at most"
                )
            case InnerRetryNoticed():
                self._say(
                    event,
                    "↻",
                    agent_key(event.agent, event.account),
                    f"retries by itself: {event.text}",
                    "dim",
                )
            case AttemptFailed():
                self._say_failed(event)
            case AttemptSucceeded():
                took = format_duration(event.duration_s)
                self._say(
                    event,
                    "✓",
                    agent_key(event.agent, event.account),
                    f"answered after {took}",
                    "green",
                )
            case RetryScheduled():
                told = f"again at {until(event.until, event.at)}: {event.reason}"
                self._say(event, "↻", agent_key(event.agent, event.account), told)
            case BreakerOpened():
                self._say_opened(event)
            case WaitStarted():
                told = f"every agent is out; waits for it until {until(event.until, event.at)}"
                self._say(event, "…", agent_key(event.agent, event.account), told, "yellow")
            case _:
                pass  # how the task ended

    def _say_failed(self, event: AttemptFailed) -> None:
        # What follows comes before what was said: a terminal cuts long lines at their end.
        took, follows = format_duration(event.duration_s), _CONSEQUENCES.get(Action(event.action))
        told = f"{event.kind} after {took} → {follows}: {event.message}"
        self._say(
            event,
            "✗",
            agent_key(event.agent, event.account),
            told,
            "yellow" if event.severity == "warning" else "red",
        )

    def _say_opened(self, event: BreakerOpened) -> None:
        if event.until is None:
            key = agent_key(event.agent, event.account)
            how_long = f"until `undaunted agents reset {key}`"
        else:
            how_long = f"until {until(event.until, event.at)}"
        told = f"circuit breaker open {how_long}: {event.reason}"
        self._say(event, "!", agent_key(event.agent, event.account), told, "yellow")

    def _say(self, event: Event, mark: str, agent: str, told: str, style: str = "") -> None:
        """One line: the time, a mark, the agent, and what happened."""
        column = f"{agent:<{self._agent_width}}  " if agent else ""
        self._terminal.line(
            Text.assemble(
                (f"{clock_time(event.at)}  ", "dim"),
                (f"{mark:<1} ", style),
                (column, "cyan"),
                (one_line(told), style),
            )
        )
