"""The wire format of the Gemini API (`generateContent`), as far as a coding agent uses it.

Source: the public reference of the Gemini API and of `google.rpc` error details, and what Gemini
CLI 0.61.0 was seen to send and to accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import (
    ErrorReply,
    Message,
    ModelRequest,
    Role,
    UnreadableRequestError,
    estimate_tokens,
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

_STREAM_METHOD = "streamGenerateContent"


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Part(_Camel):
    text: str | None = None
    function_response: dict[str, Any] | None = None


class _Content(_Camel):
    role: str = "user"
    parts: list[_Part] = []

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(part.text for part in self.parts if part.text is not None)

    @property
    def said(self) -> Iterator[Message]:
        for part in self.parts:
            if part.function_response is not None:
                yield Message("tool", json.dumps(part.function_response.get("response")))
        if self.texts:
            role: Role = "assistant" if self.role == "model" else "user"
            yield Message(role, "\n".join(self.texts))


class _Function(_Camel):
    name: str


class _Tool(_Camel):
    function_declarations: list[_Function] = []


class _Generation(_Camel):
    response_json_schema: dict[str, Any] | None = None
    response_schema: dict[str, Any] | None = None


class _Request(_Camel):
    contents: list[_Content]
    tools: list[_Tool] = []
    generation_config: _Generation = _Generation()


# `error.status` and `error.message` for each HTTP status.
_ERRORS: dict[FaultName, tuple[str, str]] = {
    FaultName.INVALID_REQUEST: (
        "INVALID_ARGUMENT",
        "Request contains an invalid argument.",
    ),
    FaultName.CONTEXT_TOO_LONG: (
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    FaultName.CREDIT_SPENT: (
        "FAILED_PRECONDITION",
        (
            "Gemini API free tier is not available in your country. Please enable billing on your"
            " project in Google AI Studio."
        ),
    ),
    FaultName.INVALID_KEY: (
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
    ),
    FaultName.POLICY_VIOLATED: (
        "INVALID_ARGUMENT",
        "The prompt could not be submitted: it contains words that violate the usage guidelines.",
    ),
    FaultName.UNAUTHORIZED: (
        "UNAUTHENTICATED",
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login"
            " cookie or other valid authentication credential."
        ),
    ),
    FaultName.PAYMENT_REQUIRED: (
        "FAILED_PRECONDITION",
        "Billing is not enabled for this project.",
    ),
    FaultName.FORBIDDEN: ("PERMISSION_DENIED", "The caller does not have permission"),
    FaultName.NOT_FOUND: (
        "NOT_FOUND",
        (
            "models/no-such-model is not found for API version v1beta, or is not supported for"
            " generateContent."
        ),
    ),
    FaultName.REQUEST_TIMEOUT: ("DEADLINE_EXCEEDED", "Request timed out"),
    FaultName.TOO_LARGE: (
        "INVALID_ARGUMENT",
        "Request payload size exceeds the limit: 20971520 bytes.",
    ),
    FaultName.RATE_LIMITED: (
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
    ),
    FaultName.PLAN_LIMIT_REACHED: (
        "RESOURCE_EXHAUSTED",
        "You have exhausted your capacity on this model.",
    ),
    FaultName.QUOTA_EXHAUSTED: (
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    FaultName.INTERNAL_ERROR: ("INTERNAL", "An internal error has occurred. Please retry."),
    FaultName.UNAVAILABLE: (
        "UNAVAILABLE",
        "The model is overloaded. Please try again later.",
    ),
    FaultName.OVERLOADED: (
        "UNAVAILABLE",
        "The model is overloaded. Please try again later.",
    ),
}

# The daily quota's own RetryInfo, as the real API sends it: it is the time to the next minute and
# says nothing about the day, which is why the kind of quota has to be read and not the delay.
_QUOTA_RETRY_S = 34


def read(path_params: Mapping[str, str], body: bytes) -> ModelRequest:
    """The request in `body` for `models/{model}:{method}`.

    Raises:
        UnreadableRequestError: The body is no generateContent request.
    """
    try:
        request = _Request.model_validate_json(body)
    except ValidationError as invalid:
        raise UnreadableRequestError(str(invalid)) from invalid
    spoken = [c.texts for c in request.contents if c.role == "user" and c.texts]
    config = request.generation_config
    return ModelRequest(
        model=path_params["model"],
        stream=path_params["method"] == _STREAM_METHOD,
        prompt_parts=spoken[-1] if spoken else (),
        messages=tuple(said for c in request.contents for said in c.said),
        tool_names=tuple(f.name for tool in request.tools for f in tool.function_declarations),
        tool_results=sum(
            part.function_response is not None for c in request.contents for part in c.parts
        ),
        input_tokens=estimate_tokens(len(body)),
        schema=config.response_json_schema or config.response_schema,
    )


def token_count(body: bytes) -> dict[str, object]:
    """The answer of `:countTokens`."""
    return {"totalTokens": estimate_tokens(len(body))}


def error(fault: Fault, number: int, now: datetime) -> ErrorReply:  # noqa: ARG001  # this API's errors name no request and no time of day; `WireFormat` passes both
    """The error body of `fault`; a time to wait stands in `RetryInfo` and in the header."""
    status, text = _ERRORS[fault.name]
    if fault.name is FaultName.PLAN_LIMIT_REACHED:
        text += f" Your quota will reset after {fault.plan_returns_after_s}s."
    elif fault.retry_after_s is not None:
        text += f" Please retry in {fault.retry_after_s}s."
    body: dict[str, object] = {"code": fault.name.status, "message": text, "status": status}
    if details := _details(fault):
        body["details"] = details
    headers = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    return ErrorReply({"error": body}, headers)


def message(request: ModelRequest, turn: Turn, number: int) -> dict[str, object]:
    """The answer as one object."""
    return _response(request, turn, number, _part(turn), finish_reason="STOP")


def events(request: ModelRequest, turn: Turn, number: int) -> Sequence[bytes]:
    """The answer as a stream: pieces of text or the call, then an empty part with the end mark."""
    if turn.tool_name is None:
        parts: list[dict[str, object]] = [{"text": piece} for piece in text_pieces(turn.text)]
    else:
        parts = [_part(turn)]
    return [
        *(server_sent_event(_response(request, turn, number, part)) for part in parts),
        server_sent_event(
            _response(request, turn, number, {"text": ""}, finish_reason="STOP"),
        ),
    ]


def error_event() -> bytes:
    """An error object in the place of a piece of the answer: the model is overloaded."""
    status, text = _ERRORS[FaultName.UNAVAILABLE]
    return server_sent_event({"error": {"code": 503, "message": text, "status": status}})


def _part(turn: Turn) -> dict[str, object]:
    if turn.tool_name is None:
        return {"text": turn.text}
    return {"functionCall": {"name": turn.tool_name, "args": turn.tool_input}}


def _response(
    request: ModelRequest,
    turn: Turn,
    number: int,
    part: Mapping[str, object],
    *,
    finish_reason: str | None = None,
) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if finish_reason is not None:
        candidate["finishReason"] = finish_reason
    output_tokens = estimate_tokens(len(turn.text or json.dumps(turn.tool_input)))
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": request.input_tokens,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": request.input_tokens + output_tokens,
        },
        "modelVersion": request.model,
        "responseId": f"rehearsal{number:04}",
    }


def _details(fault: Fault) -> list[dict[str, object]]:
    match fault.name:
        case FaultName.INVALID_KEY:
            service = {"service": "generativelanguage.googleapis.com"}
            return [_error_info("API_KEY_INVALID", "googleapis.com", service)]
        case FaultName.PLAN_LIMIT_REACHED:
            return [
                _error_info("QUOTA_EXHAUSTED", "cloudcode-pa.googleapis.com", {}),
                _retry_info(fault.plan_returns_after_s),
            ]
        case FaultName.QUOTA_EXHAUSTED:
            return [
                _quota_failure("PerDay", limit=50),
                _retry_info(_QUOTA_RETRY_S if fault.retry_after_s is None else fault.retry_after_s),
            ]
        case FaultName.RATE_LIMITED if fault.retry_after_s is not None:
            return [_quota_failure("PerMinute", limit=5), _retry_info(fault.retry_after_s)]
        case _ if fault.retry_after_s is not None:
            return [_retry_info(fault.retry_after_s)]
        case _:
            return []


def _error_info(reason: str, domain: str, metadata: Mapping[str, str]) -> dict[str, object]:
    return _detail("ErrorInfo", reason=reason, domain=domain, metadata=metadata)


def _quota_failure(period: str, *, limit: int) -> dict[str, object]:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": f"GenerateRequests{period}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": "gemini-2.5-pro"},
        "quotaValue": str(limit),
    }
    return _detail("QuotaFailure", violations=[violation])


def _retry_info(seconds: int) -> dict[str, object]:
    return _detail("RetryInfo", retryDelay=f"{seconds}s")


def _detail(kind: str, **fields: object) -> dict[str, object]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}
