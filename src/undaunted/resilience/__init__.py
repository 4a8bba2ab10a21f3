"""Policies for work that can fail: retry, circuit breaker, timeout, deadline, fallback.

A library of its own: asyncio and the standard library, nothing of the product.

    pipeline = Pipeline(Deadline(120), Retry(attempts=3), CircuitBreaker(), Timeout(30))
    answer = await pipeline.call(ask, "why?")
"""

from undaunted.resilience.backoff import Backoff, Exponential, Jitter, jittered
from undaunted.resilience.breaker import (
    BreakerSnapshot,
    CircuitBreaker,
    CircuitChanged,
    CircuitState,
    Permit,
)
from undaunted.resilience.classification import (
    PERMANENT_HTTP_CODES,
    TRANSIENT_HTTP_CODES,
    http_status_of,
    is_callers_mistake,
    is_permanent_error,
    is_transient_error,
    is_transient_or_exhausted,
)
from undaunted.resilience.clock import Clock, SystemClock, TimerHandle
from undaunted.resilience.deadline import Deadline, remaining_s
from undaunted.resilience.errors import (
    AllFailedError,
    CircuitOpenError,
    DeadlineExceededError,
    ExecutionRejectedError,
    NetworkError,
    PermanentError,
    ResourceExhaustedError,
    TransientError,
)
from undaunted.resilience.fallback import fallback
from undaunted.resilience.functions import (
    HasPrompt,
    NamedFunctions,
    execute_with_fallback_chain,
    execute_with_timeout,
    retry_with_exponential_backoff,
    retry_with_jitter,
)
from undaunted.resilience.pipeline import Pipeline
from undaunted.resilience.policy import Policy, RunsFunctions
from undaunted.resilience.retry import Retry, RetryEvent
from undaunted.resilience.retry_after import parse_retry_after, retry_after_of
from undaunted.resilience.timeout import Timeout

__all__ = [
    "PERMANENT_HTTP_CODES",
    "TRANSIENT_HTTP_CODES",
    "AllFailedError",
    "Backoff",
    "BreakerSnapshot",
    "CircuitBreaker",
    "CircuitChanged",
    "CircuitOpenError",
    "CircuitState",
    "Clock",
    "Deadline",
    "DeadlineExceededError",
    "ExecutionRejectedError",
    "Exponential",
    "HasPrompt",
    "Jitter",
    "NamedFunctions",
    "NetworkError",
    "PermanentError",
    "Permit",
    "Pipeline",
    "Policy",
    "ResourceExhaustedError",
    "Retry",
    "RetryEvent",
    "RunsFunctions",
    "SystemClock",
    "Timeout",
    "TimerHandle",
    "TransientError",
    "execute_with_fallback_chain",
    "execute_with_timeout",
    "fallback",
    "http_status_of",
    "is_callers_mistake",
    "is_permanent_error",
    "is_transient_error",
    "is_transient_or_exhausted",
    "jittered",
    "parse_retry_after",
    "remaining_s",
    "retry_after_of",
    "retry_with_exponential_backoff",
    "retry_with_jitter",
]
