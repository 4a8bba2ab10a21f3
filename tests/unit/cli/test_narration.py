"""Each event that a person should know of is one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from undaunted.cli.local_time import clock_time
from undaunted.cli.narration import Narration
from undaunted.cli.terminal import Terminal
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
    TaskSucceeded,
    WaitStarted,
)

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=2)
ID = "3f2a9c1d-0000-4000-8000-000000000000"
CLOCK, LATER_CLOCK = clock_time(AT), clock_time(LATER)


def _failed(action: str, message: str = "Overloaded") -> AttemptFailed:
    return AttemptFailed(
        at=AT,
        task_id=ID,
        number=1,
        agent="claude",
        kind="overloaded",
        action=action,
        severity="warning",
        message=message,
        duration_s=1.5,
    )


def _opened(until: datetime | None) -> BreakerOpened:
    return BreakerOpened(
        at=AT, task_id=ID, agent="claude", account="default", model=None, reason="auth", until=until
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            TaskAccepted(at=AT, task_id=ID, prompt_chars=5, agents=("claude", "sim")),
            "  task 3f2a9c1d: claude, then sim",
        ),
        (
            AgentChosen(
                at=AT,
                task_id=ID,
                agent="claude",
                account="default",
                model="opus",
                reason="first in the configured order",
                permissions="edit",
                permission_flags=("--mode", "edit"),
            ),
            "▸ claude  first in the configured order · edit: --mode edit · model opus",
        ),
        (
            AgentSkipped(at=AT, task_id=ID, agent="sim", reason="rate_limited", back_at=LATER),
            f"- sim  not tried: rate_limited · back at {LATER_CLOCK} (in 2m)",
        ),
        (
            SlotAwaited(at=AT, task_id=ID, agent="sim", slots=4),
            "… sim  all 4 slots are taken by other runs; waits for one",
        ),
        (
            AttemptStarted(
                at=AT,
                task_id=ID,
                number=4,
                agent="sim",
                attempt_of_agent=2,
                max_attempts=3,
                timeout_s=1800.0,
            ),
            "  sim  attempt 2 of 3, 30m at most",
        ),
        (
            InnerRetryNoticed(at=AT, task_id=ID, agent="sim", number=1, text="529, 1 of 2"),
            "↻ sim  retries by itself: 529, 1 of 2",
        ),
        (_failed("retry"), "✗ claude  overloaded after 1.5s → tried again: Overloaded"),
        (_failed("switch"), "✗ claude  overloaded after 1.5s → moves on: Overloaded"),
        (
            _failed("fail", "two\nlines \x1b[31m[red]"),
            "✗ claude  overloaded after 1.5s → no other agent would help: two lines [red]",
        ),
        (_failed("stop"), "✗ claude  overloaded after 1.5s → stops: Overloaded"),
        (
            AttemptSucceeded(at=AT, task_id=ID, number=1, agent="sim", duration_s=61.0),
            "✓ sim  answered after 1m 1s",
        ),
        (
            RetryScheduled(
                at=AT,
                task_id=ID,
                agent="sim",
                kind="overloaded",
                delay_s=120.0,
                until=LATER,
                reason="backoff with jitter",
            ),
            f"↻ sim  again at {LATER_CLOCK} (in 2m): backoff with jitter",
        ),
        (_opened(LATER), f"! claude  circuit breaker open until {LATER_CLOCK} (in 2m): auth"),
        (
            _opened(None),
            "! claude  circuit breaker open until `undaunted agents reset claude`: auth",
        ),
        (
            WaitStarted(at=AT, task_id=ID, agent="sim", until=LATER),
            f"… sim  every agent is out; waits for it until {LATER_CLOCK} (in 2m)",
        ),
    ],
)
def test_an_event_is_one_line(
    event: Event, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the time, a mark, the agent, and what happened."""
    Narration(Terminal())(event)
    assert capsys.readouterr().err == f"{CLOCK}  {expected}\n"


def test_agents_stand_in_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    """The width is that of the longest name of the task's agents."""
    tell = Narration(Terminal())
    tell(TaskAccepted(at=AT, task_id=ID, prompt_chars=5, agents=("claude", "sim")))
    tell(AttemptSucceeded(at=AT, task_id=ID, number=1, agent="sim", duration_s=1.0))
    assert capsys.readouterr().err.splitlines()[1] == f"{CLOCK}  ✓ sim     answered after 1s"


def test_the_end_is_told_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """How the task ended is no line of the narration, and neither is anything if it is quiet."""
    Narration(Terminal())(
        TaskSucceeded(at=AT, task_id=ID, agent="sim", attempts=1, switches=0, duration_s=1.0)
    )
    Narration(Terminal(quiet=True))(_failed("retry"))
    assert capsys.readouterr().err == ""


def test_a_long_line_is_not_wrapped_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads it finds one line an event, however long."""
    Narration(Terminal())(_failed("switch", "word " * 200))
    assert capsys.readouterr().err.count("\n") == 1
