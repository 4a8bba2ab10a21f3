"""How Gemini CLI is asked, what it can't be asked, and the settings it is given."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.credentials import Credential
from undaunted.agents.gemini import GeminiAgent
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.gemini_settings import merged_settings, read_settings
from undaunted.tasks import Permissions

VARIABLE = "GEMINI_CLI_SYSTEM_SETTINGS_PATH"


def agent(folder: Path, *, account: Account | None = None, **env: str) -> GeminiAgent:
    return GeminiAgent(
        CliContext(
            env=env,
            data_folder=folder,
            run_process=not_run,  # type: ignore[arg-type]
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        ),
        account=account,
    )


def test_command_line(tmp_path: Path) -> None:
    """Structured output, a session of our own, no `-p`: the prompt is stdin alone."""
    assert agent(tmp_path).arguments(replace(REQUEST, model="flash")) == (
        "--output-format",
        "stream-json",
        "--session-id",
        REQUEST.agent_session_id,
        "--model",
        "flash",
        "--approval-mode",
        "auto_edit",
    )
    assert agent(tmp_path).stdin(replace(REQUEST, prompt="--help")) == b"--help"


@pytest.mark.parametrize(
    ("permissions", "mode"), [("read", "default"), ("edit", "auto_edit"), ("full", "yolo")]
)
def test_permissions(tmp_path: Path, permissions: Permissions, mode: str) -> None:
    """Each permission is an approval mode."""
    assert agent(tmp_path).permission_flags(permissions) == ("--approval-mode", mode)


@pytest.mark.parametrize("prompt", ["/clear", "/nosuch thing", "/etc/hosts: explain", "/"])
def test_commands_are_refused(tmp_path: Path, prompt: str) -> None:
    """What the program would take for a command is refused with a reason; the task moves on."""
    refusal = agent(tmp_path).refuse(replace(REQUEST, prompt=prompt))
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("invalid_request", "switch")
    assert prompt.split(maxsplit=1)[0] in refusal.message


@pytest.mark.parametrize(
    "prompt", ["// a comment", "/* a comment */", " /clear", "--help", "mail me@example.org"]
)
def test_other_texts_are_taken(tmp_path: Path, prompt: str) -> None:
    """What only looks like a command or a mention is handed on."""
    assert agent(tmp_path).refuse(replace(REQUEST, prompt=prompt, cwd=str(tmp_path))) is None


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        ("read @a.txt.", True),
        ("me@a.txt", True),
        ("@sub", True),
        (r"read \@a.txt", False),
        ("@b.txt", False),
        ("@/etc/hostname", False),
        ("ask @codebase_investigator", True),
        ("@" + "x" * 5000, False),
        ("a @ b", False),
    ],
)
def test_mentions(tmp_path: Path, prompt: str, refused: bool) -> None:
    """An @name that is a file or folder of the workspace, or a sub-agent, would be rewritten."""
    (tmp_path / "a.txt").write_text("secret")
    (tmp_path / "sub").mkdir()
    request = replace(REQUEST, prompt=prompt, cwd=str(tmp_path))
    assert (agent(tmp_path).refuse(request) is not None) == refused


def test_settings_are_merged(tmp_path: Path) -> None:
    """The machine's settings stay, ours are on top, in a file that only the person can read."""
    theirs = tmp_path / "theirs.json"
    theirs.write_text('{"general": {"maxAttempts": 10, "vimMode": true}, "tools": {"x": 1}}')
    gemini = agent(tmp_path / "data", GEMINI_CLI_SYSTEM_SETTINGS_PATH=str(theirs))
    path = Path(gemini.settings(REQUEST)["GEMINI_CLI_SYSTEM_SETTINGS_PATH"])
    assert path != theirs
    assert json.loads(path.read_text()) == {
        "general": {"maxAttempts": 3, "vimMode": True, "enableAutoUpdate": False},
        "tools": {"x": 1},
    }
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [p.name for p in path.parent.iterdir()] == [path.name], "no half-written file stays"


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"general": 5}', "[" * 100_000])
def test_unusable_settings(tmp_path: Path, text: str) -> None:
    """Whatever stands in the machine's file, ours are valid."""
    theirs = tmp_path / "theirs.json"
    theirs.write_text(text)
    merged = merged_settings(read_settings(theirs))
    assert merged == {"general": {"maxAttempts": 3, "enableAutoUpdate": False}}


