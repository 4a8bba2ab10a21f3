"""An agent that announces a long wait of its own is ended; a short one is left alone."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from agent_requests import REQUEST
from living import marked
from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.long_wait import LongWaitError, wait_failure
from undaunted.agents.process import ProcessSpec, run_process
from undaunted.agents.reading_run import run_and_read
from undaunted.agents.rules import RuleSet, TextRule
from undaunted.failures import FailureKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# As Claude Code 2.1.197 announces its retries (recorded); then it waits, or has an answer.
PROGRAM = """
import json, sys, time
sys.stdin.read()
retry = json.loads(sys.argv[1])
init = {"type": "system", "subtype": "init", "session_id": "s-1", "model": "m"}
event = {"type": "system", "subtype": "api_retry", "attempt": 1, "session_id": "s-1", **retry}
print(json.dumps(init) + "\\n" + json.dumps(event), flush=True)
if retry["retry_delay_ms"] > 60_000:
    time.sleep(3600)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "done"}))
"""


async def run(tmp_path: Path, delay_ms: int, error: str, status: int | None) -> AgentResult:
    retry = {"retry_delay_ms": delay_ms, "error": error, "error_status": status}
    context = CliContext(
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
        data_folder=tmp_path,
        run_process=run_process,
        now=lambda: NOW,
        max_reset=timedelta(days=8),
    )
    program = (sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps(retry))
    request = replace(REQUEST, token=uuid4().hex, cwd=str(tmp_path), longest_wait_s=60.0)
    result = await ClaudeAgent(context, program=program).run(
        request, sink=lambda *_: None, notify=lambda _: None
    )
    assert marked(request.token) == []
    return result


async def test_a_long_wait_is_not_waited_for(tmp_path: Path) -> None:
    """The run ends at once, as limited until the time that the agent named; nothing lives on."""
    result = await run(tmp_path, 7_200_000, "rate_limit", 429)
    assert result.failure is not None
    assert result.failure.kind == "rate_limited"
    assert result.failure.resets_at == NOW + timedelta(hours=2)
    assert "it would wait for 2h by itself" in result.failure.message
    assert (result.inner_retries, result.agent_session_id) == (1, "s-1")


async def test_a_short_wait_is(tmp_path: Path) -> None:
    """A wait that is no longer than a retry may be is the agent's own affair."""
    result = await run(tmp_path, 60_000, "rate_limit", 429)
    assert (result.content, result.inner_retries) == ("done", 1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [("server_error", "rate_limited"), ("", "rate_limited"), ("billing_error", "billing")],
)
async def test_what_it_is_taken_for(tmp_path: Path, error: str, kind: str) -> None:
    """A reason that keeps an agent out is that; with any other it is out for the time it named."""
    result = await run(tmp_path, 7_200_000, error, None)
    assert result.failure is not None
    assert result.failure.kind == kind


def test_a_wait_without_end() -> None:
    """Of an agent that sees no end the words decide; no time is made up."""
    rules = RuleSet(specific=(TextRule(FailureKind.NETWORK, "waiting for network"),))
    for text, kind in (("waiting for network", "network"), ("hm", "unknown")):
        wait = LongWaitError(text, math.inf)
        failure = wait_failure(rules, wait, now=NOW, max_ahead=timedelta(days=8))
        assert (failure.kind, failure.retry_after_s, failure.resets_at) == (kind, None, None)
        assert "without end" in failure.message


async def test_a_wait_beyond_belief(tmp_path: Path) -> None:
    """A wait of a year closes the agent for the longest time that is believed."""
    result = await run(tmp_path, 365 * 86_400_000, "rate_limit", 429)
    assert result.failure is not None
    assert result.failure.resets_at == NOW + timedelta(days=8)


async def test_an_answer_outlives_a_wait_that_nobody_waits(tmp_path: Path) -> None:
    """A last line on stderr without its end is read when the program has ended: it ends nothing."""

    class Reader(ClaudeReader):
        def feed_stderr(self, line: bytes) -> RunNotice | None:
            return RunNotice("inner_retry", line.decode(), wait_s=7200)

    def impatient(notice: RunNotice) -> None:
        raise LongWaitError(notice.text, 7200)

    code = "import sys; print('{}'); sys.stderr.write('retrying in 2 hours')"
    spec = ProcessSpec(
        argv=(sys.executable, "-I", "-S", "-c", code),
        env={},
        cwd=str(tmp_path),
        timeout_s=60,
        idle_timeout_s=60,
    )
    ended = await run_and_read(
        spec, Reader(), run_process=run_process, sink=lambda *_: None, notify=impatient
    )
    assert ended.exit_code == 0
