"""The wire format of the Anthropic Messages API, as far as a coding agent uses it.

Source: the public reference of the Messages API (streaming, errors), and what Claude Code 2.1.197
was seen to send and to accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ValidationError

from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import (
    ErrorReply,
    Message,
    ModelRequest,
    UnreadableRequestError,
    estimate_tokens,
    next_month,
    server_sent_event,
    text_pieces,
)

__all__ = [
    "error",
    "error_event",
    "events",
    "message",
    "read",
    "token_count",
]


class _Block(BaseModel):
    type: str
    text: str = ""
    content: str | list[_Block] = []

    @property
    def texts(self) -> tuple[str, ...]:
        return _texts(self.content)


class _Message(BaseModel):
    role: str
    content: str | list[_Block]

    @property
    def texts(self) -> tuple[str, ...]:
        return _texts(self.content)

    @property
    def tool_results(self) -> list[_Block]:
        if isinstance(self.content, str):
            return []
        return [block for block in self.content if block.type == "tool_result"]

    @property
    def said(self) -> Iterator[Message]:
        for result in self.tool_results:
            yield Message("tool", "\n".join(result.texts))
        match self.role:
            case "user" | "assistant" as role if self.texts:
                yield Message(role, "\n".join(self.texts))


def _texts(content: str | list[_Block]) -> tuple[str, ...]:
    if isinstance(content, str):
        return (content,)
    return tuple(block.text for block in content if block.type == "text")


class _Tool(BaseModel):
    name: str = ""


class _Request(BaseModel):
    model: str
    messages: list[_Message]
    stream: bool = False
    tools: list[_Tool] = []


# `error.type` and `error.message` for each status. {regain} is the first day of next month.
_ERRORS: dict[FaultName, tuple[str, str]] = {
    FaultName.INVALID_REQUEST: (
        "invalid_request_error",
        "messages.0.content: the rehearsal calls this request invalid",
    ),
    FaultName.CONTEXT_TOO_LONG: (
        "invalid_request_error",
        "prompt is too long: 214512 tokens > 200000 maximum",
    ),
    FaultName.CREDIT_SPENT: (
        "invalid_request_error",
        (
            "Your credit balance is too low to access the Anthropic API. Please go to Plans &"
            " Billing to upgrade or purchase credits."
        ),
    ),
    FaultName.INVALID_KEY: ("invalid_request_error", "API key not valid"),
    FaultName.POLICY_VIOLATED: (
        "invalid_request_error",
        "Output blocked by content filtering policy",
    ),
    FaultName.UNAUTHORIZED: ("authentication_error", "invalid x-api-key"),
    FaultName.PAYMENT_REQUIRED: (
        "billing_error",
        "There is an issue with your billing or payment information.",
    ),
    FaultName.FORBIDDEN: (
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    FaultName.NOT_FOUND: ("not_found_error", "model: no-such-model"),
    FaultName.REQUEST_TIMEOUT: ("timeout_error", "Request timed out"),
    FaultName.TOO_LARGE: ("request_too_large", "Request exceeds the maximum size"),
    FaultName.RATE_LIMITED: (
        "rate_limit_error",
        (
            "This request would exceed your organization's rate limit of 30,000 input tokens"
            " per minute."
        ),
    ),
    FaultName.PLAN_LIMIT_REACHED: (
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
    ),
    FaultName.QUOTA_EXHAUSTED: (
        "rate_limit_error",
        (
            "You have reached your specified API usage limits. You will regain access on"
            " {regain} at 00:00 UTC."
        ),
    ),
    FaultName.INTERNAL_ERROR: ("api_error", "Internal server error"),
    FaultName.UNAVAILABLE: ("api_error", "Service temporarily unavailable"),
    FaultName.OVERLOADED: ("overloaded_error", "Overloaded"),
}


def read(path_params: Mapping[str, str], body: bytes) -> ModelRequest:  # noqa: ARG001  # this API has everything in the body; `WireFormat` asks for the path
    """The request in `body`.

    Raises:
        UnreadableRequestError: The body is no Messages request.
    """
    try:
        request = _Request.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableRequestError(str(error)) from error
    spoken = [m.texts for m in request.messages if m.role == "user" and m.texts]
    return ModelRequest(
        model=request.model,
        stream=request.stream,
        prompt_parts=spoken[-1] if spoken else (),
        messages=tuple(said for m in request.messages for said in m.said),
        tool_names=tuple(tool.name for tool in request.tools),
        tool_results=sum(len(m.tool_results) for m in request.messages),
        input_tokens=estimate_tokens(len(body)),
    )


def token_count(body: bytes) -> dict[str, object]:
    """The answer of `/v1/messages/count_tokens`."""
    return {"input_tokens": estimate_tokens(len(body))}


def error(fault: Fault, number: int, now: datetime) -> ErrorReply:
    """The error body of `fault`, with `retry-after` where the fault has one."""
    kind, text = _ERRORS[fault.name]
    headers = {"request-id": _request_id(number)}
    if fault.retry_after_s is not None:
        headers["retry-after"] = str(fault.retry_after_s)
    if fault.name is FaultName.PLAN_LIMIT_REACHED:
        headers |= _plan_headers(now.timestamp() + fault.plan_returns_after_s)
    text = text.format(regain=f"{next_month(now):%Y-%m-%d}")
    return ErrorReply(_error_body(kind, text, _request_id(number)), headers)


def message(request: ModelRequest, turn: Turn, number: int) -> dict[str, object]:
    """The answer as one object."""
    return _message(
        request,
        number,
        content=[_content(turn, number)],
        stop_reason=_stop_reason(turn),
        output_tokens=_output_tokens(turn),
    )


def events(request: ModelRequest, turn: Turn, number: int) -> Sequence[bytes]:
    """The answer as a stream: one content block, a text in words or one tool call."""
    start = _message(request, number, content=[], stop_reason=None, output_tokens=1)
    if turn.tool_name is None:
        block: dict[str, object] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in text_pieces(turn.text)]
    else:
        block = {**_content(turn, number), "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(turn.tool_input)}]
    return [
        _event("message_start", message=start),
        _event("content_block_start", index=0, content_block=block),
        *(_event("content_block_delta", index=0, delta=delta) for delta in deltas),
        _event("content_block_stop", index=0),
        _event(
            "message_delta",
            delta={"stop_reason": _stop_reason(turn), "stop_sequence": None},
            usage={"output_tokens": _output_tokens(turn)},
        ),
        _event("message_stop"),
    ]


def error_event() -> bytes:
    """The event `error`: the model is overloaded."""
    kind, text = _ERRORS[FaultName.OVERLOADED]
    return server_sent_event(_error_body(kind, text, _request_id(0)), name="error")


def _event(kind: str, **fields: object) -> bytes:
    return server_sent_event({"type": kind, **fields}, name=kind)


def _message(
    request: ModelRequest,
    number: int,
    *,
    content: list[dict[str, object]],
    stop_reason: str | None,
    output_tokens: int,
) -> dict[str, object]:
    return {
        "id": f"msg_rehearsal{number:04}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": request.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    }


def _content(turn: Turn, number: int) -> dict[str, object]:
    if turn.tool_name is None:
        return {"type": "text", "text": turn.text}
    return {
        "type": "tool_use",
        "id": f"toolu_rehearsal{number:04}",
        "name": turn.tool_name,
        "input": turn.tool_input,
    }


def _stop_reason(turn: Turn) -> str:
    return "end_turn" if turn.tool_name is None else "tool_use"


def _output_tokens(turn: Turn) -> int:
    return estimate_tokens(len(turn.text or json.dumps(turn.tool_input)))


def _plan_headers(resets_at: float) -> dict[str, str]:
    """What says that a subscription's window is used up; with an API key nobody reads it."""
    prefix = "anthropic-ratelimit-unified"
    return {
        f"{prefix}-status": "rejected",
        f"{prefix}-reset": f"{resets_at:.0f}",
        f"{prefix}-representative-claim": "five_hour",
    }


def _error_body(kind: str, text: str, request_id: str) -> dict[str, object]:
    detail = {"type": kind, "message": text}
    return {"type": "error", "error": detail, "request_id": request_id}


def _request_id(number: int) -> str:
    return f"req_rehearsal{number:04}"
