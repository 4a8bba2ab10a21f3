"""The circuit breaker: refuses work for a time after several failures in a row."""

from undaunted.resilience.breaker.breaker import CircuitBreaker
from undaunted.resilience.breaker.circuit import CircuitChanged
from undaunted.resilience.breaker.permit import Permit
from undaunted.resilience.breaker.snapshot import BreakerSnapshot, CircuitState

__all__ = ["BreakerSnapshot", "CircuitBreaker", "CircuitChanged", "CircuitState", "Permit"]
