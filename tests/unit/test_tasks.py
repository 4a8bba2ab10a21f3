"""States change as the table says and in no other way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undaunted.tasks import (
    FINAL_STATES,
    IllegalTransitionError,
    TaskState,
    Usage,
    check_transition,
)

ALLOWED = {
    (None, "queued"),
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "waiting"),
    ("running", "queued"),
    ("waiting", "queued"),
    ("waiting", "cancelled"),
    ("waiting", "failed"),
}


@pytest.mark.parametrize("current", [None, *TaskState])
@pytest.mark.parametrize("new", list(TaskState))
def test_transitions(current: TaskState | None, new: TaskState) -> None:
    """Exactly the transitions of the table are allowed."""
    if (current, new) in ALLOWED:
        check_transition(current, new)
    else:
        with pytest.raises(IllegalTransitionError):
            check_transition(current, new)


def test_final_states_are_never_left() -> None:
    """Nothing leads out of a final state."""
    assert {current for current, _ in ALLOWED}.isdisjoint(FINAL_STATES)


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=2, max_size=6))
def test_usage_adds_up(counts: list[int | None]) -> None:
    """A sum of usages is the sum of what was said; it is None only if nobody said anything."""
    total = Usage()
    for count in counts:
        total = total + Usage(count, count)
    said = [c for c in counts if c is not None]
    assert total.input_tokens == (sum(said) if said else None)
    assert total.cached_input_tokens is None
