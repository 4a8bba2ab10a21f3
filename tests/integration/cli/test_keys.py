"""`keys`: stored encrypted, told by fingerprint, never shown."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import sqlite3
import subprocess
import termios
from contextlib import closing
from pathlib import Path

import pytest

from integration.cli.shell import Shell
from undaunted.cli.exit_codes import ExitCode
from undaunted.store.master_key import new_master_key

SECRET = "sk-of-the-person-0123456789"


def files_under(shell: Shell, variable: str) -> list[Path]:
    return [p for p in Path(shell.env[variable]).rglob("*") if p.is_file()]


def stored(shell: Shell) -> list[tuple[str, str, str]]:
    return [(k["agent"], k["account"], k["variable"]) for k in shell.json("keys", "list")]


def test_a_key_is_stored_listed_and_deleted(shell: Shell) -> None:
    """From stdin, into the agent's own variable; no output and no file holds it."""
    done = shell.run("keys", "set", "claude", stdin=f"{SECRET}\n")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "claude: ANTHROPIC_API_KEY is stored\n", "",
    )  # fmt: skip
    shell.run("keys", "set", "claude/work", "--name", "ANTHROPIC_AUTH_TOKEN", stdin=SECRET)
    (first, work) = shell.json("keys", "list")
    assert list(first) == [
        "agent", "account", "variable", "fingerprint", "created_at", "updated_at",
    ]  # fmt: skip
    assert (first["agent"], first["account"]) == ("claude", "default")
    assert (work["account"], work["variable"]) == ("work", "ANTHROPIC_AUTH_TOKEN")
    # The newline of the pipe is no part of it: both are the same value.
    assert re.fullmatch(r"[0-9a-f]{8}", first["fingerprint"])
    assert first["fingerprint"] == work["fingerprint"]
    table = shell.run("keys", "list").stdout
    assert table.split()[:6] == [
        "AGENT", "ACCOUNT", "VARIABLE", "FINGERPRINT", "CREATED", "UPDATED",
    ]  # fmt: skip
    assert first["fingerprint"] in table
    files = files_under(shell, "UNDAUNTED_DATA_DIR") + files_under(shell, "UNDAUNTED_CONFIG_DIR")
    assert len(files) >= 2
    for text in (table, *(path.read_bytes().decode("latin-1") for path in files)):
        assert SECRET not in text

    assert shell.run("keys", "delete", "claude").stdout == "claude: the key is deleted\n"
    assert stored(shell) == [("claude", "work", "ANTHROPIC_AUTH_TOKEN")]
    gone = shell.run("keys", "delete", "claude")
    assert gone.returncode == ExitCode.USAGE
    assert "no key is stored for claude; stored are: claude/work" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "value", "says"),
    [
        (["clyde"], SECRET, "no agent 'clyde'; known are claude, gemini"),
        (["claude"], "\n", "the key is empty"),
        (["claude"], b"\xff\xfe", "no UTF-8"),
        (["claude", SECRET], "", "unexpected extra argument"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_stored(
    shell: Shell, arguments: list[str], value: str | bytes, says: str
) -> None:
    """Exit 2; no master key is made for it."""
    done = shell.run("keys", "set", *arguments, stdin=value)
    assert done.returncode == ExitCode.USAGE
    assert says in done.stderr
    assert done.stdout == ""
    assert files_under(shell, "UNDAUNTED_CONFIG_DIR") == []


def test_an_unknown_agent_has_no_key_to_delete(shell: Shell) -> None:
    """The known names are listed."""
    done = shell.run("keys", "delete", "clyde")
    assert done.returncode == ExitCode.USAGE
    assert "known are claude, gemini" in done.stderr


def test_a_short_key_is_stored_with_a_warning(shell: Shell) -> None:
    """It could not be told from an ordinary word in what agents print."""
    done = shell.run("keys", "set", "gemini", stdin="short")
    assert done.stdout == "gemini: GEMINI_API_KEY is stored\n"
    assert "fewer than 8 characters" in done.stderr


def test_rotation_changes_the_master_key_and_keeps_the_keys(shell: Shell) -> None:
    """The file holds another key, one only; the fingerprint changes with it."""
    shell.run("keys", "set", "claude", stdin=SECRET)
    file = Path(shell.env["UNDAUNTED_CONFIG_DIR"]) / "master.key"
    before, (key,) = file.read_text(), shell.json("keys", "list")
    done = shell.run("keys", "rotate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 key encrypted anew\n", "")
    assert file.read_text() != before
    assert len(file.read_text().splitlines()) == 1
    (rotated,) = shell.json("keys", "list")
    assert rotated["fingerprint"] not in {None, key["fingerprint"]}


def test_a_master_key_in_the_environment(shell: Shell) -> None:
    """No file is made; rotation goes over to the first and says what is left to do."""
    old, new = new_master_key(), new_master_key()
    shell.env["UNDAUNTED_MASTER_KEY"] = old
    shell.run("keys", "set", "claude", stdin=SECRET)
    one_only = shell.run("keys", "rotate")
    assert one_only.returncode == ExitCode.USAGE
    assert "put a new one before it" in one_only.stderr
    shell.env["UNDAUNTED_MASTER_KEY"] = f"{new},{old}"
    done = shell.run("keys", "rotate")
    assert done.stdout == "1 key encrypted anew\n"
    assert "leave only the first in UNDAUNTED_MASTER_KEY" in done.stderr
    shell.env["UNDAUNTED_MASTER_KEY"] = new
    assert shell.json("keys", "list")[0]["fingerprint"]
    assert files_under(shell, "UNDAUNTED_CONFIG_DIR") == []


def test_without_the_master_key_the_list_says_so_and_keys_can_be_deleted(shell: Shell) -> None:
    """Which keys there are is known without it; why they can't be read is told."""
    shell.run("keys", "set", "claude", stdin=SECRET)
    shell.env["UNDAUNTED_MASTER_KEY"] = new_master_key()
    done = shell.run("keys", "list", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["fingerprint"] is None
    assert "can't be decrypted with UNDAUNTED_MASTER_KEY" in done.stderr
    assert "can't be read" in shell.run("keys", "list").stdout
    refused = shell.run("keys", "set", "gemini", stdin=SECRET)
    assert refused.returncode == ExitCode.USAGE
    assert "undaunted keys delete claude" in refused.stderr
    assert shell.run("keys", "delete", "claude").returncode == 0
    assert shell.run("keys", "set", "gemini", stdin=SECRET).returncode == 0


def test_a_file_that_others_can_read_is_refused(shell: Shell) -> None:
    """With what to do, and without a traceback."""
    shell.run("keys", "set", "claude", stdin=SECRET)
    (Path(shell.env["UNDAUNTED_CONFIG_DIR"]) / "master.key").chmod(0o644)
    done = shell.run("keys", "set", "gemini", stdin=SECRET)
    assert done.returncode == ExitCode.USAGE
    assert "chmod 600" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_key_yet(shell: Shell) -> None:
    """An empty list, and how to store the first."""
    assert shell.json("keys", "list") == []
    assert "undaunted keys set AGENT" in shell.run("keys", "list").stderr


def test_at_a_terminal_the_key_is_typed_unseen(shell: Shell) -> None:
    """It is asked for by its variable's name, and what is typed does not appear."""
    master, slave = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        shell.argv("keys", "set", "claude"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=shell.env,
        cwd=shell.folder,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 - no thread runs here
    )
    shell.started.append(process)
    os.close(slave)
    seen = b""
    while b"ANTHROPIC_API_KEY for claude: " not in seen:
        seen += os.read(master, 1000)
    os.write(master, SECRET.encode() + b"\n")
    try:
        while piece := os.read(master, 1000):
            seen += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(master)
    assert process.wait() == 0, seen
    assert SECRET.encode() not in seen
    assert b"claude: ANTHROPIC_API_KEY is stored" in seen
    assert stored(shell) == [("claude", "default", "ANTHROPIC_API_KEY")]


def test_one_key_that_cannot_be_read_takes_out_only_its_own_login(shell: Shell) -> None:
    """The others are listed with their fingerprints, and their logins can be used."""
    shell.fake(claude=["answer", "Hi"], gemini=["answer", "Hi"])
    for login in ("claude", "gemini"):
        shell.run("keys", "set", login, stdin=SECRET)
    database = Path(shell.env["UNDAUNTED_DATA_DIR"], "undaunted.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE stored_keys SET token = 'altered' WHERE agent = 'gemini'")
    readable = {key["agent"]: key["fingerprint"] is not None for key in shell.json("keys", "list")}
    assert readable == {"claude": True, "gemini": False}
    plan = shell.run("run", "--plan", "--json", "hi")
    tried = {step["agent"]: step["tried"] for step in json.loads(plan.stdout)}
    assert tried == {"claude": True, "gemini": False}


def test_an_account_that_a_stored_key_makes_can_stand_in_the_order(shell: Shell) -> None:
    """One that no key makes is told when the task is checked."""
    shell.run("keys", "set", "claude/spare", stdin=SECRET)
    order = {"UNDAUNTED_ORDER": "claude/spare"}
    assert shell.run("run", "--plan", "hi", env=order).returncode == 0
    wrong = shell.run("run", "--plan", "hi", env={"UNDAUNTED_ORDER": "claude/sparrow"})
    assert (wrong.returncode, "no agent 'claude/sparrow'" in wrong.stderr) == (2, True)


def test_delete_takes_no_empty_account_for_the_agents_own(shell: Shell) -> None:
    """`claude/` is what is left of `claude/$ACCOUNT` where that is not set."""
    shell.run("keys", "set", "claude", stdin=SECRET)
    assert shell.run("keys", "delete", "claude/").returncode == ExitCode.USAGE
    assert stored(shell) == [("claude", "default", "ANTHROPIC_API_KEY")]


def test_one_ctrl_c_ends_the_question_for_a_key(shell: Shell) -> None:
    """Nothing is stored, and nobody has to press it twice."""
    master, slave = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        shell.argv("keys", "set", "claude"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=shell.env,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 - no thread runs here
    )
    os.close(slave)
    try:
        asked = b""
        while b"ANTHROPIC_API_KEY for claude: " not in asked:
            asked += os.read(master, 1000)
        os.write(master, b"\x03")
        assert process.wait(timeout=20) != 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert stored(shell) == []
