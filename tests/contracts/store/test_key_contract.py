"""What every store promises about the stored keys."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from undaunted.store.key_vault import StoredKey
from undaunted.store.master_key import MasterKeyError, MasterKeys, MasterKeySource, new_master_key
from undaunted.store.store import Store

CLAUDE = StoredKey("ANTHROPIC_API_KEY", "sk-claude-secret")
WORK = StoredKey("ANTHROPIC_API_KEY", "sk-work-secret")
OPENCODE = StoredKey("OPENROUTER_API_KEY", "sk-opencode-secret")


@pytest.fixture
def source(tmp_path: Path) -> MasterKeySource:
    """Where the master key is: nowhere yet."""
    return MasterKeySource({}, config_folder=tmp_path / "config", data_folder=tmp_path / "data")


def named(source: MasterKeySource, *keys: str) -> MasterKeySource:
    """The master keys in the environment instead."""
    env = {"UNDAUNTED_MASTER_KEY": ",".join(keys)}
    folder = source.path.parent
    return MasterKeySource(env, config_folder=folder, data_folder=folder.parent / "data")


def file_keys(source: MasterKeySource) -> tuple[str, ...]:
    found = source.read()
    assert found is not None
    return found.keys


async def fill(store: Store, source: MasterKeySource) -> None:
    await store.put_key(source, "claude", "default", CLAUDE)
    await store.put_key(source, "claude", "work", WORK)
    await store.put_key(source, "opencode", "default", OPENCODE)


ALL = {("claude", "default"): CLAUDE, ("claude", "work"): WORK, ("opencode", "default"): OPENCODE}


async def test_without_a_key_no_master_key_is_needed(store: Store, source: MasterKeySource) -> None:
    """Who stores none is not asked for one, and none is made."""
    assert await store.stored_keys(source) == {}
    assert await store.key_rows() == []
    assert not source.path.exists()


async def test_keys_come_back_as_they_were_set(
    store: Store, source: MasterKeySource, now: datetime
) -> None:
    """One for each login, in order; the rows tell everything but the value."""
    await fill(store, source)
    assert await store.stored_keys(source) == ALL
    rows = await store.key_rows()
    assert [(row.agent, row.account, row.variable) for row in rows] == [
        (*whose, key.variable) for whose, key in ALL.items()
    ]
    assert {(row.created_at, row.updated_at) for row in rows} == {(now, now)}


async def test_no_value_is_in_the_file(store: Store, source: MasterKeySource) -> None:
    """Neither in the database nor in its log."""
    await fill(store, source)
    await store.put_key(source, "claude", "default", WORK)
    files = [p for p in store.folder.rglob("*") if p.is_file()]
    assert files
    for path in files:
        assert b"secret" not in path.read_bytes()
    assert all("secret" not in repr(row) for row in await store.key_rows())


async def test_a_key_that_is_set_again_replaces_the_one_before(
    store: Store, source: MasterKeySource
) -> None:
    """Its variable too."""
    await fill(store, source)
    await store.put_key(source, "claude", "default", OPENCODE)
    assert await store.stored_keys(source) == ALL | {("claude", "default"): OPENCODE}


async def test_a_key_is_deleted_once(store: Store, source: MasterKeySource) -> None:
    """The others stay; no master key is asked for."""
    await fill(store, source)
    source.path.unlink()
    assert await store.delete_key("claude", "work")
    assert not await store.delete_key("claude", "work")
    assert [(r.agent, r.account) for r in await store.key_rows()] == [
        ("claude", "default"), ("opencode", "default"),
    ]  # fmt: skip


async def test_nothing_is_read_with_a_missing_or_wrong_master_key(
    store: Store, source: MasterKeySource
) -> None:
    """The error says what to do."""
    await fill(store, source)
    wrong = named(source, new_master_key())
    with pytest.raises(
        MasterKeyError, match=r"stored for claude can't be decrypted.*Put the right"
    ):
        await store.stored_keys(wrong)
    source.path.unlink()
    with pytest.raises(MasterKeyError, match=r"there is no master key.*is not set.*master\.key"):
        await store.stored_keys(source)


async def test_no_key_is_set_under_another_master_key_than_the_others(
    store: Store, source: MasterKeySource
) -> None:
    """A mistyped or lost master key does not become a second one."""
    await fill(store, source)
    with pytest.raises(MasterKeyError, match="can't be decrypted with UNDAUNTED_MASTER_KEY"):
        await store.put_key(named(source, new_master_key()), "gemini", "default", CLAUDE)
    kept = source.path.read_bytes()
    source.path.unlink()
    with pytest.raises(MasterKeyError, match="there is no master key"):
        await store.put_key(source, "gemini", "default", CLAUDE)
    assert not source.path.exists()
    source.path.write_bytes(kept)
    source.path.chmod(0o600)
    assert await store.stored_keys(source) == ALL


async def test_the_only_key_can_be_set_again_after_the_master_key_was_lost(
    store: Store, source: MasterKeySource
) -> None:
    """What can't be read is overwritten, with a master key of its own."""
    await store.put_key(source, "claude", "default", CLAUDE)
    source.path.unlink()
    await store.put_key(source, "claude", "default", WORK)
    assert await store.stored_keys(source) == {("claude", "default"): WORK}


