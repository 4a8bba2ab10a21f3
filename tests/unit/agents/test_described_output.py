"""Output is read as a description says; what is missing in it is a failure, and nothing raises."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.described_output import DescribedReader
from undaunted.agents.reader import Ending
from undaunted.descriptions import Description
from undaunted.failures import FailureKind
from undaunted.tasks import Usage

NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)

TEXT: dict[str, Any] = {"command": ["robin"], "permissions": {"edit": []}}
EVENTS: dict[str, Any] = TEXT | {
    "output": "jsonl",
    "answer": {"where": {"type": "say"}, "path": "text"},
    "done": {"type": "end"},
    "session": {"path": "session"},
    "model": {"path": "model"},
    "error": [
        {"where": {"type": "oops"}, "path": "why", "status": "code", "resets_at": "until"},
        {"pattern": "^fatal: "},
    ],
    "inner_retry": {"where": {"type": "oops"}, "path": "why", "pattern": "^again"},
    "rules": [
        {"pattern": "nest is full", "kind": "quota_exhausted"},
        {"pattern": "no such song", "kind": "invalid_request", "blames_task": True},
    ],
    "statuses": {"418": "overloaded"},
}
DONE = {"type": "end"}


def say(text: object) -> dict[str, object]:
    return {"type": "say", "text": text}


def oops(why: object, **more: object) -> dict[str, object]:
    return {"type": "oops", "why": why, **more}


def read(
    settings: dict[str, Any],
    *stdout: dict[str, object] | str,
    exit_code: int | None = 0,
    stderr: str = "",
    text_mode: bool = False,
) -> tuple[AgentResult, list[RunNotice]]:
    reader = DescribedReader(description=Description.model_validate(settings))
    lines = [one if isinstance(one, str) else json.dumps(one) for one in stdout]
    notices = [reader.feed(line.encode()) for line in lines]
    notices += [reader.feed_stderr(line.encode()) for line in stderr.splitlines()]
    ending = Ending(exit_code, "\n".join(lines), stderr, text_mode)
    result = reader.conclude(ending, now=NOW, tz=UTC)
    return result, [notice for notice in notices if notice is not None]


def kind_of(result: AgentResult) -> str:
    return str(result.failure.kind) if result.failure else "success"


# Text.


def test_text_is_the_answer() -> None:
    """With plain text, stdout is the answer where the exit code is a success."""
    result, notices = read(TEXT, "one", "", "two")
    assert (result.content, result.failure) == ("one\n\ntwo", None)
    assert notices == [RunNotice("text", "one"), RunNotice("text", "two")]


@pytest.mark.parametrize(
    ("exit_code", "expected"), [(0, "success"), (7, "success"), (1, "crashed")]
)
def test_exit_codes_of_success(exit_code: int, expected: str) -> None:
    """The described exit codes are successes, and no other."""
    settings = TEXT | {"success_exit_codes": [0, 7]}
    result, _ = read(settings, *([] if expected == "crashed" else ["x"]), exit_code=exit_code)
    assert kind_of(result) == expected


def test_nothing_is_no_answer() -> None:
    """A program that ends well without a word has not answered."""
    result, _ = read(TEXT, " ")
    assert kind_of(result) == "broken_response"


def test_stderr_explains_before_stdout() -> None:
    """What stands on stdout is the model's, as long as stderr says something."""
    words = "invalid api key"
    assert kind_of(read(TEXT, words, exit_code=1)[0]) == "auth"
    assert kind_of(read(TEXT, words, exit_code=1, stderr="connection refused")[0]) == "network"


def test_a_line_of_stderr_can_be_the_error() -> None:
    """A described line of stderr is a failure, whatever the exit code."""
    settings = TEXT | {"error": {"pattern": "^fatal: "}}
    assert kind_of(read(settings, "x", stderr="note: HTTP 500")[0]) == "success"
    result, _ = read(settings, "x", stderr="fatal: HTTP 500\nbye")
    assert kind_of(result) == "server_error"


