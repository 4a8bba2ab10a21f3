"""An attempt's own folder for temporary files."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from pathlib import Path

import pytest

from undaunted.agents.attempt_folder import _unlock, attempt_folder


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_it_is_private_and_removed(tmp_path: Path) -> None:
    """The folder is fresh, only ours to enter, and gone afterwards with what it holds."""
    async with attempt_folder(tmp_path) as first, attempt_folder(tmp_path) as second:
        assert first != second
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        (first / "conversation.json").write_text("{}")
    assert left_in(tmp_path) == []


async def test_it_is_removed_after_a_failure(tmp_path: Path) -> None:
    """An error inside goes through, and the folder is gone all the same."""
    with pytest.raises(ZeroDivisionError):
        async with attempt_folder(tmp_path):
            raise ZeroDivisionError
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("user_id", [0, 1000], ids=["root", "not root"])
async def test_read_only_folders_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_id: int
) -> None:
    """Nested folders without any permission don't keep it from being removed."""
    if os.geteuid() == 0:  # anybody else can't do as root does
        monkeypatch.setattr(os, "geteuid", lambda: user_id)
    async with attempt_folder(tmp_path) as folder:
        inner = folder / "cache" / "module"
        inner.mkdir(parents=True)
        (inner / "file").write_text("")
        inner.chmod(0)
        inner.parent.chmod(0o500)
    assert left_in(tmp_path) == []


async def test_a_links_target_is_left_alone(tmp_path: Path) -> None:
    """What a link points to is neither changed nor removed."""
    target = tmp_path / "precious"
    target.mkdir(mode=0o500)
    async with attempt_folder(tmp_path) as folder:
        (folder / "link").symlink_to(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o500


def test_permissions_are_given_back_from_the_top(tmp_path: Path) -> None:
    """Every folder below can be entered and emptied again, at any depth; links are no folders."""
    inner = tmp_path / "cache" / "module"
    inner.mkdir(parents=True)
    outside = tmp_path / "link"
    outside.symlink_to("/")
    inner.chmod(0)
    inner.parent.chmod(0o500)
    _unlock(tmp_path)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (inner.parent, inner)]
    assert modes == [0o700, 0o700]


async def test_what_can_not_be_removed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that can't be removed is logged and costs no answer."""

    def refuse(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(shutil, "rmtree", refuse)
        # Whoever configured logging before us in this process may have switched our logger off.
        patch.setattr(logging.getLogger("undaunted.agents.attempt_folder"), "disabled", False)
        async with attempt_folder(tmp_path) as folder:
            answer = 42
    assert answer == 42
    assert str(folder) in caplog.text


async def test_what_cant_be_removed_for_its_depth_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python 3.11 removes folders by recursion: that it gives up is logged, and no error."""
    monkeypatch.setattr(logging.getLogger("undaunted.agents.attempt_folder"), "disabled", False)

    def too_deep(_folder: Path) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", too_deep)
        async with attempt_folder(tmp_path):
            pass
    assert "could not remove" in caplog.text
