"""The store's own records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from undaunted.health_records import HealthKey
from undaunted.store.conversion import task_failure_model, task_failure_record
from undaunted.store.records import TaskFailureRecord


def failure(*agents: str) -> TaskFailureRecord:
    return TaskFailureRecord(
        task_id="t",
        error_message="m",
        attempted_agents=agents,
        duration_s=1.0,
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("agents", [(), ("claude",), ("claude", "gemini")])
def test_attempted_agents_are_a_text_in_the_row_and_names_outside(agents: tuple[str, ...]) -> None:
    """The specification's comma-separated text and back, for no agent, one and more."""
    row = task_failure_model(failure(*agents))
    assert row.attempted_agents == ",".join(agents)
    assert task_failure_record(row).attempted_agents == agents


@pytest.mark.parametrize("name", ["a,b", ""])
def test_a_name_that_would_not_come_back_is_refused(name: str) -> None:
    """A name with a comma would be two, an empty one none."""
    with pytest.raises(ValueError, match="comma"):
        failure("claude", name)


def test_two_failures_have_ids_of_their_own() -> None:
    """An id is made for each record."""
    assert failure().id != failure().id


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (HealthKey("claude", "default", "opus"), "claude/default/opus"),
        (HealthKey("claude", "default"), "claude/default"),
    ],
)
def test_a_health_key_reads_as_a_path(key: HealthKey, text: str) -> None:
    """The default model has no name."""
    assert str(key) == text
