"""How Codex is asked, and which provider and login it uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.codex import CodexAgent
from undaunted.tasks import Permissions

NOW = datetime(2026, 7, 5, 10, 0, tzinfo=UTC)
SESSION = "01a20a58-a89f-7941-a0de-dbb0542d5a2b"
PROVIDER = """\
model_provider = "mine"
[model_providers.mine]
name = "mine"
base_url = "http://127.0.0.1:1/v1"
env_key = "MY_KEY"
"""


def agent(env: Mapping[str, str] | None = None, account: Account | None = None) -> CodexAgent:
    context = CliContext(
        env=env or {},
        data_folder=Path("/nonexistent"),
        run_process=not_run,
        now=lambda: NOW,
    )
    return CodexAgent(context, account=account)


def with_settings(home: Path, text: str, **env: str) -> CodexAgent:
    folder = home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return agent({"HOME": str(home), **env})


def log_in(folder: Path, login: Mapping[str, object]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "auth.json").write_text(json.dumps(login), encoding="utf-8")


def test_command_line() -> None:
    """Events, in a folder of whatever kind, in the sandbox of `edit`, the prompt from stdin."""
    assert agent().arguments(replace(REQUEST, model="gpt")) == (
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--sandbox",
        "workspace-write",
        "--config",
        "sandbox_workspace_write.exclude_slash_tmp=true",
        "--model",
        "gpt",
        "-",
    )
    assert agent().stdin(replace(REQUEST, prompt="--help")) == b"--help"


@pytest.mark.parametrize(
    ("permissions", "sandbox"),
    [("read", "read-only"), ("edit", "workspace-write"), ("full", "danger-full-access")],
)
def test_permissions(permissions: Permissions, sandbox: str) -> None:
    """Each is a sandbox; `read` also ignores the rules that would let commands out of it."""
    flags = agent().permission_flags(permissions)
    assert flags[:2] == ("--sandbox", sandbox)
    assert ("--ignore-rules" in flags) == (permissions == "read")


def test_a_session_is_resumed_by_its_id() -> None:
    """The subcommand comes behind the flags, some of which it does not know itself."""
    arguments = agent().arguments(replace(REQUEST, resume_session_id=SESSION))
    assert arguments[-3:] == ("resume", SESSION, "-")


@pytest.mark.parametrize("session", ["--last", "a-name", "", f"{SESSION}0"])
def test_what_is_no_id_is_not_resumed(session: str) -> None:
    """Neither a flag nor a name, for which the program would silently begin anew."""
    assert "resume" not in agent().arguments(replace(REQUEST, resume_session_id=session))


@pytest.mark.parametrize("prompt", ["/clear", "@a.txt", "!ls", "-", "resume", "$skill"])
def test_no_prompt_is_refused(prompt: str) -> None:
    """It hands on as typed whatever looks like a command, a file or an option."""
    assert agent().refuse(replace(REQUEST, prompt=prompt)) is None


# --- its provider -------------------------------------------------------------------------------


def limits(codex: CodexAgent) -> list[str]:
    return [a for a in codex.arguments(REQUEST) if a.startswith("model_providers.")]


def test_retries_of_an_own_provider_are_few(tmp_path: Path) -> None:
    """Two that are announced, none that are silent."""
    assert limits(with_settings(tmp_path, PROVIDER)) == [
        "model_providers.mine.request_max_retries=0",
        "model_providers.mine.stream_max_retries=2",
    ]


@pytest.mark.parametrize(("theirs", "ours"), [("0", 0), ("9", 2), ('"x"', 2), ("-1", 2)])
def test_fewer_retries_stay(tmp_path: Path, theirs: str, ours: int) -> None:
    """A person who wants fewer gets fewer."""
    codex = with_settings(tmp_path, f"{PROVIDER}stream_max_retries = {theirs}\n")
    assert limits(codex)[1] == f"model_providers.mine.stream_max_retries={ours}"


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "not toml",
        'model_provider = "openai"',
        'model_provider = "gone"\n[model_providers.mine]\nname = "mine"',
        PROVIDER.replace("mine]", '"a.b"]').replace('"mine"', '"a.b"'),
        "model_provider = 5\nmodel_providers = 5",
    ],
    ids=["none", "broken", "built-in", "undefined", "quoted", "odd"],
)
def test_no_limits_without_an_own_provider(tmp_path: Path, settings: str) -> None:
    """A built-in provider takes no such setting: the program would not start."""
    assert limits(with_settings(tmp_path, settings)) == []


def test_the_key_of_an_own_provider(tmp_path: Path) -> None:
    """The variable that the settings name is handed on, and is what is logged in with."""
    codex = with_settings(tmp_path, PROVIDER, MY_KEY="k", OTHER="x")
    seen = codex._environment(REQUEST, Path("/t"))
    assert seen["MY_KEY"] == "k"
    assert "OTHER" not in seen
    used = codex.credential()
    assert used is not None
    assert (used.kind, used.source) == ("key", "MY_KEY")


def test_settings_in_the_callers_folder(tmp_path: Path) -> None:
    """CODEX_HOME moves them, and an account's folder comes before it."""
    (tmp_path / "config.toml").write_text(PROVIDER, encoding="utf-8")
    assert limits(agent({"CODEX_HOME": str(tmp_path)}))
    account = Account(name="work", config_folder=tmp_path)
    work = agent({"CODEX_HOME": "/nonexistent"}, account)
    assert limits(work)
    assert work.account_environment() == {"CODEX_HOME": str(tmp_path)}


