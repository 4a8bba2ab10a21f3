"""Whether a failure may be gone next time: the specification's rule, made unambiguous (S1).

The first line that speaks about an error decides, so that none is ever both:

1. Cancellation, KeyboardInterrupt, SystemExit: never classified.
2. Refusals (`ExecutionRejectedError`) and `ResourceExhaustedError`: neither.
3. An HTTP status that is in one of the two sets: as the set says, whatever the class.
4. `PermanentError`, then `TransientError`: what the error says of itself.
5. `ValueError` (pydantic's `ValidationError` is one, in both its major versions): permanent.
6. `TimeoutError`, `ConnectionError`: transient.
"""

from __future__ import annotations

from typing import Literal

from undaunted.resilience.errors import (
    ExecutionRejectedError,
    PermanentError,
    ResourceExhaustedError,
    TransientError,
)

__all__ = [
    "PERMANENT_HTTP_CODES",
    "TRANSIENT_HTTP_CODES",
    "http_status_of",
    "is_callers_mistake",
    "is_permanent_error",
    "is_transient_error",
    "is_transient_or_exhausted",
]

TRANSIENT_HTTP_CODES = frozenset({408, 429, 500, 502, 503, 504})
PERMANENT_HTTP_CODES = frozenset({400, 401, 403, 404, 405, 410})

# Answers that blame the request. Not 401 and 403: a credential that is refused is the service's
# trouble for every caller of it. Not 408 and 429: those are about load.
_CALLERS_MISTAKE_HTTP_CODES = frozenset({400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422})

_Verdict = Literal["permanent", "transient"]

_BY_STATUS: tuple[tuple[frozenset[int], _Verdict], ...] = (
    (PERMANENT_HTTP_CODES, "permanent"),
    (TRANSIENT_HTTP_CODES, "transient"),
)
# In this order: the first that fits decides.
_BY_CLASS: tuple[tuple[tuple[type[Exception], ...], _Verdict], ...] = (
    ((PermanentError,), "permanent"),
    ((TransientError,), "transient"),
    ((ValueError,), "permanent"),
    ((ConnectionError, TimeoutError), "transient"),
)


def http_status_of(error: BaseException) -> int | None:
    """The HTTP status that `error` carries; None without one.

    Reads `status_code` (Starlette, FastAPI, API clients), then `response.status_code` (httpx,
    requests). Only integers count, and `True` is none.
    """
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _verdict(error: BaseException) -> _Verdict | None:
    if not isinstance(error, Exception):
        return None
    if isinstance(error, (ExecutionRejectedError, ResourceExhaustedError)):
        return None
    status = http_status_of(error)
    for codes, verdict in _BY_STATUS:
        if status in codes:
            return verdict
    for classes, verdict in _BY_CLASS:
        if isinstance(error, classes):
            return verdict
    return None


def is_transient_error(e: BaseException) -> bool:
    """Whether `e` may be gone at the next attempt; the module says by which rule."""
    return _verdict(e) == "transient"


def is_permanent_error(e: BaseException) -> bool:
    """Whether another attempt would only repeat `e`; the module says by which rule."""
    return _verdict(e) == "permanent"


def is_transient_or_exhausted(error: BaseException) -> bool:
    """What `Retry` retries by default: transient errors, and `ResourceExhaustedError`."""
    return isinstance(error, ResourceExhaustedError) or is_transient_error(error)


def is_callers_mistake(error: BaseException) -> bool:
    """Whether `error` blames the request and says nothing about the health of the service (S5).

    By its HTTP status where it has one (400, 404, 405, 422 and their like; not 401 and 403).
    Without one: what is permanent by its class, as a validation error is.
    """
    status = http_status_of(error)
    if status is not None:
        return status in _CALLERS_MISTAKE_HTTP_CODES
    return is_permanent_error(error)
