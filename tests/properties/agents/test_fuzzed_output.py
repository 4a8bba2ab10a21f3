"""Whatever an agent prints and however its process ends, reading it ends in a result.

What is printed are the lines of the golden cases, mixed and cut, with values of any type in any
place. The examples are the same on every run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.test_golden import CASES, READERS
from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.reader import Ending
from undaunted.agents.reset_times import MAX_AHEAD

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
FUZZ = settings(derandomize=True, max_examples=60)

# JSON as it is printed: not all of it has a value in Python that would be printed like this.
ODD_VALUES = [
    *("null", "true", "-1", "429", "1e308", "1e999", "NaN", "1785416400000", "1" + "0" * 400),
    *('""', '"\\ud800"', '"\\u0000\\u001b[31m"', '"resets 2pm"', f'"{"9" * 400}"'),
    *("[]", "[[]]", '[{"type": "text"}]', "{}", '{"type": []}', "[" * 500 + "]" * 500),
]
ODD_LINES = [
    *(b"", b"{", b"[" * 2000, b'{"a":' * 2000, b"null", b"[1, 2]", b"\xff\xfe", b"\x1b[2J"),
    *(b'{"type": "result"', b'{"type": "result"}', b'{"type": "error"}', b'{"error": []}', b"{}"),
]
MARK = "the odd value goes here"


def documents_of(path: Path) -> Iterator[Any]:
    """The JSON of a recorded stream: all of it together, or a line each."""
    text = path.read_text()
    for piece in (text, *text.splitlines()):
        try:
            yield json.loads(piece)
        except ValueError:
            continue


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in a JSON value: the object or list, and the key or index in it."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in list(inside):
        yield value, key
        yield from places_in(item)


DOCUMENTS = {
    agent: [
        document
        for case in CASES
        if case.parent.name == agent
        for stream in ("stdout", "stderr")
        for document in documents_of(case / stream)
    ]
    for agent in READERS
}
STDERR = {
    agent: b"\n".join((c / "stderr").read_bytes() for c in CASES if c.parent.name == agent)
    for agent in READERS
}


@st.composite
def odd_lines(draw: st.DrawFn, agent: str) -> bytes:
    """A line of the agent's with up to three values that don't belong there, perhaps cut."""
    document = deepcopy(draw(st.sampled_from(DOCUMENTS[agent])))
    for _ in range(draw(st.integers(0, 3))):
        places = list(places_in(document))
        if places:
            holder, key = draw(st.sampled_from(places))
            holder[key] = MARK
    line = json.dumps(document)
    while (quoted := json.dumps(MARK)) in line:
        line = line.replace(quoted, draw(st.sampled_from(ODD_VALUES)), 1)
    cut = draw(st.none() | st.integers(0, len(line)))
    return line[:cut].encode()


@st.composite
def streams(draw: st.DrawFn, agent: str) -> list[bytes]:
    """What an agent might print on stdout if everything went wrong."""
    line = odd_lines(agent) | odd_lines(agent) | st.sampled_from(ODD_LINES) | st.binary(max_size=40)
    return draw(st.lists(line, max_size=6))


@st.composite
def error_texts(draw: st.DrawFn, agent: str) -> bytes:
    """A part of what the agent has printed on stderr, with something else in the middle."""
    text = STDERR[agent]
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(begin + 2000, len(text))))
    middle = draw(st.integers(begin, end))
    return text[begin:middle] + draw(st.binary(max_size=20)) + text[middle:end]


def read(agent: str, stdout: Sequence[bytes], stderr: bytes, ending: Ending) -> AgentResult:
    """Reads a run as `CliAgent` does, and checks each notice on the way."""
    reader = READERS[agent]()
    notices = [reader.feed(line) for line in stdout]
    notices += [reader.feed_stderr(line) for line in stderr.split(b"\n")]
    assert all(isinstance(n.text, str) for n in notices if isinstance(n, RunNotice))
    assert reader.refuses_session(ending) in {True, False}
    return reader.conclude(ending, now=NOW, tz=UTC)


def check(result: AgentResult, ending: Ending) -> None:
    """A result holds an answer or a failure, and of everything else what its types say."""
    assert result.failure is not None or isinstance(result.content, str)
    assert isinstance(result.content, str | None)
    assert isinstance(result.agent_session_id, str | None)
    assert isinstance(result.model, str | None)
    assert result.exit_code == ending.exit_code
    assert result.inner_retries >= 0
    assert result.cost_usd is None or math.isfinite(result.cost_usd)
    for denial in result.permission_denials:
        assert isinstance(denial.tool, str)
    if (usage := result.usage) is not None:
        assert isinstance(usage.input_tokens, int | None)
        assert isinstance(usage.output_tokens, int | None)
    if (failure := result.failure) is not None:
        assert failure.message
        at = failure.resets_at
        assert at is None or timedelta(0) <= at - NOW <= MAX_AHEAD


@pytest.mark.parametrize("agent", sorted(READERS))
@FUZZ
@given(data=st.data())
def test_any_output_ends_in_a_result(agent: str, data: st.DataObject) -> None:
    """No bytes, no JSON and no exit code raise out of a reader."""
    stdout, stderr = data.draw(streams(agent)), data.draw(error_texts(agent))
    ending = Ending(
        data.draw(st.none() | st.integers(-70, 300) | st.integers()),
        b"\n".join(stdout).decode(errors="replace"),
        stderr.decode(errors="replace"),
        data.draw(st.booleans()),
    )
    check(read(agent, stdout, stderr, ending), ending)


@pytest.mark.parametrize("agent", sorted(READERS))
def test_no_field_is_trusted(agent: str) -> None:
    """Each field of each kind of event may hold a value of any type."""
    for document, holder, key in fields_of(agent):
        kept, holder[key] = holder[key], MARK
        printed = json.dumps(document)
        holder[key] = kept
        for odd in ODD_VALUES:
            line = printed.replace(json.dumps(MARK), odd)
            ending = Ending(1, line)
            check(read(agent, [line.encode()], b"", ending), ending)


def fields_of(agent: str) -> Iterator[tuple[Any, Any, Any]]:
    """A document with each field that the agent's events have, and where in it: once per kind."""
    seen = set()
    for document in DOCUMENTS[agent]:
        kind = document.get("type") if isinstance(document, dict) else None
        for holder, key in places_in(document):
            field = (kind, str(key))
            if isinstance(holder, dict) and field not in seen:
                seen.add(field)
                yield document, holder, key
