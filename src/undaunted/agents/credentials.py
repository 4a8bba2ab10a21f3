"""Which credential an agent's program would use, and which variables it must not see for that.

The order is: the account's own key, then the caller's variable, then the program's own login. A
paid key never replaces a subscription unless the account says so: some programs take a key from
the environment first, and bill it, while a paid-up plan lies idle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from undaunted.agents.account import Account

__all__ = ["Credential", "CredentialKind", "CredentialSource", "Credentials"]

CredentialKind = Literal["key", "login", "subscription"]
"""`key`: every request is paid for. `subscription`: a plan with limits. `login`: the program's own,
of which it can't be said."""

# A login file is small; what is larger is not read to look for one.
_LOGIN_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """A place in which a vendor's program looks for its credential: a variable or a file.

    Attributes:
        kind: What is found there.
        variable: Name of the environment variable; empty for a file.
        file: Path below the configuration folder; empty for a variable.
        key_path: Keys that lead to a value in the file's JSON object; without that value the file
            holds no such login. Empty: the file's being there is enough.
    """

    kind: CredentialKind
    variable: str = ""
    file: str = ""
    key_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """What an agent would log in with.

    Attributes:
        kind: See `CredentialKind`.
        source: Where it is, for a person: `ANTHROPIC_API_KEY`, `.claude/.credentials.json`, `the
            key stored for the account`.
        withheld: Variables of the caller's that are kept from the program, so that this credential
            is the one that it uses.
    """

    kind: CredentialKind
    source: str
    withheld: tuple[str, ...] = ()


class Credentials:
    """The credentials of one account of one agent.

    Args:
        sources: All places, in the order in which the vendor's program looks.
        env: The caller's environment.
        folder: The vendor's configuration folder.
        account: The account.
    """

    def __init__(
        self,
        sources: Sequence[CredentialSource],
        *,
        env: Mapping[str, str],
        folder: Path,
        account: Account,
    ) -> None:
        self._sources = sources
        self._env = env
        self._folder = folder
        self._account = account

    def used(self) -> Credential | None:
        """The credential that the program would use; None where none was found."""
        variables = self.foreign()
        if self._account.key is not None:
            return Credential("key", "the account's own key", variables)
        if not self._sources:
            return Credential("login", "its own")  # nothing is known of where it is kept
        found = list(self._found())
        if self._account.config_folder is not None and not self._account.prefer_key:
            first = next((s for s in found if s.file), None)
            return None if first is None else Credential(first.kind, first.file, variables)
        if not found:
            return None
        paid = [s for s in found if s.kind == "key" and s.variable]
        # What it would use without the keys that can be kept from it: those in variables.
        left = next((s for s in found if s not in paid), None)
        if self._account.prefer_key or left is None or left.kind != "subscription":
            first = found[0]
            return Credential(first.kind, first.variable or first.file)
        withheld = tuple(s.variable for s in paid)
        return Credential(left.kind, left.variable or left.file, withheld)

    def foreign(self) -> tuple[str, ...]:
        """Variables of the caller's that are not this account's, whether or not its own is found.

        An account with a key or a folder of its own has its login there: a program that finds none
        (it may be in a keychain) would take the caller's, and bill it.
        """
        account = self._account
        if account.key is None and (account.config_folder is None or account.prefer_key):
            return ()
        return tuple(s.variable for s in self._sources if s.variable and self._env.get(s.variable))

    def mark(self) -> str:
        """A digest that changes with any of them; says nothing about them otherwise.

        It covers the account's key, the variables, and the size and time of the login files, so
        that a new key or a new login ends a breaker that an old one opened.
        """
        digest = hashlib.sha256(f"{self._account.key or ''}\0".encode())
        for source in self._sources:
            if source.variable:
                value = self._env.get(source.variable, "")
                digest.update(f"{source.variable}={value}\0".encode())
                continue
            try:
                stat = (self._folder / source.file).stat()
            except OSError:
                continue  # no login there
            digest.update(f"{source.file}:{stat.st_size}:{stat.st_mtime_ns}\0".encode())
        return digest.hexdigest()[:16]

    def _found(self) -> Iterator[CredentialSource]:
        for source in self._sources:
            there = (
                bool(self._env.get(source.variable))
                if source.variable
                else _holds(self._folder / source.file, source.key_path)
            )
            if there:
                yield source


def _holds(path: Path, key_path: Sequence[str]) -> bool:
    """Whether `path` is a file that holds something at `key_path`."""
    try:
        if not key_path or path.stat().st_size > _LOGIN_MAX_BYTES:
            return path.is_file()
        value: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False  # not there, not ours to read, or no JSON: no login of this kind
    for key in key_path:
        if not isinstance(value, dict):
            return False
        value = cast("dict[str, object]", value).get(key)
    return bool(value)
