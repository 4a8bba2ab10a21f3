"""Runs a task on one coding agent after another until it is done.

The policies (`undaunted.resilience`) need the standard library only; every other name is loaded
when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undaunted.cli_orchestrator import CLIOrchestrator, execute_task_safely
    from undaunted.error_response import ErrorDetail, ErrorResponse
    from undaunted.errors import (
        AgentUnavailableError,
        ConfigurationError,
        InvalidTaskError,
        TaskExecutionError,
        UndauntedError,
    )
    from undaunted.failures import Action, Failure, FailureKind
    from undaunted.resilience import (
        PERMANENT_HTTP_CODES,
        TRANSIENT_HTTP_CODES,
        AllFailedError,
        CircuitBreaker,
        CircuitOpenError,
        CircuitState,
        Deadline,
        DeadlineExceededError,
        ExecutionRejectedError,
        Exponential,
        NetworkError,
        PermanentError,
        Pipeline,
        Policy,
        ResourceExhaustedError,
        Retry,
        Timeout,
        TransientError,
        execute_with_fallback_chain,
        execute_with_timeout,
        fallback,
        is_permanent_error,
        is_transient_error,
        retry_with_exponential_backoff,
        retry_with_jitter,
    )
    from undaunted.store.models import TaskFailure
    from undaunted.tasks import AgentName, Task, TaskResponse

__all__ = [
    "PERMANENT_HTTP_CODES",
    "TRANSIENT_HTTP_CODES",
    "Action",
    "AgentName",
    "AgentUnavailableError",
    "AllFailedError",
    "CLIOrchestrator",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitState",
    "ConfigurationError",
    "Deadline",
    "DeadlineExceededError",
    "ErrorDetail",
    "ErrorResponse",
    "ExecutionRejectedError",
    "Exponential",
    "Failure",
    "FailureKind",
    "InvalidTaskError",
    "NetworkError",
    "PermanentError",
    "Pipeline",
    "Policy",
    "ResourceExhaustedError",
    "Retry",
    "Task",
    "TaskExecutionError",
    "TaskFailure",
    "TaskResponse",
    "Timeout",
    "TransientError",
    "UndauntedError",
    "execute_task_safely",
    "execute_with_fallback_chain",
    "execute_with_timeout",
    "fallback",
    "is_permanent_error",
    "is_transient_error",
    "retry_with_exponential_backoff",
    "retry_with_jitter",
]

__version__ = "0.1.0.dev0"

_HOMES = {
    "undaunted.cli_orchestrator": ("CLIOrchestrator", "execute_task_safely"),
    "undaunted.error_response": ("ErrorDetail", "ErrorResponse"),
    "undaunted.errors": (
        "AgentUnavailableError",
        "ConfigurationError",
        "InvalidTaskError",
        "TaskExecutionError",
        "UndauntedError",
    ),
    "undaunted.failures": ("Action", "Failure", "FailureKind"),
    "undaunted.store.models": ("TaskFailure",),
    "undaunted.tasks": ("AgentName", "Task", "TaskResponse"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Loads a public name from its home: every one not listed there is a policy's."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME_OF.get(name, "undaunted.resilience")
    try:
        value: object = getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        from undaunted.errors import MissingExtraError  # noqa: PLC0415 - only where it is needed

        raise MissingExtraError(
            f"undaunted.{name} needs {error.name}, which is not installed: pip install undaunted"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
