"""`undaunted.checkup`: when an agent is ready, and what a person is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from undaunted.agents.agent import Availability, Inspection
from undaunted.agents.credentials import Credential
from undaunted.agents.inspection import flags_missing, version_in, version_state
from undaunted.checkup import Checkup
from undaunted.health import AgentHealth
from undaunted.tasks import Task, TaskRecord, TaskState

WELL = Checkup(
    key="claude",
    availability=Availability(True, "/usr/bin/claude"),
    credential=Credential("key", "ANTHROPIC_API_KEY"),
    health=AgentHealth(),
    inspection=Inspection("2.1.197", "2.1.197", "tested"),
)


def probe(state: TaskState, message: str | None = None) -> TaskRecord:
    return TaskRecord(Task("x"), state, datetime(2026, 1, 1, tzinfo=UTC), error_message=message)


def test_nothing_to_say() -> None:
    """An agent that is well is ready, and there is nothing to be told."""
    assert WELL.ready
    assert list(WELL.notes()) == []


@pytest.mark.parametrize(
    ("change", "ready", "told"),
    [
        ({"availability": Availability(False, "claude is not on PATH")}, False, "not on PATH"),
        ({"credential": None}, False, "no credential was found"),
        ({"health": AgentHealth(closed_reason="auth")}, False, "circuit breaker is open: auth"),
        (
            {"credential": Credential("subscription", ".credentials.json", ("ANTHROPIC_API_KEY",))},
            True,
            "ANTHROPIC_API_KEY is kept from it, so that .credentials.json is used",
        ),
        ({"inspection": Inspection("3.0.0", "2.1.197", "other_major")}, True, "of another major"),
        ({"inspection": Inspection("2.2.0", "2.1.197", "newer")}, True, "newer than the tested"),
        ({"inspection": Inspection(None, "2.1.197", "unknown")}, True, "does not say its version"),
        ({"inspection": Inspection(None, "2.1.197", "unknown", problem="x")}, False, "be asked: x"),
        (
            {"inspection": Inspection("2.1.197", "2.1.197", "tested", ("--a",))},
            True,
            "not name --a",
        ),
        ({"probe": probe(TaskState.FAILED, "no money")}, False, "the probe failed: no money"),
        ({"credential": None, "probe": probe(TaskState.SUCCEEDED)}, True, ""),
    ],
)
def test_what_is_amiss(change: dict[str, object], ready: bool, told: str) -> None:
    """Each thing that is amiss is told; it keeps a task away only if it would stop one."""
    found = replace(WELL, **change)  # type: ignore[arg-type]
    assert found.ready is ready
    assert told in "; ".join(found.notes())


@pytest.mark.parametrize(
    ("said", "version", "state"),
    [
        ("2.1.197 (Claude Code)", "2.1.197", "tested"),
        ("codex-cli 2.1.200", "2.1.200", "newer"),
        ("v2.0.9\n", "2.0.9", "older"),
        ("GitHub Copilot CLI 3.0.0.", "3.0.0", "other_major"),
        ("no number here 1.2", None, "unknown"),
        ("", None, "unknown"),
    ],
)
def test_versions(said: str, version: str | None, state: str) -> None:
    """A version is found in what programs say, and held against the tested one."""
    assert version_in(said) == version
    assert version_state(version, "2.1.197") == state


def test_missing_flags() -> None:
    """Of the long flags those are missing that the help does not name as a whole."""
    used = ["-p", "--model", "x", "--resume=1", "--format", "--"]
    assert flags_missing(used, "  --model NAME\n  --resume [ID]\n --formatting") == ("--format",)
