"""Failures that the end of a process says by itself."""

from __future__ import annotations

import pytest

from undaunted.agents.captured_output import CapturedOutput
from undaunted.agents.process import EndedBy, ProcessResult, ProcessSpec, SpawnError
from undaunted.agents.process_failures import last_words, limit_failure, spawn_failure
from undaunted.failures import Action, FailureKind

SPEC = ProcessSpec(argv=("agent",), env={}, cwd="/", timeout_s=1800.0, idle_timeout_s=90.0)


def output(text: bytes) -> CapturedOutput:
    captured = CapturedOutput()
    captured.add(text)
    return captured


def ended(by: EndedBy, stderr: bytes = b"") -> ProcessResult:
    return ProcessResult(-15, by, 1.0, stdout=output(b""), stderr=output(stderr))


def test_an_end_of_its_own_is_no_limit() -> None:
    """A command that exited hit none of our limits."""
    assert limit_failure(ended("exit"), SPEC) is None


@pytest.mark.parametrize(
    ("by", "message"),
    [("timeout", "not done after 1800 s"), ("idle_timeout", "printed nothing for 90 s")],
)
def test_our_limits_are_timeouts(by: EndedBy, message: str) -> None:
    """Either limit is a timeout, which switches; its text names the limit."""
    failure = limit_failure(ended(by, b"waiting for the model\n"), SPEC)
    assert failure is not None
    assert (failure.kind, failure.action) == (FailureKind.TIMEOUT, Action.SWITCH)
    assert failure.message == message
    assert failure.evidence == f"{by}; stderr: waiting for the model"


def test_a_failed_start_keeps_its_kind_and_cause() -> None:
    """A start that failed becomes a failure of the error's kind, with the system's own words."""
    error = SpawnError(FailureKind.NOT_INSTALLED, "agent was not found")
    error.__cause__ = FileNotFoundError(2, "No such file or directory")
    failure = spawn_failure(error)
    assert (failure.kind, failure.message) == (FailureKind.NOT_INSTALLED, "agent was not found")
    assert "No such file" in failure.evidence


def test_a_wrong_folder_fails_the_task() -> None:
    """A start that the task is to blame for is tried on no other agent."""
    error = SpawnError(FailureKind.INVALID_REQUEST, "no such folder", blames_task=True)
    assert spawn_failure(error).action is Action.FAIL


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (b"", ""),
        (b"\n  \n", ""),
        (b"one\ntwo\n\nthree\n", "two\nthree"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07text\x00\r\n", "red text"),
        (b"a\xffb", "a\ufffdb"),
    ],
)
def test_last_words_are_the_last_lines_that_say_something(printed: bytes, words: str) -> None:
    """Blank lines, escape sequences and control characters are not words."""
    assert last_words(output(printed), lines=2) == words


def test_last_words_are_few() -> None:
    """One endless line is cut at its beginning."""
    assert last_words(output(b"a" * 100_000 + b"end"), max_chars=5) == "aaend"
