"""Golden cases: what a real command line printed, and what it means; a case is a folder.

A folder `tests/agents/<agent>/<case>/` holds `stdout`, `stderr` and `case.json`: how it was seen,
the exit code, the instant, and what is expected. `evidence` is expected where a second rule would
come to the same kind: the case is then about the first one (`test_rules_matter.py`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from undaunted.agents.agent import AgentResult
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.codex_output import CodexReader
from undaunted.agents.copilot_output import CopilotReader
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.opencode_output import OpencodeReader
from undaunted.agents.reader import Ending

HERE = Path(__file__).parent
READERS = {
    "claude": ClaudeReader,
    "codex": CodexReader,
    "copilot": CopilotReader,
    "gemini": GeminiReader,
    "opencode": OpencodeReader,
}
CASES = sorted(path.parent for path in HERE.glob("*/*/case.json"))


def read(folder: Path, case: dict[str, Any]) -> AgentResult:
    reader = READERS[folder.parent.name]()
    stdout, stderr = (folder / "stdout").read_bytes(), (folder / "stderr").read_bytes()
    for line in stdout.splitlines():
        reader.feed(line)
    for line in stderr.splitlines():
        reader.feed_stderr(line)
    ending = Ending(case["exit_code"], stdout.decode(), stderr.decode(), case["text_mode"])
    return reader.conclude(ending, now=datetime.fromisoformat(case["now"]), tz=UTC)


def understood(result: AgentResult, expected: dict[str, Any]) -> dict[str, Any]:
    """What was understood, in the words of a case's `expected`."""
    seen: dict[str, Any] = {
        "kind": str(result.failure.kind) if result.failure else "success",
        "inner_retries": result.inner_retries,
    }
    if result.failure is None:
        seen["content"] = result.content
    else:
        seen["action"] = str(result.failure.action)
        seen["source"] = result.failure.evidence.split(":")[0]
        if "evidence" in expected:
            seen["evidence"] = result.failure.evidence
        if result.failure.resets_at is not None:
            seen["resets_at"] = result.failure.resets_at.isoformat()
    if result.permission_denials:
        seen["denied"] = [denial.tool for denial in result.permission_denials]
    return seen


@pytest.mark.parametrize("folder", CASES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_golden_case(folder: Path) -> None:
    """A recorded run is understood as its case says."""
    case = json.loads((folder / "case.json").read_text())
    assert understood(read(folder, case), case["expected"]) == case["expected"]


@pytest.mark.parametrize("agent", sorted(READERS))
def test_every_agent_has_cases(agent: str) -> None:
    """An agent is known by at least fifteen recorded runs."""
    assert len([c for c in CASES if c.parent.name == agent]) >= 15


def test_success_gives_usage_cost_and_session() -> None:
    """What claude says of tokens, money and its session is read."""
    folder = HERE / "claude" / "success-after-tool"
    result = read(folder, json.loads((folder / "case.json").read_text()))
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (24, 14)
    assert result.cost_usd == pytest.approx(0.00047)
    assert result.agent_session_id == "0dcf173a-b993-4b39-9b1e-f606c064442f"


def test_gemini_usage_in_both_formats() -> None:
    """Tokens are read from the stream's result and from the one JSON document."""
    for case, tokens in (("success-after-tool", (24, 14)), ("stream-ended-early-json", (12, 7))):
        folder = HERE / "gemini" / case
        result = read(folder, json.loads((folder / "case.json").read_text()))
        assert result.usage is not None
        assert (result.usage.input_tokens, result.usage.output_tokens) == tokens
