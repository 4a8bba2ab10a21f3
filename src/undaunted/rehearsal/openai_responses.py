"""The wire format of OpenAI's responses, as far as a coding agent uses it.

Source: the public reference of the API (streaming events, errors), and what codex 0.169.0 and
copilot 1.0.102 were seen to send and to accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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

_TEXT_TYPES = frozenset({"input_text", "output_text"})


class _Part(BaseModel):
    type: str
    text: str = ""


class _Item(BaseModel):
    """Something in the conversation: a message, a call of a tool, its result, reasoning."""

    type: str = "message"
    role: str = ""
    content: str | list[_Part] | None = None
    output: str | list[_Part] | dict[str, Any] | None = None

    @property
    def is_tool_result(self) -> bool:
        return self.type.endswith("_call_output")

    @property
    def speaker(self) -> Role | None:
        if self.is_tool_result:
            return "tool"
        match self.role:
            case "user" | "assistant" as role:
                return role
            case _:
                return None

    @property
    def texts(self) -> tuple[str, ...]:
        said = self.output if self.is_tool_result else self.content
        match said:
            case str():
                return (said,)
            case list():
                return tuple(part.text for part in said if part.type in _TEXT_TYPES)
            case dict():
                return (json.dumps(said),)
            case None:
                return ()


class _Tool(BaseModel):
    type: str
    name: str = ""


class _Format(BaseModel):
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class _Text(BaseModel):
    format: _Format | None = None


class _Request(BaseModel):
    model: str
    input: str | list[_Item]
    stream: bool = False
    tools: list[_Tool] = []
    text: _Text | None = None

    @property
    def items(self) -> list[_Item]:
        if isinstance(self.input, str):
            return [_Item(role="user", content=self.input)]
        return self.input


def read(path_params: Mapping[str, str], body: bytes) -> ModelRequest:  # noqa: ARG001  # this API has everything in the body; `WireFormat` asks for the path
    """The request in `body`.

    Raises:
        UnreadableRequestError: The body is no responses request.
    """
    try:
        request = _Request.model_validate_json(body)
    except ValidationError as invalid:
        raise UnreadableRequestError(str(invalid)) from invalid
    said = [(item.speaker, item.texts) for item in request.items if item.texts]
    spoken = [texts for speaker, texts in said if speaker == "user"]
    return ModelRequest(
        model=request.model,
        stream=request.stream,
        prompt_parts=spoken[-1] if spoken else (),
        messages=tuple(
            Message(role, "\n".join(texts)) for role, texts in said if role and any(texts)
        ),
        # The other types have no name, or take text in a grammar of their own for arguments.
        tool_names=tuple(tool.name for tool in request.tools if tool.type == "function"),
        tool_results=sum(item.is_tool_result for item in request.items),
        input_tokens=estimate_tokens(len(body)),
        schema=request.text.format.schema_ if request.text and request.text.format else None,
    )


def message(request: ModelRequest, turn: Turn, number: int) -> dict[str, object]:
    """The answer as one object."""
    return _response(request, turn, number, status="completed")


def events(request: ModelRequest, turn: Turn, number: int) -> Sequence[bytes]:
    """The answer as a stream: one output item, a text in words or one tool call."""
    begun = _response(request, turn, number, status="in_progress")
    done = _response(request, turn, number, status="completed")
    steps: list[tuple[str, dict[str, object]]] = [
        ("created", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": _item(turn, number, "in_progress")}),
        *(_text_steps if turn.tool_name is None else _call_steps)(turn, number),
        ("output_item.done", {"output_index": 0, "item": _item(turn, number, "completed")}),
        ("completed", {"response": done}),
    ]
    return [_event(kind, at, **fields) for at, (kind, fields) in enumerate(steps)]


def error_event() -> bytes:
    """The event `response.failed`: the model is overloaded."""
    failed = {"id": "resp_rehearsal", "object": "response", "status": "failed", "output": []}
    return _event("failed", 0, response={**failed, "error": OVERLOADED_IN_STREAM})


def _event(kind: str, sequence_number: int, **fields: object) -> bytes:
    name = f"response.{kind}"
    data = {"type": name, "sequence_number": sequence_number, **fields}
    return server_sent_event(data, name=name)


def _text_steps(turn: Turn, number: int) -> Iterator[tuple[str, dict[str, object]]]:
    place = {"item_id": _item_id(turn, number), "output_index": 0, "content_index": 0}
    yield "content_part.added", {**place, "part": _text_part("")}
    for piece in text_pieces(turn.text):
        yield "output_text.delta", {**place, "delta": piece}
    yield "output_text.done", {**place, "text": turn.text}
    yield "content_part.done", {**place, "part": _text_part(turn.text)}


def _call_steps(turn: Turn, number: int) -> Iterator[tuple[str, dict[str, object]]]:
    place = {"item_id": _item_id(turn, number), "output_index": 0}
    arguments = json.dumps(turn.tool_input)
    for piece in halves(arguments):
        yield "function_call_arguments.delta", {**place, "delta": piece}
    yield "function_call_arguments.done", {**place, "arguments": arguments}


def _response(request: ModelRequest, turn: Turn, number: int, *, status: str) -> dict[str, object]:
    is_done = status == "completed"
    return {
        "id": f"resp_rehearsal{number:04}",
        "object": "response",
        "created_at": 0,  # no client reads it, and the same request gets the same bytes
        "status": status,
        "model": request.model,
        "output": [_item(turn, number, status)] if is_done else [],
        "parallel_tool_calls": True,
        "error": None,
        "usage": _usage(request, turn) if is_done else None,
    }


def _item(turn: Turn, number: int, status: str) -> dict[str, object]:
    is_done = status == "completed"
    item: dict[str, object] = {"id": _item_id(turn, number), "status": status}
    if turn.tool_name is None:
        content = [_text_part(turn.text)] if is_done else []
        return {**item, "type": "message", "role": "assistant", "content": content}
    return {
        **item,
        "type": "function_call",
        "call_id": f"call_rehearsal{number:04}",
        "name": turn.tool_name,
        "arguments": json.dumps(turn.tool_input) if is_done else "",
    }


def _item_id(turn: Turn, number: int) -> str:
    return f"{'msg' if turn.tool_name is None else 'fc'}_rehearsal{number:04}"


def _text_part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": []}


def _usage(request: ModelRequest, turn: Turn) -> dict[str, object]:
    output_tokens = estimate_tokens(len(turn.text or json.dumps(turn.tool_input)))
    return {
        "input_tokens": request.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": request.input_tokens + output_tokens,
    }