def test_a_line_of_stderr_can_be_a_retry() -> None:
    """A described line of stderr is counted as a retry, and shown."""
    settings = TEXT | {"inner_retry": {"pattern": "^retrying"}}
    result, notices = read(settings, "x", stderr="Retrying in 2 s\nnot retrying")
    assert result.inner_retries == 1
    assert RunNotice("inner_retry", "Retrying in 2 s") in notices


# JSON lines.


def test_an_answer_in_events() -> None:
    """The last answer counts, with what is told of the run."""
    told = {"type": "start", "session": "s-1", "model": "red"}
    result, notices = read(EVENTS, told, say("one"), say("two"), DONE)
    assert (result.content, result.failure) == ("two", None)
    assert (result.agent_session_id, result.model) == ("s-1", "red")
    assert notices == [
        RunNotice("session", "s-1"),
        RunNotice("text", "one"),
        RunNotice("text", "two"),
    ]


def test_all_pieces_of_an_answer() -> None:
    """Pieces are joined where the description says so."""
    settings = EVENTS | {"answer": {"where": {"type": "say"}, "path": "text", "take": "all"}}
    assert read(settings, say("one"), say(" two"), DONE)[0].content == "one two"


def test_an_answer_that_was_not_done() -> None:
    """Without the event that ends a success there is none, but what there was is kept."""
    result, _ = read(EVENTS, say("half"))
    assert (kind_of(result), result.content) == ("broken_response", "half")


def test_done_without_an_answer() -> None:
    """An end without an answer is none."""
    assert kind_of(read(EVENTS, DONE)[0]) == "broken_response"


def test_what_was_done_stands() -> None:
    """A program that had to be ended after it was done has answered; a failing one has not."""
    assert kind_of(read(EVENTS, say("x"), DONE, exit_code=-signal.SIGTERM)[0]) == "success"
    assert kind_of(read(EVENTS, say("x"), exit_code=-signal.SIGTERM)[0]) == "interrupted"
    assert kind_of(read(EVENTS, say("x"), DONE, exit_code=1)[0]) == "crashed"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([oops("x"), say("y"), DONE], "success"),
        ([say("y"), oops("x"), DONE], "success"),
        ([say("y"), DONE, oops("x")], "unknown"),
    ],
)
def test_an_error_and_an_answer(events: list[dict[str, object]], expected: str) -> None:
    """What came last decides: an error that was overcome is none."""
    assert kind_of(read(EVENTS, *events)[0]) == expected


def test_an_error_after_an_answer_without_done() -> None:
    """Where no end is described, an answer counts until an error follows it."""
    settings = EVENTS | {"done": {}}
    assert kind_of(read(settings, say("x"))[0]) == "success"
    assert kind_of(read(settings, say("x"), oops("y"))[0]) == "unknown"


def test_a_retry_is_no_error() -> None:
    """A notice of a retry is counted, and is no evidence."""
    result, notices = read(EVENTS, oops("again: HTTP 429"), say("x"), DONE)
    assert (kind_of(result), result.inner_retries) == ("success", 1)
    assert RunNotice("inner_retry", "again: HTTP 429") in notices


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (oops("the Nest is full"), "quota_exhausted"),
        (oops("hm", code=418), "overloaded"),
        (oops("hm", code=500), "server_error"),
        (oops("hm", code="500"), "unknown"),
        (oops("hm: status code: 503"), "overloaded"),
        (oops("tool ended with exit code 503"), "unknown"),
        (oops({"code": 429, "message": "hm"}), "rate_limited"),
        (oops("rate limit: nest is full", code=401), "quota_exhausted"),
    ],
)
def test_kinds_of_errors(error: dict[str, object], expected: str) -> None:
    """The described rules come first, then what every provider says, then the status."""
    result, _ = read(EVENTS, error, exit_code=1)
    assert kind_of(result) == expected
    assert result.failure is not None
    assert result.failure.evidence.startswith("error event")


def test_a_rule_may_blame_the_task() -> None:
    """A text that names the prompt as the fault ends the task."""
    failure = read(EVENTS, oops("no such song"), exit_code=1)[0].failure
    assert failure is not None
    assert (failure.kind, failure.blames_task) == (FailureKind.INVALID_REQUEST, True)