async def test_rotation_leaves_one_new_master_key(store: Store, source: MasterKeySource) -> None:
    """Every key is still there, and the old master key opens none of them."""
    await fill(store, source)
    old = file_keys(source)
    assert await store.rotate_keys(source) == 3
    new = file_keys(source)
    assert len(new) == 1
    assert new != old
    assert await store.stored_keys(source) == ALL
    with pytest.raises(MasterKeyError):
        await store.stored_keys(named(source, *old))


class DyingError(Exception):
    """Stands for the process's death."""


class Dying(MasterKeySource):
    """Dies at one of its writes: before it or after it."""

    def __init__(self, source: MasterKeySource, *, at: int, after: bool) -> None:
        folder = source.path.parent
        super().__init__({}, config_folder=folder, data_folder=folder.parent / "data")
        self._left, self._after = at, after

    def write(self, keys) -> MasterKeys:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise DyingError
        written = super().write(keys)
        if self._left == 0:
            raise DyingError
        return written


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", [1, 2], ids=["first write", "second write"])
async def test_a_rotation_that_dies_loses_no_key(
    store: Store, source: MasterKeySource, at: int, after: bool
) -> None:
    """At each place the keys can still be read, and the next rotation leaves one master key."""
    await fill(store, source)
    with pytest.raises(DyingError):
        await store.rotate_keys(Dying(source, at=at, after=after))
    assert await store.stored_keys(source) == ALL
    await store.put_key(source, "claude", "default", CLAUDE)
    assert await store.rotate_keys(source) == 3
    assert len(file_keys(source)) == 1
    assert await store.stored_keys(source) == ALL


async def test_rotation_with_a_wrong_master_key_changes_nothing(
    store: Store, source: MasterKeySource
) -> None:
    """Neither the rows nor the file."""
    await fill(store, source)
    right = source.path.read_bytes()
    source.write([new_master_key()])
    wrong, rows = source.path.read_bytes(), await store.key_rows()
    with pytest.raises(MasterKeyError, match="can't be decrypted"):
        await store.rotate_keys(source)
    assert (source.path.read_bytes(), await store.key_rows()) == (wrong, rows)
    source.path.write_bytes(right)
    assert await store.stored_keys(source) == ALL


async def test_rotation_in_the_environment_goes_over_to_the_first_key(
    store: Store, source: MasterKeySource
) -> None:
    """With one key only there is nothing to go over to; afterwards the first opens all."""
    old, new = new_master_key(), new_master_key()
    await fill(store, named(source, old))
    with pytest.raises(MasterKeyError, match="holds one key only: put a new one before it"):
        await store.rotate_keys(named(source, old))
    assert await store.rotate_keys(named(source, new, old)) == 3
    assert await store.stored_keys(named(source, new)) == ALL
    assert not source.path.exists()


async def test_rotations_readers_and_writers_at_once_lose_nothing(
    store: Store, source: MasterKeySource, tmp_path: Path
) -> None:
    """Keys that are read and set while the master key changes are always there."""
    await fill(store, source)
    async with await Store.open(store.folder, clock_now=store._clock_now) as other:

        async def rotate(which: Store) -> None:
            for _ in range(4):
                await which.rotate_keys(source)

        async def read() -> None:
            for _ in range(20):
                assert (await other.stored_keys(source)).items() >= ALL.items()

        async def write() -> None:
            for number in range(8):
                await other.put_key(source, "gemini", f"n{number}", CLAUDE)

        await asyncio.gather(rotate(store), rotate(other), read(), write())
    keys = await store.stored_keys(source)
    assert len(keys) == len(ALL) + 8
    await store.rotate_keys(source)
    assert len(file_keys(source)) == 1
