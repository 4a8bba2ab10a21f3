"""The error body of the specification (S16), and how one is built."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from pydantic import BaseModel

from undaunted.errors import ErrorCode
from undaunted.events import iso

__all__ = ["ErrorDetail", "ErrorResponse", "error_response"]

_SHORT = {
    ErrorCode.AGENT_UNAVAILABLE: "Service temporarily unavailable",
    ErrorCode.INTERNAL_ERROR: "Internal server error",
    ErrorCode.NETWORK_ERROR: "Network error",
    ErrorCode.NOT_FOUND: "Not found",
    ErrorCode.RATE_LIMIT_EXCEEDED: "Rate limit exceeded",
    ErrorCode.TASK_EXECUTION_ERROR: "Task execution failed",
    ErrorCode.VALIDATION_ERROR: "Invalid task configuration",
}


class ErrorDetail(BaseModel):
    """The particulars of an error.

    Attributes:
        code: A finer machine-readable code, such as `INVALID_PROMPT`.
        message: For a person.
        field: The field at fault, for a validation error.
        details: Additional context.
    """

    code: str
    message: str
    field: str | None = None
    details: dict[str, object] | None = None


class ErrorResponse(BaseModel):
    """The standard error response.

    Attributes:
        error: A short description.
        error_code: Machine-readable.
        details: The particulars.
        timestamp: ISO 8601, UTC, with Z.
        request_id: Begins with `req_`.
        retry_after: Seconds to wait before a retry.
    """

    error: str
    error_code: str
    details: ErrorDetail
    timestamp: str
    request_id: str
    retry_after: int | None = None


def error_response(
    code: ErrorCode,
    detail_code: str,
    message: str,
    *,
    at: datetime,
    request_id: str,
    field: str | None = None,
    details: dict[str, object] | None = None,
    retry_after_s: float | None = None,
) -> ErrorResponse:
    """An error response as S16 has it; `retry_after` is rounded up to whole seconds."""
    return ErrorResponse(
        error=_SHORT[code],
        error_code=code,
        details=ErrorDetail(code=detail_code, message=message, field=field, details=details),
        timestamp=iso(at),
        request_id=request_id,
        retry_after=None if retry_after_s is None else max(0, ceil(retry_after_s)),
    )
