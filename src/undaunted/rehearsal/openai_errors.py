"""The errors of OpenAI's APIs, which chat completions and responses have in common.

Source: the public reference of OpenAI's error codes, the compatible services that agents are
pointed at, and what codex 0.169.0, copilot 1.0.102 and opencode 1.18.33 were seen to read.
"""

from __future__ import annotations

from datetime import datetime

from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import ErrorReply

__all__ = ["OVERLOADED_IN_STREAM", "error"]

# `error.type`, `error.code` and `error.message` for each fault with a status.
_ERRORS: dict[FaultName, tuple[str, str | None, str]] = {
    FaultName.INVALID_REQUEST: (
        "invalid_request_error",
        "invalid_value",
        "Invalid value: the rehearsal calls this request invalid.",
    ),
    FaultName.CONTEXT_TOO_LONG: (
        "invalid_request_error",
        "context_length_exceeded",
        (
            "Your input exceeds the context window of this model. Please adjust your input and"
            " try again."
        ),
    ),
    FaultName.CREDIT_SPENT: (
        "invalid_request_error",
        "billing_hard_limit_reached",
        "Billing hard limit has been reached",
    ),
    FaultName.INVALID_KEY: ("invalid_request_error", "invalid_api_key", "API key not valid"),
    FaultName.POLICY_VIOLATED: (
        "invalid_request_error",
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
    ),
    FaultName.UNAUTHORIZED: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: none.",
    ),
    FaultName.PAYMENT_REQUIRED: ("billing_error", "payment_required", "Insufficient credits"),
    FaultName.FORBIDDEN: (
        "permission_error",
        "access_denied",
        "Project does not have access to this model",
    ),
    FaultName.NOT_FOUND: (
        "invalid_request_error",
        "model_not_found",
        "The model `no-such-model` does not exist or you do not have access to it.",
    ),
    FaultName.REQUEST_TIMEOUT: ("timeout", "request_timeout", "Request timed out"),
    FaultName.TOO_LARGE: (
        "invalid_request_error",
        "request_too_large",
        "Request body is too large",
    ),
    FaultName.RATE_LIMITED: (
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for this model on tokens per min (TPM): Limit 30000, Used 29000.",
    ),
    FaultName.PLAN_LIMIT_REACHED: (
        "usage_limit_reached",
        None,
        "The usage limit has been reached",
    ),
    FaultName.QUOTA_EXHAUSTED: (
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    FaultName.INTERNAL_ERROR: (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    FaultName.UNAVAILABLE: (
        "service_unavailable",
        None,
        "The engine is currently overloaded, please try again later",
    ),
    FaultName.OVERLOADED: ("overloaded_error", "overloaded", "Overloaded"),
}

OVERLOADED_IN_STREAM = {
    "code": "server_is_overloaded",
    "message": "Our servers are currently overloaded. Please try again later.",
}
"""The error that a stream carries once it has begun; chat and responses wrap it differently."""


def error(fault: Fault, number: int, now: datetime) -> ErrorReply:
    """The error body of `fault`; a time to wait stands in its text and in the header."""
    kind, code, text = _ERRORS[fault.name]
    headers = {"x-request-id": f"req_rehearsal{number:04}"}
    if fault.retry_after_s is not None:
        text = f"{text.rstrip('.!')}. Please try again in {fault.retry_after_s}s."
        headers["retry-after"] = str(fault.retry_after_s)
    detail: dict[str, object] = {"message": text, "type": kind, "param": None, "code": code}
    if fault.name is FaultName.PLAN_LIMIT_REACHED:
        detail |= {
            "plan_type": "plus",
            "resets_at": int(now.timestamp()) + fault.plan_returns_after_s,
            "resets_in_seconds": fault.plan_returns_after_s,
        }
    return ErrorReply({"error": detail}, headers)
