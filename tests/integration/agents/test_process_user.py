"""A command that runs as another user (`run_as`)."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from living import is_alive
from undaunted.agents.attempt_folder import attempt_folder
from undaunted.agents.process import SpawnError
from undaunted.agents.process_user import credentials_for
from undaunted.agents.run_as import user_account
from undaunted.failures import FailureKind

USER = "nobody"  # on every machine

as_root = pytest.mark.needs("root")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can enter, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
async def test_it_runs_as_that_user(stage: Any, open_folder: Path) -> None:
    """User, primary group and further groups are the user's, and nothing is root's."""
    account = user_account(USER)
    await stage.run("sh", "-c", "id -u; id -g; id -G", user=USER, cwd=str(open_folder))
    groups = {account.group_id, *account.group_ids}
    uid, gid, all_groups = (line.decode() for line in stage.lines)
    assert (int(uid), int(gid)) == (account.user_id, account.group_id)
    assert {int(group) for group in all_groups.split()} == groups


@as_root
async def test_it_is_ended_all_the_same(stage: Any, open_folder: Path) -> None:
    """Another user's processes, deaf and in sessions of their own, are ended by root."""
    script = "trap '' TERM; (setsid sleep 600 & echo $!); sleep 600"
    running = stage.start("sh", "-c", script, user=USER, cwd=str(open_folder), grace_s=0.2)
    pid = int(await stage.line(0))
    assert Path(f"/proc/{pid}").stat().st_uid == user_account(USER).user_id  # noqa: ASYNC240
    await stage.stop(running)
    assert not is_alive(pid)


@as_root
async def test_a_folder_that_the_user_can_not_enter_is_said(stage: Any) -> None:
    """The start is refused where the user may not work, also for a parent's sake."""
    closed = stage.cwd / "closed"
    closed.mkdir(mode=0o700)
    (closed / "inner").mkdir(mode=0o777)
    for folder in (closed, closed / "inner"):
        with pytest.raises(SpawnError, match="can't enter the working directory") as raised:
            await stage.run("true", user=USER, cwd=str(folder))
        assert raised.value.kind is FailureKind.MISCONFIGURED


@as_root
async def test_a_folder_that_is_missing_is_the_tasks_fault(stage: Any) -> None:
    """As for our own user: no other agent could start there."""
    with pytest.raises(SpawnError, match="working directory") as raised:
        await stage.run("true", user=USER, cwd=str(stage.cwd / "gone"))
    assert raised.value.blames_task


@as_root
async def test_a_program_that_the_user_can_not_run_is_said(stage: Any, open_folder: Path) -> None:
    """A program that only root may execute is misconfigured."""
    program = open_folder / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    with pytest.raises(SpawnError, match="may not be executed") as raised:
        await stage.run(str(program), user=USER, cwd=str(open_folder))
    assert raised.value.kind is FailureKind.MISCONFIGURED


async def test_an_unknown_user_is_said(stage: Any) -> None:
    """A name that nobody has is misconfigured; nothing is started."""
    with pytest.raises(SpawnError, match=r"'no-such-user' \(run_as\) does not exist") as raised:
        await stage.run("true", user="no-such-user")
    assert raised.value.kind is FailureKind.MISCONFIGURED


async def test_only_root_becomes_another(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root the start is refused, with the reason."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(SpawnError, match="only root can start an agent as") as raised:
        await stage.run("true", user=USER)
    assert raised.value.kind is FailureKind.MISCONFIGURED


async def test_our_own_user_takes_no_rights(stage: Any) -> None:
    """To name the user that undaunted runs as is to name none."""
    ours = pwd.getpwuid(os.getuid()).pw_name
    assert await credentials_for(ours, cwd=str(stage.cwd)) == {}
    await stage.run("id", "-u", user=ours)
    assert stage.lines == [str(os.getuid()).encode()]


@as_root
async def test_the_attempts_folder_is_the_users(open_folder: Path) -> None:
    """TMPDIR belongs to the user alone, and root removes what the user left in it."""
    account = user_account(USER)
    async with attempt_folder(open_folder, owner=account) as folder:
        found = folder.stat()
        assert (found.st_uid, found.st_gid) == (account.user_id, account.group_id)
        assert stat.S_IMODE(found.st_mode) == 0o700
        (folder / "closed").mkdir(mode=0)
        given = folder
    assert not given.exists()
