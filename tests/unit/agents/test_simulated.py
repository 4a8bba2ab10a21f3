"""What the simulated agent's events mean, and that its two halves know the same steps."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta

import pytest

from undaunted.agents import simulated_script
from undaunted.agents.reader import Ending
from undaunted.agents.simulated import SimulatedReader
from undaunted.agents.simulated_child import _Player
from undaunted.agents.simulated_script import Fail, Step, WriteFile, script_json
from undaunted.failures import Failure, FailureKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = [
    step
    for step in vars(simulated_script).values()
    if inspect.isclass(step) and issubclass(step, Step) and step is not Step
]


def failure_of(error: object, *, exit_code: int = 1) -> Failure:
    reader = SimulatedReader()
    reader.feed(json.dumps({"type": "result", "status": "error", "error": error}).encode())
    failure = reader.conclude(Ending(exit_code), now=NOW).failure
    assert failure is not None
    return failure


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_the_child_knows_every_step(step: type[Step]) -> None:
    """Each step that can be written is one that the child can play."""
    assert callable(getattr(_Player, step.verb()))


def test_a_script_is_plain_json() -> None:
    """A script reaches the child as a list of verbs with their details."""
    script = [WriteFile("a", "b"), Fail(FailureKind.AUTH, "no key")]
    first, second = json.loads(script_json(script))
    assert first == {"do": "write_file", "path": "a", "content": "b"}
    assert (second["do"], second["kind"], second["message"]) == ("fail", "auth", "no key")


@pytest.mark.parametrize("kind", FailureKind)
def test_a_stated_kind_is_taken_as_stated(kind: FailureKind) -> None:
    """The result event's kind is the failure's kind."""
    failure = failure_of({"kind": kind, "message": "words"})
    assert (failure.kind, failure.message) == (kind, "words")
    assert failure.evidence == f"result event: kind={kind}"


def test_a_stated_time_is_given_in_both_forms() -> None:
    """Seconds and instant follow from each other, whichever was stated."""
    by_seconds = failure_of({"kind": "rate_limited", "retry_after_s": 30})
    assert (by_seconds.retry_after_s, by_seconds.resets_at) == (30, NOW + timedelta(seconds=30))
    by_instant = failure_of({"kind": "quota_exhausted", "resets_at": "2026-01-01T01:00:00Z"})
    assert (by_instant.retry_after_s, by_instant.resets_at) == (3600, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "error",
    [
        None,
        "text",
        [],
        {},
        {"kind": "no_such_kind"},
        {"kind": 7, "message": 7, "retry_after_s": "soon", "resets_at": "soon"},
        {"kind": None, "retry_after_s": True, "resets_at": "2026-01-01T01:00:00"},
    ],
)
def test_nonsense_is_an_unknown_failure(error: object) -> None:
    """What the child should never print is a failure without a time, not an error of ours."""
    failure = failure_of(error)
    assert failure.kind is FailureKind.UNKNOWN
    assert (failure.retry_after_s, failure.resets_at) == (None, None)


@pytest.mark.parametrize("line", [b"", b"{", b"[1, 2]", b"null", b"\xff", b'{"type": 7}', b"{}"])
def test_lines_that_mean_nothing_are_passed_over(line: bytes) -> None:
    """Noise between the events is no event."""
    reader = SimulatedReader()
    assert reader.feed(line) is None
    assert reader.conclude(Ending(0), now=NOW).content is None


def test_an_answer_outweighs_the_exit_status() -> None:
    """A result that says ok counts, whatever the process does afterwards."""
    reader = SimulatedReader()
    reader.feed(b'{"type": "result", "status": "ok", "text": "done"}')
    result = reader.conclude(Ending(3), now=NOW)
    assert (result.content, result.failure) == ("done", None)