# --- its login ----------------------------------------------------------------------------------

PLAN = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": {"access_token": "t"}}
KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x", "tokens": None}


@pytest.mark.parametrize(
    ("login", "env", "kind", "source"),
    [
        (None, {}, None, None),
        (None, {"OPENAI_API_KEY": "k"}, None, None),
        (None, {"CODEX_API_KEY": "k"}, "key", "CODEX_API_KEY"),
        (None, {"CODEX_ACCESS_TOKEN": "t"}, "subscription", "CODEX_ACCESS_TOKEN"),
        (PLAN, {"CODEX_API_KEY": "k"}, "subscription", "auth.json"),
        (KEY, {}, "key", "auth.json"),
        (KEY, {"CODEX_API_KEY": "k"}, "key", "CODEX_API_KEY"),
        ({}, {}, "login", "auth.json"),
    ],
)
def test_credential(
    tmp_path: Path,
    login: Mapping[str, object] | None,
    env: dict[str, str],
    kind: str | None,
    source: str | None,
) -> None:
    """A plan comes before a key; else the program's own order holds."""
    if login is not None:
        log_in(tmp_path / ".codex", login)
    used = agent({"HOME": str(tmp_path), **env}).credential()
    assert (used and used.kind, used and used.source) == (kind, source)


def test_a_key_never_replaces_a_plan(tmp_path: Path) -> None:
    """The program would take the key from the environment first: it does not see it."""
    log_in(tmp_path / ".codex", PLAN)
    env = {"HOME": str(tmp_path), "CODEX_API_KEY": "k"}
    assert "CODEX_API_KEY" not in agent(env)._environment(REQUEST, Path("/t"))
    prefers = agent(env, Account(name="paid", prefer_key=True))
    assert prefers._environment(REQUEST, Path("/t"))["CODEX_API_KEY"] == "k"


def test_marks_of_a_codex_around_it_are_withheld() -> None:
    """Its own variables are handed on, but not what another Codex sets for what it runs."""
    handed_on = {"CODEX_HOME": "/h", "OPENAI_API_KEY": "k", "AWS_PROFILE": "p"}
    marks = {"CODEX_THREAD_ID": "t", "CODEX_SANDBOX": "seatbelt", "CODEX_CI": "1"}
    seen = agent({**handed_on, **marks})._environment(REQUEST, Path("/t"))
    assert handed_on.items() <= seen.items()
    assert not marks.keys() & seen.keys()
