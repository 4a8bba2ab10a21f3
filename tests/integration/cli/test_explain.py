"""`undaunted explain`, on recorded runs of the real agents (tests/data/README.md)."""

from __future__ import annotations

import json
import subprocess

import pytest

from integration.cli.shell import Shell
from needs import ROOT
from undaunted.cli.exit_codes import ExitCode

RECORDED = [
    json.loads(line) for line in (ROOT / "tests/data/cli_runs.jsonl").read_text().splitlines()
]
FIELDS = [
    "kind", "action", "retry_after_s", "resets_at", "counts_for_breaker", "message", "evidence",
]  # fmt: skip


def _explained(shell: Shell, rows: list[object]) -> list[dict[str, object]]:
    done = shell.run("explain", "--jsonl", "-", stdin="".join(json.dumps(r) + "\n" for r in rows))
    assert done.returncode == ExitCode.DONE, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_recorded_runs_are_explained_as_they_were_labelled(shell: Shell) -> None:
    """A line out for each line in, in order; kind and action are right for 98 %."""
    told = _explained(shell, RECORDED)
    assert [list(line) for line in told] == [FIELDS] * len(RECORDED)
    pairs = list(zip(told, RECORDED, strict=True))
    kinds = sum(line["kind"] in row["accepted_kinds"] for line, row in pairs)
    actions = sum(line["action"] in row["expected_action"].split("|") for line, row in pairs)
    assert kinds >= 0.98 * len(RECORDED)
    assert actions >= 0.98 * len(RECORDED)
    assert not (shell.folder.parent / "data").exists()


def test_a_single_run_reads_the_same(shell: Shell) -> None:
    """Files and flags give what the same row gives, as JSON and as a table."""
    row = next(r for r in RECORDED if r["cli"] == "gemini" and r["exit_code"] != 0)
    (shell.folder / "err").write_text(row["stderr"])
    arguments = ["explain", "--agent", "gemini", "--exit-code", str(row["exit_code"])]
    arguments += ["--stdout", "-", "--stderr", "err"]
    (expected,) = _explained(shell, [row])
    done = shell.run(*arguments, "--json", stdin=row["stdout"])
    assert json.loads(done.stdout) == expected
    table = shell.run(*arguments, stdin=row["stdout"]).stdout
    assert table.splitlines()[0].split() == ["kind", str(expected["kind"])]


def test_a_line_is_answered_at_once(shell: Shell) -> None:
    """Behind a pipe that stays open each line is explained before the next one comes."""
    with subprocess.Popen(
        shell.argv("explain", "--jsonl", "-"),
        env=shell.env,
        cwd=shell.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(b'{"cli": "claude", "message": "Credit balance is too low"}\n')
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["kind"] == "billing"
        process.stdin.close()
        assert process.wait(timeout=60) == ExitCode.DONE


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "--agent"),
        (["--agent", "clyde"], "known are claude, gemini"),
        (["--agent", "claude", "--stdout", "nowhere"], "nowhere"),
        (["--agent", "claude", "--stdout", "-", "--stderr", "-"], "only one"),
        (["--jsonl", "nowhere"], "nowhere"),
        (["--jsonl", "-", "--agent", "claude"], "stands alone"),
    ],
)
def test_wrong_usage_says_what_would_do(shell: Shell, arguments: list[str], hint: str) -> None:
    """Exit 2 with a text that helps."""
    done = shell.run("explain", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert hint in done.stderr
