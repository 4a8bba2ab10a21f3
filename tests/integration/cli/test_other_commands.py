"""`agents`, `tasks`, `show`, `config`, and what is said of wrong commands."""

from __future__ import annotations

import json

from integration.cli.shell import Shell
from undaunted.cli.exit_codes import ExitCode


def test_agents_shows_figures_and_a_breaker_that_reset_closes(shell: Shell) -> None:
    """After a key that is refused the breaker is open until a person closes it."""
    shell.fake(claude=["error", "401", "Invalid API key · Please run /login"])
    shell.run("run", "--quiet", "Hello")
    (row,) = [a for a in shell.json("agents") if a["agent"] == "claude"]
    assert row["breaker"]["state"] == "open"
    assert row["breaker"]["back_at"] is None
    assert (row["attempts"], row["successes"], row["cost_usd"]) == (1, 0, 0.25)
    table = shell.run("agents").stdout
    assert "open: auth" in table
    assert "0%" in table
    skipped = shell.run("run", "--plan", "Hello").stdout
    assert skipped.splitlines()[1].split()[:3] == ["1", "claude", "no"]

    reset = shell.run("agents", "reset", "claude")
    assert (reset.returncode, reset.stdout) == (0, "claude: 1 breaker closed and forgotten\n")
    assert {a["breaker"]["state"] for a in shell.json("agents")} == {"closed"}


def test_an_unknown_agent_cannot_be_reset(shell: Shell) -> None:
    """Exit 2, and the known names."""
    done = shell.run("agents", "reset", "clyde")
    assert done.returncode == ExitCode.USAGE
    assert "known are claude, gemini" in done.stderr


def test_tasks_and_show(shell: Shell) -> None:
    """The newest task is listed first; `show` has its attempts, its answer and its transcript."""
    assert "no task yet" in shell.run("tasks").stderr
    shell.fake(claude=["ask"])
    shell.run("run", "--quiet", "the first\nof two")
    shell.run("run", "--quiet", "the second")
    lines = shell.run("tasks").stdout.splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[1:]] == [
        "the second",
        "the first of two",
    ]
    assert len(shell.json("tasks", "--limit", "1")) == 1
    assert shell.json("tasks", "--state", "failed") == []

    first = shell.json("tasks")[1]["task_id"]
    shown = shell.run("show", first[:8]).stdout
    assert first in shown
    assert shown.endswith("\n\nthe first\nof two\n")
    assert "succeeded" in shown
    transcript = shell.run("show", "last", "--transcript").stdout
    assert "--- attempt 1, stdout\n" in transcript
    assert '"result": "the second"' in transcript
    printed = shell.json("show", "last", "--transcript")["transcript"]
    assert [(p["attempt"], p["stream"]) for p in printed] == [(1, "stdout")]


def test_a_task_that_there_is_not(shell: Shell) -> None:
    """Exit 2 and the reason; with `--json` as JSON."""
    assert "start one with: undaunted run" in shell.run("show", "last").stderr
    done = shell.run("show", "0000000000", "--json")
    assert done.returncode == ExitCode.USAGE
    assert json.loads(done.stdout)["error_code"] == "NOT_FOUND"


def test_config_show_says_where_each_setting_comes_from(shell: Shell) -> None:
    """Person, project and environment are told apart; what a project may not say is ignored."""
    shell.configure('timeout = "10m"\n')
    project = shell.folder / "undaunted.toml"
    project.write_text('attempts = 2\npermissions = "full"\n')
    shell.env["UNDAUNTED_SLOTS"] = "7"
    done = shell.run("config", "show", "--origin")
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "600.0" in rows["timeout"]
    assert "person (" in rows["timeout"]
    assert f"project ({project})" in rows["attempts"]
    assert rows["slots"].split()[1:] == ["7", "environment"]
    assert rows["deadline"].split()[1:] == ["7200.0", "default"]
    assert '"edit"' in rows["permissions"]
    assert "permissions is ignored" in done.stderr
    told = shell.json("config", "show")
    assert {"name": "attempts", "value": 2, "origin": f"project ({project})"} in told["settings"]
    assert len(told["warnings"]) == 1
    path = shell.run("config", "path").stdout.splitlines()
    assert str(project) in path[1]
    assert path[1].endswith("found")
    assert path[3].endswith("not there")


def test_the_program_itself(shell: Shell) -> None:
    """Version and help work without a store; a near miss of a command is helped."""
    assert shell.run("--version").stdout.startswith("undaunted ")
    assert "Examples:" in shell.run("--help").stdout
    done = shell.run("taks")
    assert done.returncode == ExitCode.USAGE
    assert "tasks" in done.stderr
