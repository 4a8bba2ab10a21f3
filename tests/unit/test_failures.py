"""The table of kinds says what the house's table says."""

from __future__ import annotations

import pytest

from undaunted.failures import KINDS, Action, Failure, FailureKind, Severity

K, A, S = FailureKind, Action, Severity

# (kinds, action, counts for the breaker, severity), as docs/failures.md has it.
TABLE = [
    ("rate_limited", A.RETRY, False, S.WARNING),
    ("overloaded server_error network broken_response", A.RETRY, True, S.WARNING),
    ("timeout", A.SWITCH, True, S.WARNING),
    ("crashed unknown", A.RETRY, True, S.ERROR),
    ("interrupted", A.RETRY, False, S.WARNING),
    ("quota_exhausted", A.SWITCH, False, S.WARNING),
    ("billing auth", A.SWITCH, False, S.CRITICAL),
    ("permission not_found not_installed misconfigured", A.SWITCH, False, S.ERROR),
    ("context_too_long content_policy invalid_request", A.SWITCH, False, S.ERROR),
    ("limit_reached checks_failed", A.FAIL, False, S.ERROR),
    ("cancelled", A.STOP, False, S.INFO),
]


@pytest.mark.parametrize(("kinds", "action", "counts", "severity"), TABLE)
def test_table(kinds: str, action: Action, counts: bool, severity: Severity) -> None:
    """Each kind has the action, the weight and the severity of its row."""
    for kind in kinds.split():
        failure = Failure(K(kind), "text")
        assert (failure.action, failure.counts_for_breaker, failure.severity) == (
            action,
            counts,
            severity,
        )


def test_table_is_complete() -> None:
    """Every kind has exactly one row."""
    listed = [kind for kinds, *_ in TABLE for kind in kinds.split()]
    assert sorted(listed) == sorted(K) == sorted(KINDS)


def test_crashes_are_retried_once() -> None:
    """Crashes and unknown failures are worth one retry each; other kinds have no bound."""
    bound = {kind for kind, rule in KINDS.items() if rule.max_retries is not None}
    assert bound == {K.CRASHED, K.UNKNOWN}
    assert KINDS[K.CRASHED].max_retries == 1


def test_invalid_request_fails_only_where_the_task_is_named() -> None:
    """A 400 moves on to the next agent; one that names the prompt ends the task."""
    assert Failure(K.INVALID_REQUEST, "text").action is A.SWITCH
    assert Failure(K.INVALID_REQUEST, "text", blames_task=True).action is A.FAIL
    assert Failure(K.NOT_FOUND, "text", blames_task=True).action is A.SWITCH


def test_a_long_rate_limit_is_not_slept_through() -> None:
    """A wait beyond the cap becomes a switch, one at the cap does not."""
    limited = Failure(K.RATE_LIMITED, "text", retry_after_s=60)
    assert limited.action_within(60) is A.RETRY
    assert limited.action_within(59.9) is A.SWITCH
    assert Failure(K.AUTH, "text", retry_after_s=1).action_within(60) is A.SWITCH
