"""The keys that a person stores: set, list, delete, and a change of the master key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from undaunted.errors import ConfigurationError, NotFoundError
from undaunted.store.key_vault import KeyVault, StoredKey
from undaunted.store.master_key import MASTER_KEY_VARIABLE, MasterKeySource
from undaunted.store.store import Store
from undaunted.tasks import agent_key, split_key

__all__ = ["KEY_MAX_CHARS", "KeyReport", "KeyService"]

KEY_MAX_CHARS = 64 * 1024
"""Longest value; Linux hands a program variables of up to 128 KiB."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A stored key as `keys list` shows it: never the value.

    Attributes:
        agent: Whose it is.
        account: For which login.
        variable: The environment variable that it is handed over in.
        fingerprint: 8 hexadecimal digits that change with the value; None where it can't be read.
        created_at: First stored.
        updated_at: Last stored.
    """

    agent: str
    account: str
    variable: str
    fingerprint: str | None
    created_at: datetime
    updated_at: datetime


class KeyService:
    """The rules of the front doors for stored keys.

    Args:
        store: Where they are.
        source: Where the master key is.
        variables: The variable in which each agent's program expects a key, by the agent's name;
            empty where it has none of its own.
    """

    def __init__(
        self, store: Store, source: MasterKeySource, *, variables: Mapping[str, str]
    ) -> None:
        self._store = store
        self._source = source
        self._variables = variables

    def variable(self, key: str, named: str | None = None) -> str:
        """The variable for the login `key`: the one that was `named`, or its agent's own.

        Args:
            key: `AGENT` or `AGENT/ACCOUNT`.
            named: The variable that the person asked for.

        Raises:
            ConfigurationError: There is no such agent, the account or the variable can't be called
                that, or the agent has no variable of its own.
        """
        agent, account = split_key(key)
        self._check_agent(agent)
        if _ACCOUNT.fullmatch(account) is None or key.endswith("/"):
            raise ConfigurationError(
                f"{key}: an account's name has letters, digits, '-' and '_': {agent}/work"
            )
        variable = named or self._variables[agent]
        if not variable:
            raise ConfigurationError(
                f"{agent} asks for the key of whichever provider it uses: name the variable, for "
                "example --name OPENROUTER_API_KEY"
            )
        if _VARIABLE.fullmatch(variable) is None:
            raise ConfigurationError(f"--name {variable}: is no name of a variable")
        return variable

    async def set(self, key: str, value: str, *, variable: str | None = None) -> str:
        """Stores `value` for the login `key` in place of an earlier one; returns the variable.

        Args:
            key: `AGENT` or `AGENT/ACCOUNT`.
            value: The secret, without the newline that a pipe puts behind it.
            variable: The variable to hand it over in; None is the agent's own.

        Raises:
            ConfigurationError: A name is wrong, or the value is empty, too long, or none that a
                variable can hold.
            MasterKeyError: The master key can't be used.
        """
        used = self.variable(key, variable)
        if not value.strip():
            raise ConfigurationError("the key is empty: nothing was stored")
        if len(value) > KEY_MAX_CHARS:
            raise ConfigurationError(f"the key is longer than {KEY_MAX_CHARS} characters")
        if "\0" in value:
            raise ConfigurationError("the key holds a NUL character, which no variable can")
        await self._store.put_key(self._source, *split_key(key), StoredKey(used, value))
        return used

    async def list(self) -> tuple[list[KeyReport], str]:
        """Every stored key by agent and account, and why some can't be read (empty: all can)."""
        keys, problems = await self._store.readable_keys(self._source)
        problem = "\n".join(dict.fromkeys(problems.values()))
        fingerprints: dict[tuple[str, str], str] = {}
        master = self._source.read() if keys else None
        if master is not None:
            vault = KeyVault(master)
            fingerprints = {whose: vault.fingerprint(key) for whose, key in keys.items()}
        rows = await self._store.key_rows()
        reports = [
            KeyReport(
                row.agent,
                row.account,
                row.variable,
                fingerprints.get((row.agent, row.account)),
                row.created_at,
                row.updated_at,
            )
            for row in rows
        ]
        return reports, problem

    async def delete(self, key: str) -> None:
        """Forgets the key of the login `key`; needs no master key.

        One of an agent that there is no more can be forgotten, too.

        Raises:
            NotFoundError: None is stored for it; the text names those that are.
            ConfigurationError: There is no such agent.
        """
        agent, account = split_key(key)
        if key.endswith("/"):  # an empty variable of a shell, say; the agent's own key is not meant
            raise ConfigurationError(f"{key}: names no account: {agent}/work, or only {agent}")
        if not await self._store.delete_key(agent, account):
            self._check_agent(agent)
            rows = await self._store.key_rows()
            stored = ", ".join(agent_key(row.agent, row.account) for row in rows) or "none"
            raise NotFoundError(f"no key is stored for {key}; stored are: {stored}")

    async def rotate(self) -> tuple[int, str]:
        """Changes the master key; returns how many keys were encrypted anew, and what is left.

        Raises:
            MasterKeyError: There is no master key, it does not open every key, or the variable
                holds only one.
        """
        count = await self._store.rotate_keys(self._source)
        if not self._source.in_environment:
            return count, ""
        return count, (
            f"take the old master keys away: leave only the first in {MASTER_KEY_VARIABLE}"
        )

    def _check_agent(self, agent: str) -> None:
        if agent not in self._variables:
            known = ", ".join(self._variables)
            raise ConfigurationError(f"no agent {agent!r}; known are {known}")
