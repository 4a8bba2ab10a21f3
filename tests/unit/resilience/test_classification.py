from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from types import SimpleNamespace

import httpx
import pydantic
import pytest
from pydantic import v1 as pydantic_v1

from undaunted.resilience import (
    PERMANENT_HTTP_CODES,
    TRANSIENT_HTTP_CODES,
    AllFailedError,
    CircuitOpenError,
    DeadlineExceededError,
    NetworkError,
    PermanentError,
    ResourceExhaustedError,
    TransientError,
    http_status_of,
    is_callers_mistake,
    is_permanent_error,
    is_transient_error,
    is_transient_or_exhausted,
)


class StatusError(Exception):
    """As Starlette's HTTPException: the status is on the error."""

    def __init__(self, status_code: object) -> None:
        super().__init__(status_code)
        self.status_code = status_code


class ResponseError(Exception):
    """As requests' HTTPError: the status is on a response, which may be missing."""

    def __init__(self, response: object) -> None:
        super().__init__(response)
        self.response = response


class TransientValueError(TransientError, ValueError):
    pass


class UndecidedError(TransientError, PermanentError):
    pass


class BadAddressError(ConnectionError, ValueError):
    pass


class TransientNotFoundError(TransientError):
    status_code = 404


class OverloadedError(TransientError):
    status_code = 529


class CancelledWithStatus(asyncio.CancelledError):
    status_code = 503


class ExhaustedWithStatusError(ResourceExhaustedError):
    status_code = 429


def pydantic_error() -> Exception:
    try:
        pydantic.TypeAdapter(int).validate_python("no number")
    except pydantic.ValidationError as error:
        return error
    raise AssertionError


def pydantic_v1_error() -> Exception:
    class Model(pydantic_v1.BaseModel):
        n: int

    try:
        Model(n="no number")
    except pydantic_v1.ValidationError as error:
        return error
    raise AssertionError


def httpx_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1/")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status))


TRANSIENT = [
    TransientError(),
    NetworkError(),
    TimeoutError(),
    DeadlineExceededError(),
    ConnectionError(),
    ConnectionResetError(),
    BrokenPipeError(),
    *(StatusError(code) for code in TRANSIENT_HTTP_CODES),
    ResponseError(SimpleNamespace(status_code=503)),
    httpx_error(502),
    StatusError(HTTPStatus.TOO_MANY_REQUESTS),
    TransientValueError(),  # what an error says of itself is stronger than its built-in class
    OverloadedError(),  # a status in neither set leaves it to the class
]

PERMANENT = [
    PermanentError(),
    ValueError(),
    UnicodeError(),
    json.JSONDecodeError("", "", 0),
    *(StatusError(code) for code in PERMANENT_HTTP_CODES),
    ResponseError(SimpleNamespace(status_code=401)),
    httpx_error(404),
    pydantic_error(),
    UndecidedError(),  # of two claims the one that does no harm
    BadAddressError(),
    TransientNotFoundError(),  # the status is stronger than the class
]

NEITHER = [
    Exception(),
    RuntimeError(),
    OSError(),
    StatusError(200),
    StatusError(418),
    StatusError(True),  # an int to Python, but no status
    StatusError("503"),
    StatusError(None),
    ResponseError(None),
    ResponseError({"status_code": 503}),
    ResourceExhaustedError(),
    ExhaustedWithStatusError(),
    CircuitOpenError(),
    AllFailedError([("a", TransientError())]),
    asyncio.CancelledError(),
    CancelledWithStatus(),
    KeyboardInterrupt(),
    SystemExit(1),
    GeneratorExit(),
]


def names(value: object) -> str:
    return f"{type(value).__name__}{getattr(value, 'args', '')}"[:50]


@pytest.mark.parametrize("error", TRANSIENT, ids=names)
def test_transient(error: BaseException) -> None:
    """Errors that may be gone next time are transient and not permanent."""
    assert (is_transient_error(error), is_permanent_error(error)) == (True, False)


@pytest.mark.parametrize("error", PERMANENT, ids=names)
def test_permanent(error: BaseException) -> None:
    """Errors that another attempt would repeat are permanent and not transient."""
    assert (is_transient_error(error), is_permanent_error(error)) == (False, True)


@pytest.mark.parametrize("error", NEITHER, ids=names)
def test_neither(error: BaseException) -> None:
    """Refusals, exhaustion, cancellation and the unknown are neither."""
    assert (is_transient_error(error), is_permanent_error(error)) == (False, False)


@pytest.mark.filterwarnings("ignore:Core Pydantic V1 functionality")
def test_a_validation_error_of_the_older_pydantic_is_permanent() -> None:
    """It is a ValueError as well, so nobody has to import it to know."""
    assert is_permanent_error(pydantic_v1_error())


def test_the_sets_of_codes_are_the_documents() -> None:
    """S1 fixes them."""
    assert {408, 429, 500, 502, 503, 504} == TRANSIENT_HTTP_CODES
    assert {400, 401, 403, 404, 405, 410} == PERMANENT_HTTP_CODES


@pytest.mark.parametrize("status", [True, "503", 503.0, None])
def test_a_status_is_an_integer(status: object) -> None:
    """What is not one, `True` included, is no status."""
    assert http_status_of(StatusError(status)) is None


def test_the_errors_own_status_comes_before_its_responses() -> None:
    """Of two statuses the nearer one is read."""
    error = StatusError(503)
    error.response = SimpleNamespace(status_code=404)  # type: ignore[attr-defined]
    assert http_status_of(error) == 503


def test_exhaustion_is_retried_by_default_though_not_transient() -> None:
    """What Retry asks covers both."""
    assert is_transient_or_exhausted(ResourceExhaustedError())
    assert is_transient_or_exhausted(TransientError())
    assert not is_transient_or_exhausted(PermanentError())


@pytest.mark.parametrize(
    ("error", "mistake"),
    [
        (StatusError(400), True),
        (StatusError(404), True),
        (StatusError(422), True),
        (StatusError(401), False),
        (StatusError(403), False),
        (StatusError(429), False),
        (StatusError(500), False),
        (ValueError(), True),
        (PermanentError(), True),
        (pydantic_error(), True),
        (TimeoutError(), False),
        (RuntimeError(), False),
    ],
    ids=names,
)
def test_a_callers_mistake_blames_the_request(error: Exception, mistake: bool) -> None:
    """What is wrong with the request is not held against the service; a refused key is."""
    assert is_callers_mistake(error) is mistake
