"""Where the master key is, and who may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from undaunted.store.master_key import (
    MASTER_KEY_VARIABLE,
    MasterKeyError,
    MasterKeySource,
    new_master_key,
)

ONE, TWO = new_master_key(), new_master_key()


def source(tmp_path: Path, **env: str) -> MasterKeySource:
    return MasterKeySource(env, config_folder=tmp_path / "config", data_folder=tmp_path / "data")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_there_is_none_until_one_is_needed(tmp_path: Path) -> None:
    """Looking makes nothing; the first that is needed is made, and the next look finds it."""
    assert source(tmp_path).read() is None
    assert not (tmp_path / "config").exists()
    made = source(tmp_path).read_or_make()
    assert source(tmp_path).read() == made == source(tmp_path).read_or_make()
    assert made.origin == str(tmp_path / "config" / "master.key")


def test_the_file_is_the_persons_alone(tmp_path: Path) -> None:
    """0600 in a folder of 0700, whatever the umask, and nothing lies beside it."""
    before = os.umask(0)
    try:
        source(tmp_path).read_or_make()
        source(tmp_path).write([TWO, ONE])
    finally:
        os.umask(before)
    path = source(tmp_path).path
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [p.name for p in path.parent.iterdir()] == ["master.key"]
    found = source(tmp_path).read()
    assert found is not None
    assert found.keys == (TWO, ONE)


@pytest.mark.parametrize("others", [0o640, 0o604, 0o620, 0o610])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, others: int) -> None:
    """The error names the file, its mode, and what to do."""
    source(tmp_path).read_or_make()
    path = source(tmp_path).path
    path.chmod(others)
    with pytest.raises(MasterKeyError, match=rf"master\.key .*mode {others:04o}\): chmod 600"):
        source(tmp_path).read()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "holds no key"),
        ("\n\n", "holds no key"),
        ("hunter2\n", "key 1 of 1 is no master key"),
        (f"{ONE}\n{TWO[:-2]}\n", "key 2 of 2 is no master key"),
        (f"{ONE[:20]}!{ONE[20:]}\n", "key 1 of 1"),
        ("\xff\xfe", "key 1 of 1"),
    ],
    ids=["empty", "blank", "a password", "cut short", "a wrong letter", "no text"],
)
def test_a_broken_file_is_told(tmp_path: Path, written: str, says: str) -> None:
    """Nothing is made in its place, since it may be put right again."""
    source(tmp_path).read_or_make()
    path = source(tmp_path).path
    path.write_bytes(written.encode("latin-1"))
    for look in (source(tmp_path).read, source(tmp_path).read_or_make):
        with pytest.raises(MasterKeyError, match=says) as caught:
            look()
        assert str(path) in str(caught.value)
        assert "hunter2" not in str(caught.value)
    assert path.read_bytes() == written.encode("latin-1")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where the configuration folder is a file, the error says what the system said."""
    (tmp_path / "config").write_text("")
    with pytest.raises(MasterKeyError, match=r"master\.key can't be"):
        source(tmp_path).read_or_make()


@pytest.mark.parametrize("config", ["data", "data/config", "link"])
def test_it_is_never_in_the_data_folder(tmp_path: Path, config: str) -> None:
    """Nor behind a link: whoever copies the data would copy what locks it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    there = MasterKeySource({}, config_folder=tmp_path / config, data_folder=tmp_path / "data")
    with pytest.raises(MasterKeyError, match="beside what it locks"):
        there.read_or_make()
    assert list((tmp_path / "data").iterdir()) == []


def test_the_variable_comes_first(tmp_path: Path) -> None:
    """With it the file counts for nothing and none is made; white space between keys is fine."""
    named = source(tmp_path, **{MASTER_KEY_VARIABLE: f"{ONE}, {TWO}"})
    assert named.read_or_make().keys == (ONE, TWO)
    assert named.in_environment
    assert not named.path.exists()
    with pytest.raises(MasterKeyError, match="UNDAUNTED_MASTER_KEY: key 2 of 2") as caught:
        source(tmp_path, **{MASTER_KEY_VARIABLE: f"{ONE},hunter2"}).read()
    assert "hunter2" not in str(caught.value)
