"""Every name of the specification is importable from `undaunted` itself."""

from __future__ import annotations

import pytest

import undaunted

# The rows of the specification that are built, each with the names it fixes.
ROWS = {
    "S1": (
        "PERMANENT_HTTP_CODES",
        "TRANSIENT_HTTP_CODES",
        "NetworkError",
        "PermanentError",
        "ResourceExhaustedError",
        "TransientError",
        "is_permanent_error",
        "is_transient_error",
    ),
    "S3": ("retry_with_exponential_backoff",),
    "S4": ("retry_with_jitter",),
    "S5": ("CircuitBreaker", "CircuitState"),
    "S6": ("execute_with_fallback_chain",),
    "S7": ("execute_task_safely", "execute_with_timeout"),
    "S8": ("AgentName", "CLIOrchestrator", "Task", "TaskResponse"),
    "S12": ("AgentUnavailableError", "TaskExecutionError"),
    "S13": ("TaskFailure",),
    "S16": ("ErrorDetail", "ErrorResponse"),
}
NAMES = [name for row in ROWS.values() for name in row]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_specification_is_there(name: str) -> None:
    """Code that was written against the specification finds it, and so does completion."""
    assert hasattr(undaunted, name)
    assert name in undaunted.__all__
    assert name in dir(undaunted)


def test_all_that_is_public_is_there() -> None:
    """`__all__` promises nothing that can't be had."""
    assert [name for name in undaunted.__all__ if not hasattr(undaunted, name)] == []


def test_what_is_public_is_sorted() -> None:
    """Constants, then classes, then functions, each by name: the order that ruff keeps."""
    assert undaunted.__all__ == sorted(
        undaunted.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """A mistyped name is told as for any module, although names are looked up when asked for."""
    with pytest.raises(AttributeError, match="no_such_name"):
        undaunted.no_such_name  # noqa: B018 (the access is what is tested)