def test_read_takes_the_writing_tools_away() -> None:
    """Excluded tools are added to those that the machine's settings exclude."""
    theirs: dict[str, object] = {"tools": {"exclude": ["x"], "y": 1}}
    merged = merged_settings(theirs, excluded_tools=("write_file",))
    assert merged["tools"] == {"exclude": ["x", "write_file"], "y": 1}


def test_each_login_has_settings_of_its_own(tmp_path: Path) -> None:
    """An account's key is selected in the account's file, which no other account reads."""
    work = Account(name="work", key="own", config_folder=tmp_path / "work")
    usual, other = agent(tmp_path).settings(REQUEST), agent(tmp_path, account=work)
    settings = json.loads(Path(other.settings(REQUEST)[VARIABLE]).read_text())
    assert settings["security"] == {"auth": {"selectedType": "gemini-api-key"}}
    assert "security" not in json.loads(Path(usual[VARIABLE]).read_text())
    assert other.account_environment() == {
        "GEMINI_CLI_HOME": str(tmp_path / "work"),
        "GEMINI_API_KEY": "own",
    }


def test_a_login_is_looked_for_where_the_program_looks(tmp_path: Path) -> None:
    """The person's own choice in the settings counts, below the home that the program is given."""
    home = tmp_path / "home"
    (home / ".gemini").mkdir(parents=True)
    (home / ".gemini" / "oauth_creds.json").write_text("{}")
    for env in ({"HOME": str(home)}, {"HOME": "/x", "GEMINI_CLI_HOME": str(home)}):
        used = agent(tmp_path, GEMINI_API_KEY="k", **env).credential()
        assert used == Credential("subscription", ".gemini/oauth_creds.json", ("GEMINI_API_KEY",))
    (home / ".gemini" / "settings.json").write_text(
        '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'
    )
    used = agent(tmp_path, GEMINI_API_KEY="k", HOME=str(home)).credential()
    assert used == Credential("key", "GEMINI_API_KEY")


def test_a_session_is_continued_by_its_id(tmp_path: Path) -> None:
    """A run that continues names that session and no new one; the id can't become a flag."""
    arguments = agent(tmp_path).arguments(replace(REQUEST, resume_session_id="-x"))
    assert "--resume=-x" in arguments
    assert "--session-id" not in arguments


def test_each_permission_has_settings_of_its_own(tmp_path: Path) -> None:
    """Parallel runs with other permissions do not change each other's settings."""
    gemini = agent(tmp_path)
    paths = [
        Path(gemini.settings(replace(REQUEST, permissions=p))["GEMINI_CLI_SYSTEM_SETTINGS_PATH"])
        for p in ("read", "edit")
    ]
    read, edit = (json.loads(path.read_text()) for path in paths)
    assert read["tools"]["exclude"] == ["replace", "run_shell_command", "write_file"]
    assert "tools" not in edit


def test_read_needs_a_folder_of_the_persons_own(tmp_path: Path) -> None:
    """Where the program would ignore the settings that keep `read`, it is not asked to read."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    refusal = agent(shared / "data").refuse(replace(REQUEST, permissions="read"))
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("misconfigured", "switch")
    assert f"{shared} is writable by others" in refusal.message
    assert agent(shared / "data").refuse(replace(REQUEST, permissions="edit")) is None


@pytest.mark.parametrize(
    ("line", "wait_s"),
    [
        (b"Attempt 1 failed: Quota will reset after 7200s.. Retrying after 7725039ms...", 7725.039),
        (b"Attempt 2 failed with status 503. Retrying with backoff... Error", None),
    ],
)
def test_how_long_it_will_wait(line: bytes, wait_s: float | None) -> None:
    """The wait that it announces is read, so that hours of it are not waited for."""
    notice = GeminiReader().feed_stderr(line)
    assert notice is not None
    assert (notice.kind, notice.wait_s) == ("inner_retry", wait_s)
