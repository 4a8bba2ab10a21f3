"""When one real agent is out, the other answers, and the next run remembers."""

from __future__ import annotations

import json

import pytest

from real_agents.desk import GEMINI_MODEL, Desk

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("claude", "gemini")]

BOTH_ORDERS = pytest.mark.parametrize(
    ("first", "second"), [("claude", "gemini"), ("gemini", "claude")]
)
KEYS = {"claude": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}


@BOTH_ORDERS
async def test_rejected_key(desk: Desk, first: str, second: str) -> None:
    """A rejected key hands over; the next run skips that agent at once, until its key changes."""
    order = ("--agents", f"{first},{second}")
    await desk.apis[first].set_fault("401")
    run = await desk.run("Say hello.", *order)
    assert run.status == 0, run.stderr
    assert run.task["content"] == f"says {second}"
    assert run.course == [(first, "auth"), (second, "succeeded")]
    assert run.task["switches"] == 1

    desk.apis[first].forget()
    run = await desk.run("Say hello.", *order)
    assert run.status == 0, run.stderr
    assert run.course == [(second, "succeeded")]
    assert f"{first} is out (auth" in run.attempts[0]["reason_chosen"]
    assert "not tried: auth" in run.stderr
    assert desk.apis[first].requests == []

    await desk.apis[first].set_fault("ok")
    desk.env[KEYS[first]] += "-renewed"
    run = await desk.run("Say hello.", *order)
    assert run.status == 0, run.stderr
    assert run.course == [(first, "succeeded")]


async def test_reset(desk: Desk) -> None:
    """An agent that a person has to bring back is refused, shown, and back after a reset."""
    only = ("--agents", "gemini")
    await desk.apis["gemini"].set_fault("401")
    assert (await desk.run("Say hello.", *only)).course == [("gemini", "auth")]

    await desk.apis["gemini"].set_fault("ok")
    run = await desk.run("Say hello.", *only)
    assert run.status == 69, run.stderr
    assert run.attempts == []

    status, stdout, stderr, _ = await (await desk.undaunted("agents", "--json")).ended()
    assert status == 0, stderr
    breakers = {(report["agent"], report["model"]): report for report in json.loads(stdout)}
    shown = breakers["gemini", GEMINI_MODEL]
    assert shown["breaker"]["state"] == "open"
    assert shown["breaker"]["reason"].startswith("auth")

    status, _, stderr, _ = await (await desk.undaunted("agents", "reset", "gemini")).ended()
    assert status == 0, stderr
    run = await desk.run("Say hello.", *only)
    assert run.status == 0, run.stderr


async def test_claude_is_down(desk: Desk) -> None:
    """A service that is down is asked again as often as allowed, then the next agent answers."""
    await desk.apis["claude"].set_fault("500")
    run = await desk.run("Say hello.", "--attempts", "2")
    assert run.status == 0, run.stderr
    assert run.task["content"] == "says gemini"
    assert run.course == [
        ("claude", "server_error"),
        ("claude", "server_error"),
        ("gemini", "succeeded"),
    ]
    assert [attempt["action"] for attempt in run.attempts] == ["retry", "switch", "done"]
    assert len(desk.prompts("claude")) == 6, "one request and two inner retries an attempt"


async def test_both_are_down(desk: Desk) -> None:
    """Where nobody is back at a known time the run fails, and each failure is told."""
    await desk.apis["claude"].set_fault("500")
    await desk.apis["gemini"].set_fault("refused")
    run = await desk.run("Say hello.", "--attempts", "1")
    assert run.status == 1, run.stderr
    assert run.task["state"] == "failed"
    assert run.course == [("claude", "server_error"), ("gemini", "network")]
    failures = run.task["error"]["details"]["details"]["failures"]
    assert "Internal server error" in failures["claude"]
    assert "fetch failed" in failures["gemini"]
    for failure in failures.values():
        assert failure in run.task["error"]["details"]["message"]
    assert "server_error: API Error: 500" in run.stderr
    assert "network: [API Error: exception TypeError: fetch failed" in run.stderr


async def test_one_comes_back(desk: Desk) -> None:
    """Where an agent is back at a known time the exit status says so, and the error when."""
    await desk.apis["claude"].set_fault("402")
    await desk.apis["gemini"].set_fault("429-quota")
    run = await desk.run("Say hello.")
    assert run.status == 75, run.stderr
    assert run.course == [("claude", "billing"), ("gemini", "quota_exhausted")]
    assert 0 < run.task["error"]["retry_after"] <= 3600
    assert "gemini is back in" in run.task["error"]["details"]["message"]
