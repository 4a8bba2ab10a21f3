from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from undaunted.resilience import (
    AllFailedError,
    CircuitOpenError,
    DeadlineExceededError,
    ExecutionRejectedError,
    NetworkError,
    PermanentError,
    ResourceExhaustedError,
    TransientError,
)

E = TypeVar("E", bound=Exception)


def through_pickle(error: E) -> E:
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(twin, type(error))
    return twin


FAILURES = (TransientError, PermanentError, ResourceExhaustedError, AllFailedError, TimeoutError)


def test_refusals_and_failures_are_two_families() -> None:
    """No error is in both, so that `except` can tell them apart."""
    assert issubclass(CircuitOpenError, ExecutionRejectedError)
    assert not any(issubclass(failure, ExecutionRejectedError) for failure in FAILURES)
    assert not any(issubclass(CircuitOpenError, failure) for failure in FAILURES)


def test_resource_exhaustion_is_a_class_of_its_own() -> None:
    """It is neither transient nor permanent (S1)."""
    assert not issubclass(ResourceExhaustedError, (TransientError, PermanentError))


def test_a_network_error_is_transient_and_a_deadline_is_a_timeout() -> None:
    """The finer classes are caught by the coarser ones."""
    assert issubclass(NetworkError, TransientError)
    assert issubclass(DeadlineExceededError, TimeoutError)


@pytest.mark.parametrize(
    "error",
    [
        ExecutionRejectedError("no", retry_after_s=1.5),
        CircuitOpenError(
            "no", retry_after_s=2.0, open_until=datetime(2026, 1, 1, tzinfo=UTC), isolated=True
        ),
        ResourceExhaustedError("none left", retry_after_s=3.0),
    ],
)
def test_what_an_error_says_survives_copies_between_processes(error: Exception) -> None:
    """Pickling and copying keep text and attributes."""
    for twin in (through_pickle(error), copy.copy(error)):
        assert (twin.args, vars(twin)) == (error.args, vars(error))


def test_the_document_raises_resource_exhaustion_with_a_text_alone() -> None:
    """Every argument is optional."""
    assert ResourceExhaustedError().retry_after_s is None
    assert str(ResourceExhaustedError("pool is full")) == "pool is full"


def all_failed() -> AllFailedError:
    return AllFailedError([("claude", ValueError("bad")), ("gemini", NetworkError("gone"))])


def test_all_failed_tells_each_error_with_its_name() -> None:
    """Its text is the document's, its errors are in order of the tries."""
    error = all_failed()
    assert str(error) == "All agents failed:\nclaude: bad\ngemini: gone"
    assert [(name, type(e)) for name, e in error.errors] == [
        ("claude", ValueError),
        ("gemini", NetworkError),
    ]


def test_all_failed_is_an_exception_group() -> None:
    """`except*` reaches the errors inside."""
    caught: list[BaseException] = []
    try:
        raise all_failed()
    except* NetworkError as group:
        caught += group.exceptions
    except* ValueError as group:
        caught += group.exceptions
    assert {type(error) for error in caught} == {ValueError, NetworkError}


def test_all_failed_survives_pickling() -> None:
    """Names and errors are there on the other side."""
    twin = through_pickle(all_failed())
    assert str(twin) == str(all_failed())
    assert [name for name, _ in twin.errors] == ["claude", "gemini"]
