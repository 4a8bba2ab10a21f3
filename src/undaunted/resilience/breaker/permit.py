"""Leave to run one call, for those who run it themselves."""

from __future__ import annotations

from collections.abc import Callable

from undaunted.resilience.breaker.circuit import State

__all__ = ["Permit"]


class Permit:
    """One call that a circuit breaker let in; it has to be told how the call ended.

    The first of `success`, `failure` and `release` counts, later ones change nothing. A permit
    that is never told keeps the probe's place of a half-open circuit: release it in a `finally`.

    Args:
        state: What let the call in.
        counts: Whether an error counts.
    """

    __slots__ = ("_counts", "_state")

    def __init__(self, state: State, counts: Callable[[Exception], bool]) -> None:
        self._state: State | None = state
        self._counts = counts

    def success(self) -> None:
        """The call succeeded."""
        if state := self._take():
            state.succeeded()

    def failure(self, error: BaseException | None = None) -> None:
        """The call failed.

        Args:
            error: Decides whether the failure counts, by the breaker's rule; cancellation never
                does. Without an error it counts.
        """
        if state := self._take():
            if error is None or (isinstance(error, Exception) and self._counts(error)):
                state.failed()
            else:
                state.released()

    def release(self) -> None:
        """The call did not take place, or says nothing about the service."""
        if state := self._take():
            state.released()

    def _take(self) -> State | None:
        state, self._state = self._state, None
        return state
