"""Rows of recorded runs: what is wrong with one does not stop the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper

import pytest

from undaunted.agents.claude_output import ClaudeReader
from undaunted.cli.explain_lines import Reference, explain_lines

REFERENCE = Reference({"claude": ClaudeReader}, 60.0, datetime(2026, 1, 1, tzinfo=UTC))
LIMIT = "You've hit your session limit · resets 3pm"


def _explain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *rows: object
) -> tuple[int, list[dict[str, object]]]:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\n".join(lines))))
    wrong = explain_lines("-", REFERENCE)
    return wrong, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        (b"not json", "no JSON"),
        (b"\xff\xfe{", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        ([], "no JSON object"),
        ({"message": "x"}, "no agent ''"),
        ({"cli": "codex", "message": "x"}, "no agent 'codex'; known are claude"),
        ({"cli": ["claude"], "message": "x"}, "cli is no text"),
        ({"cli": "claude"}, "neither a message nor"),
        ({"cli": "claude", "message": 5}, "message is no text"),
        ({"cli": "claude", "exit_code": "1"}, "exit_code is no whole number"),
        ({"cli": "claude", "exit_code": True}, "exit_code is no whole number"),
        ({"cli": "claude", "exit_code": 1, "stdout": 5}, "stdout is no text"),
        ({"cli": "claude", "message": "x", "now": "noon"}, "no ISO 8601 instant"),
        ({"cli": "claude", "message": "x", "tz": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"cli": "claude", "message": "x", "tz": "../../etc/passwd"}, "no time zone"),
    ],
)
def test_a_row_that_is_wrong_is_named_and_passed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: object, hint: str
) -> None:
    """Its line says which it was and why; the next row is explained."""
    good = {"cli": "claude", "message": "Credit balance is too low"}
    wrong, told = _explain(monkeypatch, capsys, good, row, good)
    assert wrong == 1
    assert [line.get("kind") for line in told] == ["billing", None, "billing"]
    assert str(told[1]["error"]).startswith("line 2: ")
    assert hint in str(told[1]["error"])


def test_nulls_and_blank_lines_are_fine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody saw the process end, and it printed nothing; a blank line is no row."""
    row = {"cli": "claude", "exit_code": None, "stdout": None, "stderr": None, "mode": None}
    wrong, told = _explain(monkeypatch, capsys, row, b"", b"  ")
    assert (wrong, len(told)) == (0, 1)


def test_the_mode_decides_whether_stdout_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text on stdout is an answer in text mode, and nothing in the others."""
    row = {"cli": "claude", "exit_code": 0, "stdout": "Hello!\n", "stderr": ""}
    modes = ["text", "json"]
    _, told = _explain(monkeypatch, capsys, *({**row, "mode": mode} for mode in modes))
    assert (told[0]["kind"], told[0]["action"]) == ("success", "done")
    assert told[1]["kind"] != "success"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"now": "2026-06-01T12:00:00Z", "tz": "UTC"}, "2026-06-01T15:00:00.000Z"),
        ({"now": "2026-06-01T12:00:00", "tz": "America/New_York"}, "2026-06-01T19:00:00.000Z"),
        ({"now": "2026-06-01T16:00:00", "tz": "UTC"}, "2026-06-02T15:00:00.000Z"),
    ],
)
def test_a_row_may_say_when_and_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    expected: str,
) -> None:
    """A clock time means the next one in that zone; an instant without an offset is in it too."""
    _, told = _explain(monkeypatch, capsys, {"cli": "claude", "message": LIMIT, **given})
    assert told[0]["resets_at"] == expected
