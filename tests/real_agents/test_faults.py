"""Every fault of the model API, as each real agent reports it, gets a kind that is right for it."""

from __future__ import annotations

import pytest

from real_agents.desk import Desk

pytestmark = [pytest.mark.real_agents, pytest.mark.needs("claude", "gemini")]

BROKEN = {"broken_response", "network", "server_error"}

ACCEPTED_KINDS = {
    "400": {"invalid_request"},
    "400-context": {"context_too_long"},
    "400-key": {"auth"},
    "402": {"billing"},
    "403": {"auth", "permission"},
    "404": {"not_found"},
    "408": {"network", "server_error"},
    "413": {"context_too_long", "invalid_request"},
    "429-quota": {"billing", "quota_exhausted", "rate_limited"},
    "502": {"server_error"},
    "503": {"overloaded", "server_error"},
    "529": {"overloaded", "server_error"},
    "cut": BROKEN,
    "cut-clean": BROKEN,
    "empty": BROKEN,
    "end-early": BROKEN,
    "html": BROKEN,
    "malformed": BROKEN,
    "refused": {"network"},
    "reset": {"network"},
    # Claude Code takes the error object of the stream for what it names: an overload.
    "stream-error": BROKEN | {"overloaded"},
}

# Gemini CLI retries these inside itself for 15 to 20 s, and how its words are read differs from
# the 500 and the refusal of test_fallback.py by one sentence: they have golden cases instead.
TOO_SLOW_WITH_GEMINI = {"502", "503", "529", "refused", "reset"}


@pytest.mark.parametrize(
    ("agent", "fault"),
    [
        *(("claude", fault) for fault in ACCEPTED_KINDS),
        *(("gemini", fault) for fault in ACCEPTED_KINDS if fault not in TOO_SLOW_WITH_GEMINI),
    ],
)
async def test_kind(desk: Desk, agent: str, fault: str) -> None:
    """The kind fits the fault, and the evidence says where it was read."""
    await desk.apis[agent].set_fault(fault)
    run = await desk.run("Say hello.", "--agents", agent, "--attempts", "1")
    assert run.status in {1, 75}, run.stderr
    assert len(run.attempts) == 1
    attempt = run.attempts[0]
    assert attempt["kind"] in ACCEPTED_KINDS[fault], attempt
    assert attempt["evidence"].startswith(("result event: ", "error event: "))
    assert attempt["message"] in run.task["error"]["details"]["message"]
