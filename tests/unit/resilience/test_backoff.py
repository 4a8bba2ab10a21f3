from __future__ import annotations

import math

import pytest

from undaunted.resilience import Exponential, jittered


def test_the_documents_delays() -> None:
    """1, 2, 4, ... seconds, and never more than 60."""
    assert [Exponential()(n) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("attempt", [2000, 10**9, 10**400])
@pytest.mark.parametrize("factor", [2, 2.0, 1.0000001, 10**6])
def test_no_attempt_is_too_late(attempt: int, factor: float) -> None:
    """The bound is reached, not an overflow, and at once also with integer factors."""
    assert 1.0 <= Exponential(factor=factor)(attempt) <= 60.0


def test_a_shrinking_delay_goes_to_nothing() -> None:
    """A factor below 1 is a legal, if odd, choice of the document's `exponential_base`."""
    shrinking = Exponential(factor=0.5)
    assert [shrinking(1), shrinking(2), shrinking(10**9), shrinking(10**400)] == [1, 0.5, 0, 0]


def test_no_base_means_no_delay() -> None:
    """Zero stays zero however often it is doubled."""
    assert [Exponential(base_s=0)(n) for n in (1, 5, 10**9)] == [0, 0, 0]


def test_attempts_are_counted_from_one() -> None:
    """There is no delay before the first attempt."""
    with pytest.raises(ValueError, match="counted from 1"):
        Exponential()(0)


@pytest.mark.parametrize(
    "wrong",
    [{"base_s": -1}, {"factor": 0}, {"max_s": -1}, {"max_s": math.inf}, {"base_s": math.nan}],
)
def test_settings_without_a_meaning_are_refused(wrong: dict[str, float]) -> None:
    """Negative and infinite numbers are told when the backoff is made."""
    with pytest.raises(ValueError, match="backoff needs"):
        Exponential(**wrong)


@pytest.mark.parametrize(
    ("jitter", "least", "middle"), [("full", 0, 4), ("equal", 4, 6), ("none", 8, 8)]
)
def test_jitter_spreads_a_delay(jitter: str, least: float, middle: float) -> None:
    """Full over [0, d], equal over [d/2, d], none not at all."""
    assert jittered(8, jitter, lambda: 0.0) == least  # type: ignore[arg-type]
    assert jittered(8, jitter, lambda: 0.5) == middle  # type: ignore[arg-type]


def test_an_unknown_jitter_is_told() -> None:
    """The text names the ones there are."""
    with pytest.raises(ValueError, match="equal, full, none"):
        jittered(1, "fuzzy", lambda: 0.0)  # type: ignore[arg-type]