def test_when_a_limit_ends() -> None:
    """The end of a limit is taken from where it is described, or from the text."""
    until = (NOW + timedelta(hours=2)).timestamp()
    stated = read(EVENTS, oops("nest is full", until=until), exit_code=1)[0].failure
    assert stated is not None
    assert stated.resets_at == NOW + timedelta(hours=2)
    odd = read(EVENTS, oops("nest is full", until="soon"), exit_code=1)[0].failure
    assert odd is not None
    assert odd.resets_at is None


def test_usage_and_cost() -> None:
    """Figures are the last ones, or added up, as is described."""
    usage = {"where": {"type": "step"}, "input": "in", "output": "out", "cached_input": "cached"}
    settings = EVENTS | {"usage": usage, "cost": {"path": "usd"}}
    steps: list[dict[str, object]] = [
        {"type": "step", "in": 1, "out": 2, "usd": 0.25},
        {"type": "step", "in": 10, "cached": 5, "usd": 0.5},
        {"type": "step"},
    ]
    last, _ = read(settings, *steps)
    assert (last.usage, last.cost_usd) == (Usage(10, None, 5), 0.5)
    settings |= {"usage": usage | {"take": "all"}, "cost": {"path": "usd", "take": "all"}}
    total, _ = read(settings, *steps)
    assert (total.usage, total.cost_usd) == (Usage(11, 2, 5), 0.75)


@pytest.mark.parametrize("session", ["-x", "--yes", "a b", "a\n", "", "x" * 201, 7, None, ["s"]])
def test_a_session_that_could_be_an_option(session: object) -> None:
    """What does not look like an id is none: it would become an argument."""
    assert read(EVENTS, {"session": session})[0].agent_session_id is None


def test_lines_that_are_no_events() -> None:
    """What is no event explains a failure only where there was no event at all."""
    assert kind_of(read(EVENTS, "invalid api key", exit_code=1)[0]) == "auth"
    assert kind_of(read(EVENTS, say("x"), "invalid api key", exit_code=1)[0]) == "crashed"


def test_a_lost_session() -> None:
    """What the description says of a lost session is recognised."""
    resume = {"args": ["{session}"], "lost": "gone for good"}
    described = Description.model_validate(EVENTS | {"resume": resume})
    reader = DescribedReader(description=described)
    assert reader.refuses_session(Ending(1, "", "session s-1 is Gone for Good"))
    assert not reader.refuses_session(Ending(1, "", "all is well"))


def test_a_recorded_text_of_an_agent_with_events() -> None:
    """`explain` reads a message, or an output that was recorded as text, of any agent."""
    assert kind_of(read(EVENTS, "connection refused", exit_code=1, text_mode=True)[0]) == "network"
    assert read(EVENTS, "the answer", text_mode=True)[0].content == "the answer"


# One document.

DOCUMENT = EVENTS | {
    "output": "json",
    "done": {},
    "answer": {"path": "reply"},
    "error": {"path": "error"},
}


@pytest.mark.parametrize(
    "lines",
    [
        ['{"reply": "yes", "session": "s-1"}'],
        ["[banner]", "{", '  "reply": "yes",', '  "session": "s-1"', "}", "bye"],
    ],
)
def test_a_document(lines: list[str]) -> None:
    """The document may have many lines, and others around it."""
    result, _ = read(DOCUMENT, *lines)
    assert (result.content, result.agent_session_id) == ("yes", "s-1")


def test_a_document_with_an_error() -> None:
    """An error in the document is one, also beside an answer; null is none."""
    assert kind_of(read(DOCUMENT, '{"reply": "half", "error": {"status": 429}}')[0]) == (
        "rate_limited"
    )
    assert kind_of(read(DOCUMENT, '{"reply": "yes", "error": null}')[0]) == "success"


def test_half_a_document() -> None:
    """A document that was cut off is no answer."""
    assert kind_of(read(DOCUMENT, '{"reply": "yes", ', exit_code=0)[0]) == "unknown"


def test_too_large_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document over the limit of a line is not kept; the run has failed."""
    monkeypatch.setattr("undaunted.agents.described_output.LINE_MAX_BYTES", 64)
    result, _ = read(DOCUMENT, json.dumps({"reply": "x" * 64}))
    assert result.failure is not None
