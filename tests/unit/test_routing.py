"""Every choice and every passing-over says why."""

from __future__ import annotations

from datetime import UTC, datetime

from undaunted.routing import Choice, Option, Skip, decide, logins_of, usable_now

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_first() -> None:
    """The first agent is chosen for being the first."""
    assert decide(Option(agent="a"), before=[]) == Choice("a", "first in the configured order")


def test_next_says_why_the_others_are_out() -> None:
    """A later agent is chosen because of what became of those before it."""
    choice = decide(Option(agent="b"), before=[("a", "failed (auth)")])
    assert choice == Choice("b", "next in order: a failed (auth)")


def test_missing_program() -> None:
    """An agent that can't be started is passed over without a time of return."""
    option = Option(agent="a", missing="a is not on PATH", closed_reason="open", back_at=AT)
    assert decide(option, before=[]) == Skip("a", "a is not on PATH")
    assert not usable_now(option)


def test_open_breaker() -> None:
    """An agent whose breaker is open is passed over until its time."""
    option = Option(agent="a", closed_reason="rate_limited; back in 2m", back_at=AT)
    assert decide(option, before=[]) == Skip("a", "rate_limited; back in 2m", AT)
    assert not usable_now(option)


def test_probe() -> None:
    """The attempt that probes a half-open breaker says so."""
    choice = decide(Option(agent="a", probe=True), before=[])
    assert isinstance(choice, Choice)
    assert choice.reason.endswith("this is the probe")


def test_the_usual_login_alone() -> None:
    """`agent/default` is the usual login, where `agent` would be all of them."""
    known = ("claude", "claude/work", "codex/default-2")
    assert logins_of(("claude/default",), known) == ("claude",)
    assert logins_of(("claude",), known) == ("claude", "claude/work")
