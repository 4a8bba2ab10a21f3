"""A run is continued in the agent's own session, or begins anew once: with a stand-in program.

The stand-in notes each start and does as the session's name says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent_requests import REQUEST
from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.continuation import continuation
from undaunted.agents.process import run_process

# Prints what Claude Code 2.1.197 prints, which was recorded for the golden cases.
PROGRAM = """
import json, os, sys
resumed = next((a[len("--resume="):] for a in sys.argv if a.startswith("--resume=")), None)
message = json.loads(sys.stdin.readline())["message"]["content"][0]["text"]
with open(os.path.join(os.environ["HOME"], "starts"), "a") as starts:
    starts.write(json.dumps([resumed, message]) + "\\n")
if resumed == "stale":
    print("No conversation found with session ID: stale", file=sys.stderr)
    sys.exit(1)
if resumed == "locked":
    print("Error: Session ID locked is already in use.", file=sys.stderr)
    sys.exit(1)
result = {"type": "result", "subtype": "success", "is_error": False, "result": "done"}
if resumed == "failing":
    result |= {"is_error": True, "result": "API Error: 500 Internal server error"}
if resumed == "quoting":
    result["result"] = "The log says: No conversation found with session ID: stale"
print(json.dumps(result | {"session_id": resumed or "new"}))
"""

Run = Callable[..., Any]


@pytest.fixture
def starts(tmp_path: Path) -> Callable[[], list[list[str | None]]]:
    """What the program was started with: the session that it was to continue, and the message."""
    return lambda: [json.loads(line) for line in (tmp_path / "starts").read_text().splitlines()]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the agent on a session, and returns its result and its notices."""
    program = tmp_path / "claude.py"
    program.write_text(PROGRAM)
    context = CliContext(
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        data_folder=tmp_path,
        run_process=run_process,
        now=lambda: datetime.now(UTC),
    )

    async def run(session: str | None, **changes: Any) -> tuple[AgentResult, list[RunNotice]]:
        agent = ClaudeAgent(context, program=(sys.executable, str(program)))
        notices: list[RunNotice] = []
        request = replace(
            REQUEST, token=uuid4().hex, cwd=str(tmp_path), timeout_s=60, idle_timeout_s=60
        )
        result = await agent.run(
            replace(request, resume_session_id=session, **changes),
            sink=lambda stream, chunk: None,
            notify=notices.append,
        )
        return result, notices

    return run


async def test_a_session_is_continued(run: Run, starts: Any) -> None:
    """The program is started once, on that session, and told to go on."""
    result, _ = await run("mine")
    assert (result.content, result.agent_session_id) == ("done", "mine")
    assert starts() == [["mine", continuation(REQUEST.prompt)]]


@pytest.mark.parametrize("session", ["stale", "locked"])
async def test_a_session_that_is_refused_begins_anew(run: Run, starts: Any, session: str) -> None:
    """A session that is gone, or that another process holds, is replaced by a new one, once."""
    result, notices = await run(session)
    assert (result.content, result.agent_session_id) == ("done", "new")
    assert starts() == [[session, continuation(REQUEST.prompt)], [None, REQUEST.prompt]]
    assert [notice.kind for notice in notices] == ["session_lost"]
    assert session in notices[0].text


@pytest.mark.parametrize(("session", "kind"), [("failing", "server_error"), ("quoting", None)])
async def test_any_other_end_stands(run: Run, starts: Any, session: str, kind: str | None) -> None:
    """A failure of another kind, or an answer that quotes the refusal, starts nothing again."""
    result, notices = await run(session)
    assert (result.failure and result.failure.kind) == kind
    assert len(starts()) == 1
    assert notices == []


async def test_an_agent_that_cant_continue_begins_anew(
    run: Run, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session means nothing to a program that has none: it gets the prompt itself."""
    monkeypatch.setattr(ClaudeAgent, "resumes", False)
    result, _ = await run("mine")
    assert result.content == "done"
    assert starts() == [[None, REQUEST.prompt]]
