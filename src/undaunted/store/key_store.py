"""The stored keys: one for each of an agent's logins, encrypted with the master key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from undaunted.store.engine import Database
from undaunted.store.key_vault import KeyVault, StoredKey
from undaunted.store.master_key import (
    MASTER_KEY_VARIABLE,
    MasterKeyError,
    MasterKeys,
    MasterKeySource,
    new_master_key,
)
from undaunted.store.models import StoredKeyModel

__all__ = ["KeyRow", "KeyStore"]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A stored key as it lies in the file.

    Attributes:
        agent: Whose it is.
        account: For which login.
        variable: The environment variable that it is handed over in.
        token: The encrypted content.
        created_at: First stored.
        updated_at: Last stored.
    """

    agent: str
    account: str
    variable: str
    token: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


class KeyStore:
    """The part of `Store` that keeps keys.

    The master key is read within the transaction that needs it, and its file changed only within
    one that writes: so two processes can't set and rotate past each other.
    """

    _database: Database
    _clock_now: Callable[[], datetime]

    async def key_rows(self) -> list[KeyRow]:
        """Every stored key as it lies there, by agent and account; needs no master key.

        Raises:
            StoreError: The file can't be read.
        """
        async with self._database.read() as session:
            return [_row(model) for model in await _models(session)]

    async def stored_keys(self, source: MasterKeySource) -> Mapping[tuple[str, str], StoredKey]:
        """Every stored key by (agent, account). Without a row, no master key is needed.

        Raises:
            MasterKeyError: There is no master key, or it is another one.
            StoreError: The file can't be read.
        """
        rows = await self.key_rows()
        if not rows:
            return {}
        try:
            return _open(rows, _present(source))
        except MasterKeyError:
            # It may have been rotated between two looks; nobody rotates while we may write.
            async with self._database.write() as session:
                return _open(await _models(session), _present(source))

    async def readable_keys(
        self, source: MasterKeySource
    ) -> tuple[Mapping[tuple[str, str], StoredKey], Mapping[tuple[str, str], str]]:
        """The stored keys that can be read, and why the others can't, by (agent, account).

        Raises:
            StoreError: The file can't be read.
        """
        rows = await self.key_rows()
        keys, problems = _open_each(rows, source)
        if problems:
            # It may have been rotated between two looks; nobody rotates while we may write.
            async with self._database.write() as session:
                return _open_each(await _models(session), source)
        return keys, problems

    async def put_key(
        self, source: MasterKeySource, agent: str, account: str, key: StoredKey
    ) -> None:
        """Stores the key of one login, in the place of the one before; makes a first master key.

        Raises:
            MasterKeyError: The master key does not open the other keys: this one would need
                another master key than they do.
            StoreError: The file can't be written.
        """
        async with self._database.write() as session:
            models = await _models(session)
            others = [m for m in models if (m.agent, m.account) != (agent, account)]
            if others:
                _open(others, _present(source))
            token = KeyVault(source.read_or_make()).seal(agent, account, key)
            now = self._clock_now()
            stored = await session.get(StoredKeyModel, (agent, account))
            if stored is None:
                stored = StoredKeyModel(agent=agent, account=account, created_at=now)
                session.add(stored)
            stored.variable, stored.token, stored.updated_at = key.variable, token, now

    async def delete_key(self, agent: str, account: str) -> bool:
        """Forgets the key of one login; returns whether there was one. Needs no master key.

        Raises:
            StoreError: The file can't be written.
        """
        model = StoredKeyModel
        doomed = delete(model).where(model.agent == agent, model.account == account)
        async with self._database.write() as session:
            return bool((await session.scalars(doomed.returning(model.agent))).all())

    async def rotate_keys(self, source: MasterKeySource) -> int:
        """Encrypts every stored key anew, and returns how many there are.

        With the file a fresh master key is made, and the old ones are gone at the end. A process
        that dies on the way leaves keys that can be read, and the next rotation finishes: the file
        has the new master key beside the old ones before anything is encrypted with it, and loses
        the old ones when nothing needs them any more. With the variable the first of its keys is
        the one to change to.

        Raises:
            MasterKeyError: There is no master key, it does not open every stored key, or the
                variable holds only one.
            StoreError: The file can't be written.
        """
        async with self._database.write() as session:
            models = await _models(session)
            before = _present(source)
            _open(models, before)
            master = _next(source, before)
            vault = KeyVault(master)
            for model in models:
                model.token = vault.reseal(model.token)
        if not source.in_environment:
            await self._drop_old(source)
        return len(models)

    async def _drop_old(self, source: MasterKeySource) -> None:
        async with self._database.write() as session:
            master = _present(source)
            newest = MasterKeys(master.keys[:1], master.origin)
            try:
                _open(await _models(session), newest)
            except MasterKeyError:
                return  # another rotation began and died meanwhile: the next one finishes both
            source.write(newest.keys)


def _next(source: MasterKeySource, before: MasterKeys) -> MasterKeys:
    """The master keys to encrypt anew with, the new one first."""
    if not source.in_environment:
        return source.write((new_master_key(), *before.keys))
    if len(before.keys) == 1:
        raise MasterKeyError(
            f"{MASTER_KEY_VARIABLE} holds one key only: put a new one before it, with a comma "
            "between them, rotate again, and take the old one away then"
        )
    return before


def _open(
    rows: Iterable[StoredKeyModel | KeyRow], master: MasterKeys
) -> dict[tuple[str, str], StoredKey]:
    vault = KeyVault(master)
    return {
        (row.agent, row.account): vault.open(row.agent, row.account, row.variable, row.token)
        for row in rows
    }


def _open_each(
    rows: Sequence[StoredKeyModel | KeyRow], source: MasterKeySource
) -> tuple[dict[tuple[str, str], StoredKey], dict[tuple[str, str], str]]:
    keys: dict[tuple[str, str], StoredKey] = {}
    problems: dict[tuple[str, str], str] = {}
    if not rows:
        return keys, problems
    try:
        vault = KeyVault(_present(source))
    except MasterKeyError as error:
        return keys, {(row.agent, row.account): str(error) for row in rows}
    for row in rows:
        whose = (row.agent, row.account)
        try:
            keys[whose] = vault.open(*whose, row.variable, row.token)
        except MasterKeyError as error:
            problems[whose] = str(error)
    return keys, problems


def _present(source: MasterKeySource) -> MasterKeys:
    master = source.read()
    if master is None:
        raise MasterKeyError(
            f"there is no master key: {MASTER_KEY_VARIABLE} is not set, and {source.path} is not "
            "there. Put the one back that the stored keys were encrypted with, or delete them "
            "(undaunted keys list, undaunted keys delete) and set them again"
        )
    return master


async def _models(session: AsyncSession) -> Sequence[StoredKeyModel]:
    model = StoredKeyModel
    return (await session.scalars(select(model).order_by(model.agent, model.account))).all()


def _row(model: StoredKeyModel) -> KeyRow:
    return KeyRow(
        agent=model.agent,
        account=model.account,
        variable=model.variable,
        token=model.token,
        created_at=model.created_at,
        updated_at=model.updated_at,
    )
