"""How Claude Code is asked: flags, environment, and the prompt as data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.credentials import Credential
from undaunted.tasks import Permissions


def agent(account: Account | None = None, **env: str) -> ClaudeAgent:
    return ClaudeAgent(
        CliContext(
            env=env,
            data_folder=Path("/nonexistent"),
            run_process=not_run,  # type: ignore[arg-type]
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        ),
        account=account,
    )


def test_command_line() -> None:
    """Headless, structured both ways, in a session of our own, with the edit permission."""
    assert agent().arguments(REQUEST) == (
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--session-id",
        REQUEST.agent_session_id,
        "--permission-mode",
        "acceptEdits",
    )


@pytest.mark.parametrize(
    ("permissions", "mode"),
    [("read", "default"), ("edit", "acceptEdits"), ("full", "bypassPermissions")],
)
def test_permissions(permissions: Permissions, mode: str) -> None:
    """Each permission is a mode of its own; read takes the writing tools away as well."""
    flags = agent().permission_flags(permissions)
    assert flags[:2] == ("--permission-mode", mode)
    assert ("--disallowedTools" in flags) == (permissions == "read")


def test_model() -> None:
    """A model is asked for by its flag."""
    assert "--model" not in agent().arguments(REQUEST)
    arguments = agent().arguments(replace(REQUEST, model="opus"))
    assert arguments[arguments.index("--model") + 1] == "opus"


@pytest.mark.parametrize("prompt", ["--help", "/clear", "@/etc/hostname", "a\nb", "ü" * 300_000])
def test_the_prompt_is_data(prompt: str) -> None:
    """Whatever the prompt is, it is one text block of a message on stdin and no argument."""
    request = replace(REQUEST, prompt=prompt)
    assert prompt not in agent().arguments(request)
    sent = agent().stdin(request)
    assert sent.count(b"\n") == 1
    message = json.loads(sent)
    assert [b["text"] for b in message["message"]["content"]] == [prompt, " "]


def test_inner_retries_are_few() -> None:
    """The program may retry twice by itself, and does not update itself in mid-task."""
    assert agent().settings(REQUEST) == {
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "DISABLE_AUTOUPDATER": "1",
    }


def test_an_empty_prompt_is_refused() -> None:
    """A prompt of white space blames the task; no agent is asked."""
    refusal = agent().refuse(replace(REQUEST, prompt=" \n"))
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("invalid_request", "fail")
    assert agent().refuse(REQUEST) is None


def test_availability(tmp_path: Path) -> None:
    """The program is looked for on the caller's PATH."""
    assert agent(PATH=str(tmp_path)).availability().kind == "not_installed"
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = agent(PATH=str(tmp_path)).availability()
    assert (found.usable, found.reason) == (True, str(program))


def test_credential_mark(tmp_path: Path) -> None:
    """The mark changes with the key and with the login, and says nothing of either."""
    marks = [agent(HOME=str(tmp_path)).credential_mark()]
    marks.append(agent(HOME=str(tmp_path), ANTHROPIC_API_KEY="sk-1").credential_mark())
    marks.append(agent(HOME=str(tmp_path), ANTHROPIC_API_KEY="sk-2").credential_mark())
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text("{}")
    marks.append(agent(HOME=str(tmp_path), ANTHROPIC_API_KEY="sk-2").credential_mark())
    assert len(set(marks)) == len(marks)
    assert agent(HOME=str(tmp_path), ANTHROPIC_API_KEY="sk-2").credential_mark() == marks[-1]
    assert not any("sk-" in mark for mark in marks)


def test_a_session_is_continued_by_its_id() -> None:
    """A run that continues names that session and no new one; the id can't become a flag."""
    arguments = agent().arguments(replace(REQUEST, resume_session_id="-x"))
    assert "--resume=-x" in arguments
    assert "--session-id" not in arguments


def test_a_key_does_not_replace_a_plan(tmp_path: Path) -> None:
    """With a login for a plan the paid key is withheld, in the folder that the caller names too."""
    login = {"claudeAiOauth": {"accessToken": "t"}}
    (tmp_path / ".credentials.json").write_text(json.dumps(login))
    used = agent(CLAUDE_CONFIG_DIR=str(tmp_path), ANTHROPIC_API_KEY="k").credential()
    assert used == Credential("subscription", ".credentials.json", ("ANTHROPIC_API_KEY",))
    folder = Account(name="work", config_folder=tmp_path)
    assert agent(folder, ANTHROPIC_API_KEY="k").credential() == used
    assert agent(folder).account_environment() == {"CLAUDE_CONFIG_DIR": str(tmp_path)}


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_a_plans_login_is_not_shown_to_others(name: str) -> None:
    """With an address of the person's own their variable is used, which belongs to it."""
    env = {name: "k", "CLAUDE_CODE_OAUTH_TOKEN": "t", "ANTHROPIC_BASE_URL": "https://gateway"}
    assert agent(**env).credential() == Credential("key", name)
    env.pop(name)
    assert agent(**env).credential() == Credential("subscription", "CLAUDE_CODE_OAUTH_TOKEN")


@pytest.mark.parametrize(
    ("value", "used"), [("1", True), ("true", True), ("0", False), ("", False)]
)
def test_a_cloud_has_its_own_login(value: str, used: bool) -> None:
    """On Bedrock and the like the cloud's login is used, and nothing is withheld."""
    env = {"CLAUDE_CODE_USE_BEDROCK": value, "AWS_BEARER_TOKEN_BEDROCK": "b"}
    found = agent(**env, CLAUDE_CODE_OAUTH_TOKEN="t").credential()
    assert found is not None
    assert (found == Credential("key", "CLAUDE_CODE_USE_BEDROCK")) == used
    assert (found.kind == "subscription") == (not used)
