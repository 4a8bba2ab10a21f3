"""The text form of faults."""

from __future__ import annotations

import pytest

from undaunted.rehearsal.faults import Fault, FaultError, FaultName


@pytest.mark.parametrize("name", [n for n in FaultName if n is not FaultName.SLOW])
def test_every_name_is_a_fault(name: FaultName) -> None:
    """Each name alone is the fault of that name, for every request."""
    assert Fault.parse(name.value) == Fault(name)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429:2", Fault(FaultName.RATE_LIMITED, first=2)),
        ("429-quota:1", Fault(FaultName.QUOTA_EXHAUSTED, first=1)),
        ("429;retry-after=2", Fault(FaultName.RATE_LIMITED, retry_after_s=2)),
        ("503;retry-after=0:3", Fault(FaultName.UNAVAILABLE, retry_after_s=0, first=3)),
        ("slow:2", Fault(FaultName.SLOW, delay_s=2.0)),
        ("slow:0.5:2", Fault(FaultName.SLOW, delay_s=0.5, first=2)),
        ("slow:10", Fault(FaultName.SLOW, delay_s=10.0)),
        ("slow:0", Fault(FaultName.SLOW, delay_s=0.0)),
        ("cut-clean:1", Fault(FaultName.CUT_CLEAN, first=1)),
        (" hang ", Fault(FaultName.HANG)),
    ],
)
def test_options_are_read(text: str, fault: Fault) -> None:
    """A hint, a delay and a count each land in their field."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "429",
        "429;retry-after=7",
        "429;retry-after=7:2",
        "hang-mid:1",
        "slow:0.25:4",
        "slow:30",
    ],
)
def test_text_form_round_trips(text: str) -> None:
    """A fault's text is the text it was read from."""
    assert str(Fault.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "429-quota"),  # a wrong name is answered with all the right ones
        ("418", "no fault '418'"),
        ("429 :2", "no fault '429 '"),
        ("HANG", "no fault 'HANG'"),
        ("hang;retry-after=2", "only after a status"),
        ("429;", "retry-after=SECONDS"),
        ("429;retry-after=", "whole seconds"),
        ("429;retry-after=1.5", "whole seconds"),
        ("429;after=2", "retry-after=SECONDS"),
        ("429:0", "at least 1"),
        ("429:-1", "at least 1"),
        ("429:two", "at least 1"),
        ("429:", "at least 1"),
        ("429:1:2", "at least 1"),
        ("429:2;retry-after=2", "at least 1"),
        ("slow", "seconds per piece"),
        ("slow:", "seconds per piece"),
        ("slow:-1", "seconds per piece"),
        ("slow:nan", "seconds per piece"),
        ("slow:1:2:3", "at least 1"),
        ("ok:2", "takes no count"),
        ("refused:2", "takes no count"),
    ],
)
def test_wrong_texts_are_refused(text: str, said: str) -> None:
    """A text outside the grammar raises an error that says what is allowed."""
    with pytest.raises(FaultError, match=r"^'") as refused:
        Fault.parse(text)
    assert said in str(refused.value)


def test_fault_error_is_a_value_error() -> None:
    """Callers that know only ValueError catch it."""
    assert issubclass(FaultError, ValueError)


def test_counted_fault_ends_after_its_count() -> None:
    """`:2` holds for requests 1 and 2 and not for 3."""
    fault = Fault.parse("429:2")
    assert [fault.holds_for(n) for n in (1, 2, 3)] == [True, True, False]


def test_uncounted_fault_never_ends() -> None:
    """Without a count every request meets the fault."""
    assert Fault.parse("429").holds_for(1_000_000)


@pytest.mark.parametrize(
    ("text", "returns_after_s"), [("429-plan", 7200), ("429-plan;retry-after=600:1", 600)]
)
def test_plan_is_back_some_time(text: str, returns_after_s: int) -> None:
    """A used-up plan is back after the hint, or after two hours."""
    assert Fault.parse(text).plan_returns_after_s == returns_after_s


def test_status_is_the_number_in_front() -> None:
    """`429-quota` has status 429, `cut` has none."""
    assert FaultName("429-quota").status == 429
    assert FaultName("cut").status is None
