"""What the two wire formats have in common."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from undaunted.rehearsal import anthropic, gemini
from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import (
    ModelRequest,
    UnreadableRequestError,
    WireFormat,
    next_month,
    server_sent_event,
    text_pieces,
)

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
GEMINI_PATH = {"model": "gemini-2.5-flash", "method": "streamGenerateContent"}
ASKED = ModelRequest(
    model="m", stream=True, prompt_parts=("hi",), tool_names=(), tool_results=0, input_tokens=3
)
JSON_ERRORS = [n for n in FaultName if n.status is not None and n is not FaultName.BAD_GATEWAY]

both_formats = pytest.mark.parametrize("wire", [anthropic, gemini], ids=["anthropic", "gemini"])


@pytest.mark.parametrize(
    "text", ["", "one", "two words", " \n lead", "trail \n ", "a  b\tc", " ", "long " * 9_999]
)
def test_pieces_join_to_the_text(text: str) -> None:
    """Nothing is lost or added when a text is streamed, and a long one is no flood of events."""
    pieces = text_pieces(text)
    assert "".join(pieces) == text
    assert len(pieces) <= 100


def test_short_texts_are_streamed_by_the_word() -> None:
    """There is something to cut in a text of a few words."""
    assert text_pieces("hello from here") == ["hello", " from", " here"]


def test_server_sent_event_is_one_line_of_data() -> None:
    """A line break in the data stays inside its JSON string."""
    event = server_sent_event({"text": "a\nb"}, name="delta")
    assert event == b'event: delta\ndata: {"text": "a\\nb"}\n\n'


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (NOW, datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 31, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)),
    ],
)
def test_next_month_is_its_first_instant(now: datetime, first: datetime) -> None:
    """The limit of a month ends when the next one begins, across years too."""
    assert next_month(now) == first


@both_formats
@pytest.mark.parametrize("name", JSON_ERRORS)
def test_every_status_has_an_error_text(wire: WireFormat, name: FaultName) -> None:
    """Each error body has a message, and no place in it was left to fill."""
    body = json.dumps(wire.error(Fault(name), 1, NOW).body)
    assert json.loads(body)["error"]["message"]
    assert "{regain}" not in body


@both_formats
@pytest.mark.parametrize(
    "turn", [Turn(text="one"), Turn(text=""), Turn(tool_name="Write", tool_input={"a": 1})]
)
def test_streams_are_never_finished_half_way(wire: WireFormat, turn: Turn) -> None:
    """The first half of the events does not hold the end of the answer."""
    events = wire.events(ASKED, turn, 1)
    half = b"".join(events[: len(events) // 2])
    assert (b"one" in half) is (turn.text == "one")
    assert (b"Write" in half) is (turn.tool_name == "Write")
    assert b"message_stop" not in half
    assert b"finishReason" not in half
    assert b"message_stop" in events[-1] or b"finishReason" in events[-1]


@both_formats
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"not json", b'{"model": 1, "contents": 2}'])
def test_bodies_of_another_shape_are_unreadable(wire: WireFormat, body: bytes) -> None:
    """A body that is no request to the model raises UnreadableRequestError."""
    with pytest.raises(UnreadableRequestError):
        wire.read(GEMINI_PATH, body)


def test_anthropic_request_is_read() -> None:
    """The prompt is in the last user message with text; results and tools are counted."""
    body = {
        "model": "claude-x",
        "stream": True,
        "tools": [{"name": "Bash"}, {"type": "web_search", "name": "web_search"}],
        "messages": [
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "context"},
                    {"type": "image", "source": {}},
                    {"type": "text", "text": "prompt"},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "content": "0"}]},
            {"role": "system", "content": "reminder"},
        ],
    }
    raw = json.dumps(body).encode()
    request = anthropic.read({}, raw)
    assert request == ModelRequest(
        model="claude-x",
        stream=True,
        prompt_parts=("context", "prompt"),
        tool_names=("Bash", "web_search"),
        tool_results=1,
        input_tokens=len(raw) // 4,
    )


def test_gemini_request_is_read() -> None:
    """The model and the method are in the path, all else in the body."""
    schema = {"type": "OBJECT"}
    body = {
        "tools": [{"functionDeclarations": [{"name": "write_file"}]}, {"googleSearch": {}}],
        "generationConfig": {"responseJsonSchema": schema, "temperature": 0},
        "contents": [
            {"role": "user", "parts": [{"text": "context"}, {"text": "prompt"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "write_file"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "write_file"}}]},
        ],
    }
    raw = json.dumps(body).encode()
    request = gemini.read(GEMINI_PATH, raw)
    assert request == ModelRequest(
        model="gemini-2.5-flash",
        stream=True,
        prompt_parts=("context", "prompt"),
        tool_names=("write_file",),
        tool_results=1,
        input_tokens=len(raw) // 4,
        schema=schema,
    )


def test_anthropic_usage_limit_names_the_next_month() -> None:
    """The text says a day to come, by the clock it was given."""
    body = anthropic.error(Fault(FaultName.QUOTA_EXHAUSTED), 1, NOW).body
    assert "regain access on 2026-12-01 at 00:00 UTC" in json.dumps(body)


def test_gemini_rate_limit_tells_a_minute_from_a_day() -> None:
    """A quota of a day says PerDay, a rate limit with a hint PerMinute, one without nothing."""
    quota, hinted, bare = (
        json.dumps(gemini.error(Fault.parse(text), 1, NOW).body)
        for text in ("429-quota", "429;retry-after=2", "429")
    )
    assert "PerDay" in quota
    assert "PerMinute" in hinted
    assert '"retryDelay": "2s"' in hinted
    assert "details" not in bare
