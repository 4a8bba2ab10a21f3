"""The exit status of a task, of an error, and of a signal."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from undaunted.cli.exit_codes import ExitCode, of_error, of_record, of_signal
from undaunted.errors import (
    ConfigurationError,
    ErrorCode,
    InvalidTaskError,
    NotFoundError,
    StoreError,
    StoreTooNewError,
    UndauntedError,
)
from undaunted.tasks import Task, TaskRecord, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = TaskState.FAILED


@pytest.mark.parametrize(
    ("state", "error_code", "detail_code", "retry_after_s", "expected"),
    [
        (TaskState.SUCCEEDED, None, None, None, 0),
        (TaskState.CANCELLED, None, None, None, 130),
        (FAILED, ErrorCode.VALIDATION_ERROR, "INVALID_PROMPT", None, 65),
        # Beside a deadline it does not matter that an agent comes back: the time is over.
        (FAILED, ErrorCode.TASK_EXECUTION_ERROR, "DEADLINE_EXCEEDED", 60.0, 124),
        # A known time helps more than the word that nobody could be asked.
        (FAILED, ErrorCode.AGENT_UNAVAILABLE, "NO_AGENT_AVAILABLE", 60.0, 75),
        (FAILED, ErrorCode.TASK_EXECUTION_ERROR, "ALL_AGENTS_FAILED", 0.0, 75),
        (FAILED, ErrorCode.AGENT_UNAVAILABLE, "NO_AGENT_AVAILABLE", None, 69),
        (FAILED, ErrorCode.TASK_EXECUTION_ERROR, "ALL_AGENTS_FAILED", None, 1),
        (FAILED, ErrorCode.TASK_EXECUTION_ERROR, "LIMIT_REACHED", None, 1),
        (FAILED, ErrorCode.INTERNAL_ERROR, "UNEXPECTED_ERROR", None, 70),
    ],
)
def test_the_first_status_that_applies_is_taken(
    state: TaskState, error_code: Any, detail_code: Any, retry_after_s: Any, expected: int
) -> None:
    """A task in its final state has one exit status."""
    record = TaskRecord(
        task=Task("Hello"),
        state=state,
        created_at=NOW,
        error_code=error_code,
        error_detail_code=detail_code,
        retry_after_s=retry_after_s,
    )
    assert of_record(record) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigurationError("x"), 2),
        (NotFoundError("x"), 2),
        (InvalidTaskError("x"), 65),
        (StoreError("x"), 70),
        (StoreTooNewError("x"), 70),
        (UndauntedError("x"), 70),
    ],
)
def test_an_error_has_a_status(error: UndauntedError, expected: int) -> None:
    """What keeps a command from its end is usage, the task, or us."""
    assert of_error(error) == expected


def test_a_signal_is_128_and_its_number() -> None:
    """As a shell reports it."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    assert [of_signal(number) for number in numbers] == [130, 143, 129]


def test_every_status_has_a_meaning() -> None:
    """None is left without a sentence."""
    assert all(code.meaning for code in ExitCode)
