"""The wire format of OpenAI's chat completions, as far as a coding agent uses it.

Source: the public reference of the API (streaming, errors), and what copilot 1.0.102 and opencode
1.18.33 (`@ai-sdk/openai-compatible`) were seen to send and to accept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.openai_errors import OVERLOADED_IN_STREAM, error
from undaunted.rehearsal.wire import (
    Message,
    ModelRequest,
    Role,
    UnreadableRequestError,
    estimate_tokens,
    halves,
    server_sent_event,
    text_pieces,
)

__all__ = [
    "error",
    "error_event",
    "events",
    "message",
    "read",
]

_DONE = b"data: [DONE]\n\n"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "tool": "tool"}


class _Part(BaseModel):
    type: str
    text: str = ""


class _Message(BaseModel):
    role: str
    content: str | list[_Part] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        if isinstance(self.content, str):
            return (self.content,)
        return tuple(part.text for part in self.content or () if part.type == "text")


class _Function(BaseModel):
    name: str


class _Tool(BaseModel):
    function: _Function | None = None


class _JsonSchema(BaseModel):
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class _ResponseFormat(BaseModel):
    json_schema: _JsonSchema | None = None


class _Request(BaseModel):
    model: str
    messages: list[_Message]
    stream: bool = False
    tools: list[_Tool] = []
    response_format: _ResponseFormat = _ResponseFormat()


def read(path_params: Mapping[str, str], body: bytes) -> ModelRequest:  # noqa: ARG001  # this API has everything in the body; `WireFormat` asks for the path
    """The request in `body`.

    Raises:
        UnreadableRequestError: The body is no chat completions request.
    """
    try:
        request = _Request.model_validate_json(body)
    except ValidationError as invalid:
        raise UnreadableRequestError(str(invalid)) from invalid
    spoken = [m.texts for m in request.messages if m.role == "user" and m.texts]
    schema = request.response_format.json_schema
    return ModelRequest(
        model=request.model,
        stream=request.stream,
        prompt_parts=spoken[-1] if spoken else (),
        messages=tuple(
            Message(_ROLES[m.role], "\n".join(m.texts))
            for m in request.messages
            if m.role in _ROLES and any(m.texts)
        ),
        tool_names=tuple(tool.function.name for tool in request.tools if tool.function),
        tool_results=sum(m.role == "tool" for m in request.messages),
        input_tokens=estimate_tokens(len(body)),
        schema=schema.schema_ if schema else None,
    )


def message(request: ModelRequest, turn: Turn, number: int) -> dict[str, object]:
    """The answer as one object."""
    said: dict[str, object] = {"role": "assistant", "content": turn.text or None}
    if turn.tool_name is not None:
        said["tool_calls"] = [_call(turn, number, json.dumps(turn.tool_input))]
    choice = {"index": 0, "message": said, "finish_reason": _finish_reason(turn)}
    head = _head(request, number, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(request, turn)}


def events(request: ModelRequest, turn: Turn, number: int) -> Sequence[bytes]:
    """The answer as a stream: pieces of text or of the call, then end mark, usage and `[DONE]`."""
    head = _head(request, number, "chat.completion.chunk")

    def chunk(delta: Mapping[str, object], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return server_sent_event({**head, "choices": [choice]})

    if turn.tool_name is None:
        deltas: list[dict[str, object]] = [
            {"content": piece} for piece in text_pieces(turn.text) or [""]
        ]
    else:
        first, rest = halves(json.dumps(turn.tool_input))
        more = {"index": 0, "function": {"arguments": rest}}
        deltas = [
            {"content": None, "tool_calls": [{"index": 0, **_call(turn, number, first)}]},
            {"tool_calls": [more]},
        ]
    deltas[0] = {"role": "assistant", **deltas[0]}
    usage = server_sent_event({**head, "choices": [], "usage": _usage(request, turn)})
    # One piece, so that a stream that is cut half-way never holds the end of a short answer.
    end = chunk({}, _finish_reason(turn)) + usage + _DONE
    return [*(chunk(delta) for delta in deltas), end]


def error_event() -> bytes:
    """An error object in the place of a piece of the answer: the model is overloaded."""
    return server_sent_event(
        {"error": {**OVERLOADED_IN_STREAM, "type": "server_error", "param": None}}
    )


def _head(request: ModelRequest, number: int, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-rehearsal{number:04}",
        "object": kind,
        "created": 0,  # no client reads it, and the same request gets the same bytes
        "model": request.model,
    }


def _call(turn: Turn, number: int, arguments: str) -> dict[str, object]:
    function = {"name": turn.tool_name, "arguments": arguments}
    return {"id": f"call_rehearsal{number:04}", "type": "function", "function": function}


def _finish_reason(turn: Turn) -> str:
    return "stop" if turn.tool_name is None else "tool_calls"


def _usage(request: ModelRequest, turn: Turn) -> dict[str, object]:
    output_tokens = estimate_tokens(len(turn.text or json.dumps(turn.tool_input)))
    return {
        "prompt_tokens": request.input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": request.input_tokens + output_tokens,
    }
