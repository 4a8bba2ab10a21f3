"""The product's error tree and the error codes of the specification (S12, S16).

UndauntedError
├── TaskExecutionError          the task failed; `failures` says why, agent by agent
│   └── AgentUnavailableError   no agent can take it now; `retry_after_s` says when one can
├── InvalidTaskError            the task itself is wrong: a person has to change it
├── ConfigurationError          a setting is wrong: which, where and what to do
├── StoreError                  the data folder's file can't be used
│   ├── StoreTooNewError        written by a newer undaunted
│   └── AnswerNotRecordedError  the task was done, which could not be written down
├── SpawnError                  a command could not be started (agents.spawn_error)
├── NotFoundError               no such task, agent, ...
└── MissingExtraError           an optional dependency is not installed
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = [
    "AgentUnavailableError",
    "AnswerNotRecordedError",
    "ConfigurationError",
    "ErrorCode",
    "InvalidTaskError",
    "MissingExtraError",
    "NotFoundError",
    "StoreError",
    "StoreTooNewError",
    "TaskExecutionError",
    "UndauntedError",
]


class ErrorCode(StrEnum):
    """`error_code` of an error response (S16)."""

    AGENT_UNAVAILABLE = "AGENT_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    NETWORK_ERROR = "NETWORK_ERROR"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    TASK_EXECUTION_ERROR = "TASK_EXECUTION_ERROR"
    VALIDATION_ERROR = "VALIDATION_ERROR"


class UndauntedError(Exception):
    """Every error that undaunted raises on purpose; its text is fit for a person.

    Attributes:
        code: The machine-readable code (S16).
        detail_code: A finer code for `details.code`.
    """

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    detail_code: str = "UNEXPECTED_ERROR"


class TaskExecutionError(UndauntedError):
    """A task failed (S12).

    Args:
        message: What happened, for a person.
        failures: One text per agent tried, in order of the tries.
        retry_after_s: Seconds until trying again makes sense, where known.

    Attributes:
        kind: The kind of the failure that decided (`FailureKind`), where known.
    """

    code = ErrorCode.TASK_EXECUTION_ERROR
    detail_code = "EXECUTION_FAILED"

    def __init__(
        self,
        message: str,
        *,
        failures: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.failures: dict[str, str] = dict(failures or {})
        self.retry_after_s = retry_after_s
        self.kind: str | None = None


class AgentUnavailableError(TaskExecutionError):
    """No agent can take the task: not installed, breaker open, or no quota (S12)."""

    code = ErrorCode.AGENT_UNAVAILABLE
    detail_code = "NO_AGENT_AVAILABLE"


class InvalidTaskError(UndauntedError):
    """The task itself is wrong; no agent would take it as it stands.

    Args:
        message: What is wrong and what to do.
        field: The field at fault.
    """

    code = ErrorCode.VALIDATION_ERROR
    detail_code = "INVALID_TASK"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConfigurationError(UndauntedError):
    """A setting is wrong: the text says which, where it stands, and what to do."""

    code = ErrorCode.VALIDATION_ERROR
    detail_code = "INVALID_CONFIGURATION"


class StoreError(UndauntedError):
    """The store can't be used: full disk, no permission, a broken file."""

    detail_code = "STORE_UNUSABLE"


class StoreTooNewError(StoreError):
    """The store was written by a newer version of undaunted."""

    detail_code = "STORE_TOO_NEW"


class AnswerNotRecordedError(StoreError):
    """An agent did the task, but that could not be written down.

    Args:
        message: Why not.
        content: The answer, which must not be lost for it.
    """

    detail_code = "ANSWER_NOT_RECORDED"

    def __init__(self, message: str, *, content: str) -> None:
        super().__init__(f"the task was done, but that could not be written down: {message}")
        self.content = content


class NotFoundError(UndauntedError):
    """No such task, agent or other named thing."""

    code = ErrorCode.NOT_FOUND
    detail_code = "NOT_FOUND"


class MissingExtraError(UndauntedError, ImportError):
    """A name needs an optional dependency that is not installed; the text names the extra."""

    detail_code = "MISSING_EXTRA"
