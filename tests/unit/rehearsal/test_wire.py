"""What the wire formats have in common, and how each reads its requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from undaunted.rehearsal import anthropic, gemini, openai_chat, openai_responses
from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import (
    Message,
    ModelRequest,
    UnreadableRequestError,
    WireFormat,
    halves,
    next_month,
    server_sent_event,
    text_pieces,
)

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
GEMINI_PATH = {"model": "gemini-2.5-flash", "method": "streamGenerateContent"}
ASKED = ModelRequest(
    model="m",
    stream=True,
    prompt_parts=("hi",),
    messages=(Message("user", "hi"),),
    tool_names=(),
    tool_results=0,
    input_tokens=3,
)
JSON_ERRORS = [n for n in FaultName if n.status is not None and n is not FaultName.BAD_GATEWAY]

# What only the end of each format's stream holds.
END_MARKS = {
    anthropic: b"message_stop",
    gemini: b"finishReason",
    openai_chat: b"[DONE]",
    openai_responses: b"response.completed",
}
each_format = pytest.mark.parametrize(
    "wire", END_MARKS, ids=lambda module: module.__name__.rpartition(".")[2]
)


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


@each_format
@pytest.mark.parametrize("name", JSON_ERRORS)
def test_every_status_has_an_error_text(wire: WireFormat, name: FaultName) -> None:
    """Each error body has a message, and no place in it was left to fill."""
    body = json.dumps(wire.error(Fault(name), 1, NOW).body)
    assert json.loads(body)["error"]["message"]
    assert "{regain}" not in body


@each_format
@pytest.mark.parametrize(
    "turn", [Turn(text="one"), Turn(text=""), Turn(tool_name="Write", tool_input={"a": 1})]
)
def test_streams_are_never_finished_half_way(wire: WireFormat, turn: Turn) -> None:
    """The first half of the events does not hold the end of the answer."""
    events = wire.events(ASKED, turn, 1)
    half = b"".join(events[: len(events) // 2])
    assert (b"one" in half) is (turn.text == "one")
    assert (b"Write" in half) is (turn.tool_name == "Write")
    assert END_MARKS[wire] not in half
    assert END_MARKS[wire] in events[-1]


@pytest.mark.parametrize("wire", [openai_chat, openai_responses], ids=["chat", "responses"])
def test_tool_calls_can_be_cut(wire: WireFormat) -> None:
    """Half-way through the stream the arguments of a call are no JSON yet."""
    turn = Turn(tool_name="Write", tool_input={"path": "/w/a", "content": "words"})
    events = wire.events(ASKED, turn, 1)
    half = b"".join(events[: len(events) // 2])
    assert b"/w/a" in half
    assert b"words" not in half


@pytest.mark.parametrize("text", ["", "a", "ab", "abc"])
def test_halves_join_to_the_text(text: str) -> None:
    """Nothing is lost or added."""
    assert "".join(halves(text)) == text


@each_format
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"not json", b'{"model": 1, "contents": 2}', b'{"messages": 3}']
)
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
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "content": "0"},
                    {"type": "tool_result", "content": [{"type": "text", "text": "1"}]},
                ],
            },
            {"role": "system", "content": "reminder"},
        ],
    }
    raw = json.dumps(body).encode()
    request = anthropic.read({}, raw)
    assert request == ModelRequest(
        model="claude-x",
        stream=True,
        prompt_parts=("context", "prompt"),
        messages=(
            Message("user", "before"),
            Message("assistant", "yes"),
            Message("user", "context\nprompt"),
            Message("tool", "0"),
            Message("tool", "1"),
        ),
        tool_names=("Bash", "web_search"),
        tool_results=2,
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
            {"role": "model", "parts": [{"text": "yes"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "write_file"}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "write_file", "response": {"output": 1}}}],
            },
        ],
    }
    raw = json.dumps(body).encode()
    request = gemini.read(GEMINI_PATH, raw)
    assert request == ModelRequest(
        model="gemini-2.5-flash",
        stream=True,
        prompt_parts=("context", "prompt"),
        messages=(
            Message("user", "context\nprompt"),
            Message("assistant", "yes"),
            Message("tool", '{"output": 1}'),
        ),
        tool_names=("write_file",),
        tool_results=1,
        input_tokens=len(raw) // 4,
        schema=schema,
    )


def test_chat_request_is_read() -> None:
    """The agent's own instructions are no part of the conversation, a tool's result is."""
    schema = {"type": "object"}
    body = {
        "model": "gpt-x",
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "bash"}}, {"type": "custom"}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        "messages": [
            {"role": "system", "content": "You are an agent."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "context"},
                    {"type": "image_url", "image_url": {}},
                    {"type": "text", "text": "prompt"},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "0"},
            {"role": "assistant", "content": ""},
        ],
    }
    raw = json.dumps(body).encode()
    assert openai_chat.read({}, raw) == ModelRequest(
        model="gpt-x",
        stream=True,
        prompt_parts=("context", "prompt"),
        messages=(Message("user", "context\nprompt"), Message("tool", "0")),
        tool_names=("bash",),
        tool_results=1,
        input_tokens=len(raw) // 4,
        schema=schema,
    )


def test_responses_request_is_read() -> None:
    """Messages, calls and results are items of one list; only tools that take JSON are offered."""
    schema = {"type": "object"}
    body = {
        "model": "gpt-x",
        "stream": True,
        "instructions": "You are an agent.",
        "tools": [
            {"type": "function", "name": "exec_command"},
            {"type": "custom", "name": "apply_patch"},
            {"type": "web_search"},
        ],
        "text": {"format": {"type": "json_schema", "schema": schema}},
        "input": [
            {"role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "context"},
                    {"type": "input_image", "image_url": ""},
                    {"type": "input_text", "text": "prompt"},
                ],
            },
            {"type": "reasoning", "summary": [], "content": None},
            {"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
            {"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "0"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [{"type": "input_text", "text": "1"}],
            },
            {"type": "local_shell_call_output", "call_id": "c3", "output": {"exit": 0}},
        ],
    }
    raw = json.dumps(body).encode()
    assert openai_responses.read({}, raw) == ModelRequest(
        model="gpt-x",
        stream=True,
        prompt_parts=("context", "prompt"),
        messages=(
            Message("user", "context\nprompt"),
            Message("assistant", "yes"),
            Message("tool", "0"),
            Message("tool", "1"),
            Message("tool", '{"exit": 0}'),
        ),
        tool_names=("exec_command",),
        tool_results=3,
        input_tokens=len(raw) // 4,
        schema=schema,
    )


def test_responses_input_may_be_one_text() -> None:
    """A text in the place of the list is the user's message."""
    request = openai_responses.read({}, b'{"model": "m", "input": "hi"}')
    assert request.prompt_parts == ("hi",)
    assert request.messages == (Message("user", "hi"),)


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


def test_plan_limits_say_when_the_plan_is_back() -> None:
    """The instant, or the wait, stands where each vendor's client looks for it."""
    fault = Fault.parse("429-plan;retry-after=600")
    back_at = int(NOW.timestamp()) + 600
    headers = anthropic.error(fault, 1, NOW).headers
    assert headers["anthropic-ratelimit-unified-status"] == "rejected"
    assert headers["anthropic-ratelimit-unified-reset"] == str(back_at)
    said = json.loads(json.dumps(openai_responses.error(fault, 1, NOW).body))["error"]
    assert (said["type"], said["resets_at"]) == ("usage_limit_reached", back_at)
    assert '"retryDelay": "600s"' in json.dumps(gemini.error(fault, 1, NOW).body)


def test_openai_errors_say_how_long_to_wait() -> None:
    """A hint stands in the header and in the text, which is where codex reads it."""
    reply = openai_chat.error(Fault.parse("429;retry-after=2"), 1, NOW)
    assert reply.headers["retry-after"] == "2"
    assert "Please try again in 2s." in json.dumps(reply.body)
