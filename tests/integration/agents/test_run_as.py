"""An agent that runs as another user: its process, its home and its folder are that user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from uuid import uuid4

import pytest

from agent_requests import REQUEST
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.process import run_process
from undaunted.agents.run_as import user_account

pytestmark = pytest.mark.needs("root")

# Prints a Claude Code result event that tells who ran it, where, and with what. It is a shell's,
# since the tests' Python may lie where nobody else can enter.
PROGRAM = r"""
cat > /dev/null
echo x > "$TMPDIR/note"
seen="$(id -u) $(stat -c %u "$TMPDIR/note") $HOME $USER $TMPDIR $(id -G)"
printf '{"type": "result", "subtype": "success", "is_error": false, "result": "%s"}\n' "$seen"
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, other than pytest's own."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def context(folder: Path) -> CliContext:
    return CliContext(
        env={"PATH": os.defpath, "HOME": "/root", "USER": "root", "CLAUDE_CONFIG_DIR": "/root/c"},
        data_folder=folder,
        run_process=run_process,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_it_is_the_other_user(open_folder: Path) -> None:
    """The program is that user in all that it can ask; its folder is gone afterwards."""
    nobody = user_account("nobody")
    program = ("/bin/sh", "-c", PROGRAM)
    agent = ClaudeAgent(context(open_folder).as_user(nobody, without=""), program=program)
    request = replace(REQUEST, token=uuid4().hex, cwd=str(open_folder))
    result = await agent.run(request, sink=lambda *_: None, notify=lambda _: None)
    assert result.failure is None, result.failure
    user_id, owner_id, home, user, tmpdir, *groups = (result.content or "").split()
    assert int(user_id) == int(owner_id) == nobody.user_id
    assert (home, user) == (nobody.home, "nobody")
    assert "0" not in groups
    assert tmpdir not in [str(path) for path in _temporary()]


async def test_a_folder_that_it_cannot_enter(tmp_path: Path) -> None:
    """A working directory of root's own is refused with a word on what to do."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    agent = ClaudeAgent(
        context(tmp_path).as_user(user_account("nobody"), without=""), program=("/bin/true",)
    )
    request = replace(REQUEST, token=uuid4().hex, cwd=str(closed))
    result = await agent.run(request, sink=lambda *_: None, notify=lambda _: None)
    assert result.failure is not None
    assert result.failure.kind == "misconfigured"
    assert str(closed) in result.failure.message


def _temporary() -> list[Path]:
    return list(Path(gettempdir()).iterdir())


def test_the_other_users_login_counts(open_folder: Path) -> None:
    """Credentials are looked for in that user's home, not in the caller's."""
    home = open_folder / "home"
    (home / ".claude").mkdir(parents=True)
    login = '{"claudeAiOauth": {"accessToken": "x"}}'
    (home / ".claude" / ".credentials.json").write_text(login)
    user = replace(user_account("nobody"), home=str(home))
    assert ClaudeAgent(context(open_folder)).credential() is None
    found = ClaudeAgent(
        context(open_folder).as_user(user, without="CLAUDE_CONFIG_DIR")
    ).credential()
    assert found is not None
    assert found.kind == "subscription"
