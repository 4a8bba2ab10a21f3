"""Encrypts and decrypts the stored keys.

A row's token is Fernet's (AES-128-CBC with HMAC-SHA256) and holds, beside the value, whose key it
is and for which variable: a row that was altered, or a token that was moved to another row, is
refused. Otherwise whoever may write the file could have one vendor's key sent to another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from undaunted.store.master_key import MASTER_KEY_VARIABLE, MasterKeyError, MasterKeys
from undaunted.tasks import agent_key

__all__ = ["KeyVault", "StoredKey"]

# Of the digest; enough to tell a few keys apart, and too few to say anything about one.
_FINGERPRINT_CHARS = 8


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key that the person stored for one of an agent's logins.

    Attributes:
        variable: The environment variable in which the agent's program expects it.
        value: The secret; not in the `repr`.
    """

    variable: str
    value: str = field(repr=False)


class KeyVault:
    """Seals and opens keys with the master key.

    Args:
        master: The master key, and those before it that still decrypt.
    """

    def __init__(self, master: MasterKeys) -> None:
        self._master = master
        self._fernet = MultiFernet([Fernet(key) for key in master.keys])

    def seal(self, agent: str, account: str, key: StoredKey) -> str:
        """The token to store for the key of `agent` and `account`."""
        content = json.dumps([agent, account, key.variable, key.value])
        return self._fernet.encrypt(content.encode()).decode()

    def open(self, agent: str, account: str, variable: str, token: str) -> StoredKey:
        """The key in `token`, which was stored for this agent, account and variable.

        Raises:
            MasterKeyError: The master key is another one, or the row was altered.
        """
        whose = agent_key(agent, account)
        try:
            content = self._fernet.decrypt(token)
        except InvalidToken as error:
            raise MasterKeyError(
                f"the key stored for {whose} can't be decrypted with {self._master.origin}: the "
                "master key is another one, or the row was altered. Put the right master key back "
                f"(of several in {MASTER_KEY_VARIABLE}, with commas, each decrypts), or give the "
                f"key up: undaunted keys delete {whose}"
            ) from error
        *place, value = json.loads(content)
        if place != [agent, account, variable]:
            raise MasterKeyError(
                f"the row of the key stored for {whose} was altered: its content was stored for "
                f"{agent_key(*place[:2])} as {place[2]}. Delete it and set it again: "
                f"undaunted keys delete {whose}"
            )
        return StoredKey(variable, value)

    def reseal(self, token: str) -> str:
        """The same content under the first master key.

        Raises:
            MasterKeyError: No master key opens `token`.
        """
        try:
            return self._fernet.rotate(token).decode()
        except InvalidToken as error:
            raise MasterKeyError(f"a key can't be decrypted with {self._master.origin}") from error

    def fingerprint(self, key: StoredKey) -> str:
        """8 hexadecimal digits by which a person tells two values apart.

        HMAC-SHA256 of the value under the master key: without that key it can't be compared with a
        guess, and it changes when the master key does.
        """
        digest = hmac.new(self._master.keys[0].encode(), key.value.encode(), hashlib.sha256)
        return digest.hexdigest()[:_FINGERPRINT_CHARS]
