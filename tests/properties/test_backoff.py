from __future__ import annotations

import math
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from undaunted.resilience import Exponential, Jitter, jittered, parse_retry_after

seconds = st.floats(min_value=0, max_value=1e6)
factors = st.floats(min_value=0.01, max_value=1e6) | st.integers(min_value=1, max_value=10**6)
attempts = st.integers(min_value=1, max_value=10**12) | st.just(10**400)
backoffs = st.builds(Exponential, base_s=seconds, factor=factors, max_s=seconds)
randoms = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(backoffs, attempts)
def test_a_delay_is_a_finite_number_within_its_bounds(backoff: Exponential, attempt: int) -> None:
    """[0, max_s] at every attempt, with no overflow."""
    assert 0 <= backoff(attempt) <= backoff.max_s


@given(
    st.builds(Exponential, base_s=seconds, factor=st.floats(1, 1e6), max_s=seconds),
    attempts,
    attempts,
)
def test_delays_never_shrink_with_a_factor_of_one_or_more(
    backoff: Exponential, one: int, other: int
) -> None:
    """A later attempt waits at least as long."""
    earlier, later = sorted((one, other))
    assert backoff(earlier) <= backoff(later)


@given(
    st.builds(Exponential, base_s=seconds, factor=st.integers(1, 10), max_s=st.floats(0, 1e9)),
    st.integers(min_value=1, max_value=60),
)
def test_a_delay_is_the_formulas(backoff: Exponential, attempt: int) -> None:
    """min(base * factor ** (attempt - 1), max), calculated exactly here."""
    exact = backoff.base_s * backoff.factor ** (attempt - 1)
    assert math.isclose(backoff(attempt), min(exact, backoff.max_s), rel_tol=1e-9)


@given(seconds, randoms, st.sampled_from(["full", "equal", "none"]))
def test_jitter_keeps_its_bounds(delay_s: float, random: float, jitter: Jitter) -> None:
    """Full in [0, d], equal in [d/2, d], none d itself."""
    least = {"full": 0.0, "equal": delay_s / 2, "none": delay_s}[jitter]
    assert least <= jittered(delay_s, jitter, lambda: random) <= delay_s


@given(st.floats(min_value=0.001, max_value=1e6), st.sampled_from(["full", "equal"]), randoms)
def test_jitter_grows_with_its_random_number(delay_s: float, jitter: Jitter, random: float) -> None:
    """Uniform numbers in give uniform delays out: the mapping is a straight line."""
    ends = [jittered(delay_s, jitter, lambda u=u: u) for u in (0.0, 1.0)]
    expected = ends[0] + (ends[1] - ends[0]) * random
    assert math.isclose(jittered(delay_s, jitter, lambda: random), expected, abs_tol=1e-9)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ [A-Z+\-\d]+"))
def test_no_retry_after_value_breaks_the_parser(value: str) -> None:
    """Whatever a server sends, it is a finite time of 0 or more, or nothing."""
    parsed = parse_retry_after(value, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert parsed is None or (math.isfinite(parsed) and parsed >= 0)


instants = st.integers(min_value=600_000_000, max_value=3_700_000_000)  # 1989 to 2087


@given(instants, st.integers(0, 10**6))
def test_a_date_is_measured_from_now(now_s: int, ahead_s: int) -> None:
    """An HTTP date so many seconds ahead asks for so many seconds."""
    now, at = (datetime.fromtimestamp(instant, UTC) for instant in (now_s, now_s + ahead_s))
    value = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert parse_retry_after(value, now=lambda: now) == ahead_s
