"""`undaunted doctor`, with programs on PATH that print what real ones print."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.cli.shell import Shell
from undaunted.agents.claude import ClaudeAgent
from undaunted.cli.exit_codes import ExitCode

TESTED = ClaudeAgent.tested_version
FLAGS = (
    "--input-format --output-format --verbose --include-partial-messages --session-id --model"
    " --permission-mode --disallowedTools"
)
REFUSED = {"is_error": True, "api_error_status": 401, "result": "Invalid API key"}


@dataclass(frozen=True)
class Programs:
    """The only programs on the shell's PATH."""

    folder: Path

    def add(
        self,
        name: str,
        *,
        version: str = TESTED,
        flags: str = FLAGS,
        result: dict[str, Any] | None = None,
    ) -> Path:
        """Puts a program there that tells its version and flags, and ends a task with `result`."""
        event = {
            "type": "result",
            "subtype": "success",
            **(result or {"is_error": False, "result": "OK"}),
        }
        path = self.folder / name
        path.write_text(
            f"#!{sys.executable} -IS\n"
            "import sys\n"
            f"said = {{'--version': {version!r}, '--help': {flags!r}}}\n"
            f"print(said.get(sys.argv[-1], {json.dumps(event)!r}))\n"
        )
        path.chmod(0o700)
        return path


@pytest.fixture
def programs(shell: Shell, tmp_path: Path) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    shell.env |= {"PATH": str(folder), "ANTHROPIC_API_KEY": "sk-ant-none"}
    return Programs(folder)


def look(shell: Shell, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and what is found of claude."""
    done = shell.run("doctor", "--json", *arguments)
    assert done.stderr == ""
    return done.returncode, next(f for f in json.loads(done.stdout) if f["agent"] == "claude")


def test_an_agent_that_is_ready(shell: Shell, programs: Programs) -> None:
    """Where it is, its version, its credential; the others are named as not installed."""
    program = programs.add("claude", version=f"{TESTED} (Claude Code)")
    done = shell.run("doctor")
    assert (done.returncode, done.stderr) == (ExitCode.DONE, "")
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert [*rows] == ["AGENT", "claude", "gemini", "copilot", "codex", "opencode"]
    assert rows["claude"].split() == [
        *("claude", "yes", TESTED, "key:", "ANTHROPIC_API_KEY", str(program)),
    ]
    assert rows["codex"].split(maxsplit=4)[1:] == ["no", "-", "-", "codex is not on PATH"]


def test_as_json(shell: Shell, programs: Programs) -> None:
    """Every fact has a field, and all is well: there is no note."""
    program = programs.add("claude")
    assert look(shell) == (
        ExitCode.DONE,
        {
            "agent": "claude",
            "ready": True,
            "usable": True,
            "where": str(program),
            "version": TESTED,
            "tested_version": TESTED,
            "version_state": "tested",
            "missing_flags": [],
            "credential": {"kind": "key", "source": "ANTHROPIC_API_KEY", "withheld": []},
            "breaker": "closed",
            "probe": None,
            "notes": [],
        },
    )


@pytest.mark.parametrize(
    ("version", "state", "note"),
    [
        ("2.999.0", "newer", f"version 2.999.0 is newer than the tested {TESTED}"),
        ("2.0.1", "older", f"version 2.0.1 is older than the tested {TESTED}"),
        ("v3.0.0-rc.1", "other_major", "version 3.0.0 is of another major than the tested"),
        ("nightly", "unknown", f"it does not say its version; {TESTED} was tested"),
    ],
)
def test_versions(shell: Shell, programs: Programs, version: str, state: str, note: str) -> None:
    """A version that was not tested is told, and used all the same."""
    programs.add("claude", version=version)
    status, found = look(shell)
    assert (status, found["version_state"]) == (ExitCode.DONE, state)
    assert [told.startswith(note) for told in found["notes"]] == [True]
    assert f"claude: {note}" in shell.run("doctor").stderr


def test_a_flag_that_is_gone(shell: Shell, programs: Programs) -> None:
    """Flags that undaunted uses and the help does not name are told."""
    programs.add("claude", flags=FLAGS.replace("--verbose ", "").replace("--model", "--models"))
    _, found = look(shell)
    assert found["missing_flags"] == ["--model", "--verbose"]
    assert found["notes"] == ["its help does not name --model, --verbose, which undaunted uses"]


def test_no_credential(shell: Shell, programs: Programs) -> None:
    """Without a login that can be seen no agent is ready, and that is said."""
    programs.add("claude")
    del shell.env["ANTHROPIC_API_KEY"]
    status, found = look(shell)
    assert (status, found["ready"], found["credential"]) == (ExitCode.NONE_USABLE, False, None)
    assert found["notes"][0].startswith("no credential was found in its usual places")


def test_a_key_beside_a_subscription(shell: Shell, programs: Programs) -> None:
    """The subscription is used, and the key that is kept from the program is named."""
    programs.add("claude")
    shell.env["CLAUDE_CODE_OAUTH_TOKEN"] = "none"
    _, found = look(shell)
    assert found["credential"] == {
        "kind": "subscription",
        "source": "CLAUDE_CODE_OAUTH_TOKEN",
        "withheld": ["ANTHROPIC_API_KEY"],
    }
    assert found["notes"][0].startswith("ANTHROPIC_API_KEY is kept from it")


def test_a_program_that_does_not_start(shell: Shell, programs: Programs) -> None:
    """What the system says of it is told; the agent is not ready."""
    programs.add("claude").write_text("#!/nonexistent/interpreter\n")
    status, found = look(shell)
    assert (status, found["usable"], found["ready"]) == (ExitCode.NONE_USABLE, True, False)
    assert found["notes"][0].startswith("its program can't be asked: ")


def test_the_ones_that_were_named(shell: Shell, programs: Programs) -> None:
    """Only they are looked at, and the status is about each of them."""
    programs.add("claude")
    assert shell.run("doctor", "claude").returncode == ExitCode.DONE
    done = shell.run("doctor", "claude", "codex")
    assert done.returncode == ExitCode.NONE_USABLE
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["AGENT", "claude", "codex"]
    assert "codex: codex is not on PATH" in done.stderr


def test_an_unknown_agent(shell: Shell, programs: Programs) -> None:
    """Exit 2, and the known names."""
    for name in ("clyde", "claude/work"):
        done = shell.run("doctor", name)
        assert done.returncode == ExitCode.USAGE
        assert name in done.stderr
        assert "claude" in done.stderr.replace(name, "")


def test_the_probe_is_a_task(shell: Shell, programs: Programs) -> None:
    """It asks the agent for one word, and only with --probe."""
    programs.add("claude")
    assert look(shell)[1]["probe"] is None
    assert shell.json("tasks") == []
    status, found = look(shell, "--probe", "claude")
    assert (status, found["ready"], found["probe"]["state"]) == (ExitCode.DONE, True, "succeeded")
    [task] = shell.json("tasks")
    assert task["task_id"] == found["probe"]["task_id"]


def test_a_probe_that_fails(shell: Shell, programs: Programs) -> None:
    """What can't be seen from outside shows: the agent is not ready, its breaker open."""
    programs.add("claude", result=REFUSED)
    status, found = look(shell, "--probe", "claude")
    assert (status, found["ready"]) == (ExitCode.NONE_USABLE, False)
    assert found["notes"][0].startswith("the probe failed: ")
    assert "Invalid API key" in found["notes"][0]
    status, found = look(shell, "claude")
    assert (status, found["breaker"]) == (ExitCode.NONE_USABLE, "open")
    assert found["notes"][0].startswith("its circuit breaker is open: auth")
