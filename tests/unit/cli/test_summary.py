"""How a task ended, for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.local_time import clock_time
from undaunted.cli.summary import figures, money, tell_end
from undaunted.cli.terminal import Terminal
from undaunted.errors import ErrorCode
from undaunted.tasks import (
    Attempt,
    AttemptOutcome,
    PermissionDenial,
    Task,
    TaskRecord,
    TaskState,
)

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ID = "3f2a9c1d-0000-4000-8000-000000000000"


def _attempt(number: int, agent: str, kind: str | None = "crashed") -> Attempt:
    return Attempt(
        number=number,
        agent=agent,
        account="default",
        model=None,
        token=str(number),
        started_at=AT,
        reason_chosen="",
        outcome=AttemptOutcome.FAILED if kind else AttemptOutcome.SUCCEEDED,
        kind=kind,
        message="it fell\nover" if kind else None,
        cost_usd=0.06,
    )


RECORD = TaskRecord(
    task=Task("Hello", id=ID),
    state=TaskState.FAILED,
    created_at=AT,
    finished_at=AT + timedelta(seconds=3),
    attempts=(_attempt(1, "claude"), _attempt(2, "claude")),
    error_code=ErrorCode.TASK_EXECUTION_ERROR,
    error_detail_code="ALL_AGENTS_FAILED",
    error_message="All agents failed",
)


def _told(
    record: TaskRecord, code: ExitCode, capsys: pytest.CaptureFixture[str], *, quiet: bool = False
) -> list[str]:
    passed_over = {"gemini": "gemini is not on PATH"}
    tell_end(Terminal(quiet=quiet), record, code, passed_over=passed_over, now=AT)
    return capsys.readouterr().err.splitlines()


def test_a_failure_is_told_agent_by_agent(capsys: pytest.CaptureFixture[str]) -> None:
    """Tries and the last failure of each, who was not tried, the status, and where to look."""
    assert _told(RECORD, ExitCode.ALL_FAILED, capsys, quiet=True) == [
        "✗ failed: 2 attempts, 0 switches, 3s, $0.12",
        "  claude  2 attempts, crashed: it fell over",
        "  gemini  not tried: gemini is not on PATH",
        "  exit status 1: all agents failed. More: undaunted show 3f2a9c1d",
    ]


def test_when_to_come_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With the local clock and how long that is."""
    told = _told(replace(RECORD, retry_after_s=117.0), ExitCode.COME_BACK, capsys)
    assert f"  come back at {clock_time(AT + timedelta(minutes=2))} (in 2m)" in told


def test_a_deadline_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Its length is told."""
    record = replace(RECORD, error_detail_code="DEADLINE_EXCEEDED")
    assert "  the deadline of 2h passed" in _told(record, ExitCode.DEADLINE, capsys)


def test_a_success_is_one_line_that_quiet_spares(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, costs of failed attempts included; nothing if quiet."""
    record = replace(
        RECORD,
        state=TaskState.SUCCEEDED,
        agent="gemini",
        attempts=(_attempt(1, "claude"), _attempt(2, "gemini", None)),
        switches=1,
    )
    told = _told(record, ExitCode.DONE, capsys)
    assert told == ["✓ done by gemini: 2 attempts, 1 switch, 3s, $0.12"]
    assert _told(record, ExitCode.DONE, capsys, quiet=True) == []


def test_what_was_not_allowed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A success without a tool that it wanted may be half a success."""
    denials = (PermissionDenial("Bash"), PermissionDenial("Write"), PermissionDenial("Bash"))
    attempt = replace(_attempt(1, "claude", None), permission_denials=denials)
    record = replace(RECORD, state=TaskState.SUCCEEDED, agent="claude", attempts=(attempt,))
    assert "Bash, Write" in _told(record, ExitCode.DONE, capsys)[1]


def test_a_cancelled_task_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    """State, figures, status."""
    told = _told(replace(RECORD, state=TaskState.CANCELLED), ExitCode.TERMINATED, capsys)
    assert told[0].startswith("✗ cancelled: 2 attempts")
    assert "exit status 143" in told[1]


def test_costs_that_nobody_told_are_left_out() -> None:
    """No cost is not a cost of nothing."""
    record = replace(RECORD, attempts=(replace(_attempt(1, "claude"), cost_usd=None),))
    assert figures(record) == "1 attempt, 0 switches, 3s"


def test_small_costs_keep_their_digits() -> None:
    """Below a cent four digits."""
    assert [money(x) for x in (0.0, 0.0042, 0.01, 1.5)] == ["$0.00", "$0.0042", "$0.01", "$1.50"]
