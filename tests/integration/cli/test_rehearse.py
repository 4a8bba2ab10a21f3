"""`undaunted rehearse`: the real programs, a model API that fails, and nothing left of it."""

from __future__ import annotations

import json

import pytest

from integration.cli.shell import Shell
from living import marked
from needs import agents_path
from undaunted.cli.exit_codes import ExitCode


@pytest.fixture
def on_stage(shell: Shell) -> Shell:
    """A shell on whose PATH the real agents are; claude is first in the order, then codex."""
    shell.env |= {"PATH": agents_path(), "UNDAUNTED_ORDER": "claude,codex"}
    shell.env["ANTHROPIC_API_KEY"] = "sk-ant-the-persons-own"
    return shell


@pytest.mark.real_agents
@pytest.mark.needs("claude", "codex")
def test_fallback(on_stage: Shell) -> None:
    """The agent that was named comes first and fails as told; the next one answers."""
    done = on_stage.run("rehearse", "--agent", "codex", "--fault", "401", "--json")
    assert done.returncode == ExitCode.DONE, done.stderr
    task = json.loads(done.stdout)
    assert task["content"].startswith("This is claude, rehearsing")
    first, second = task["attempts"]
    assert (first["agent"], first["kind"], first["action"]) == ("codex", "auth", "switch")
    assert (second["agent"], second["outcome"]) == ("claude", "succeeded")
    assert [marked(attempt["token"]) for attempt in task["attempts"]] == [[], []]


@pytest.mark.real_agents
@pytest.mark.needs("claude", "codex")
def test_nothing_is_left_behind(on_stage: Shell) -> None:
    """No task, no open breaker, no home: the data folder is as if nothing had been."""
    done = on_stage.run("rehearse", "--agent", "codex", "--fault", "401")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert done.stdout.startswith("This is claude, rehearsing")
    assert "That was a rehearsal" in done.stderr
    data = on_stage.folder.parent / "data"
    assert [path.name for path in data.rglob("*")] == ["rehearsal"]
    assert [*on_stage.folder.iterdir()] == []
    assert on_stage.json("tasks") == []
    assert {agent["breaker"]["state"] for agent in on_stage.json("agents")} == {"closed"}


@pytest.mark.real_agents
@pytest.mark.needs("codex")
def test_alone(on_stage: Shell) -> None:
    """With --alone nobody takes over: the exit status is the one that `run` would have."""
    done = on_stage.run("rehearse", "--alone", "--fault", "codex=402", "--events")
    assert done.returncode == ExitCode.ALL_FAILED, done.stderr
    *_, last = map(json.loads, done.stdout.splitlines())
    assert [(a["agent"], a["kind"]) for a in last["task"]["attempts"]] == [("codex", "billing")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say whose model fails: --agent claude --fault 429:2"),
        (["--agent", "claude"], "say how the model of claude fails"),
        (["--fault", "500"], "say whose model fails"),
        (["--agent", "claude", "--fault", "418"], "no fault '418'; use one of"),
        (["--agent", "claude", "--fault", "slow"], "'slow' needs its seconds"),
        (["--agent", "clyde", "--fault", "500"], "there is one for claude, gemini"),
        (["--agent", "claude", "--fault", "500", "--fault", "401"], "say for which agent"),
        (["--agent", "claude", "--fault", "500", "--json", "--events"], "exclude each other"),
    ],
)
def test_what_is_wrong_is_said(shell: Shell, arguments: list[str], said: str) -> None:
    """Exit 2, in plain words, before anything is started; no folder is left."""
    done = shell.run("rehearse", *arguments)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
    assert [*(shell.folder.parent / "data").rglob("own-*")] == []
