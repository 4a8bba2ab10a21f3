"""The master key, which opens the stored keys and lies apart from them.

It is in `UNDAUNTED_MASTER_KEY`, or in a file of the person's configuration folder that only they
can read. Of several keys the first encrypts and all decrypt; that is what makes changing them
possible (`undaunted keys rotate`).
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from undaunted.errors import ConfigurationError

__all__ = [
    "MASTER_KEY_FILE",
    "MASTER_KEY_VARIABLE",
    "MasterKeyError",
    "MasterKeySource",
    "MasterKeys",
    "new_master_key",
]

MASTER_KEY_VARIABLE = "UNDAUNTED_MASTER_KEY"
"""One Fernet key, or several with commas between them; the first encrypts."""

MASTER_KEY_FILE = "master.key"
"""Name of the file, a key on each line."""

# 32 bytes as URL-safe Base64 (https://github.com/fernet/spec). Python's decoder skips characters
# that are none of it, so that a mistyped key would become another one.
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_FILE_MAX_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class MasterKeyError(ConfigurationError):
    """The stored keys can't be read or written: the text says why and what to do."""

    detail_code = "MASTER_KEY_UNUSABLE"


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The master key in force, and those before it that still decrypt.

    Attributes:
        keys: Fernet keys, at least one; the first encrypts.
        origin: Where they are, for a person.
    """

    keys: tuple[str, ...] = field(repr=False)
    origin: str


def new_master_key() -> str:
    """A fresh Fernet key from the system's source of randomness."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


class MasterKeySource:
    """Where the master key is: the environment, or else the file.

    Concurrency: the file is replaced in one step, so a reader sees the old keys or the new ones.
    Two that change it must take turns (`KeyStore` lets them, in a transaction).

    Args:
        env: The caller's environment.
        config_folder: The folder of the file; made when the file is.
        data_folder: The store's folder, in which the file must not be.
    """

    def __init__(self, env: Mapping[str, str], *, config_folder: Path, data_folder: Path) -> None:
        self.path = config_folder / MASTER_KEY_FILE
        self._named = env.get(MASTER_KEY_VARIABLE, "")
        self._data_folder = data_folder

    @property
    def in_environment(self) -> bool:
        """Whether the variable says it; the file then counts for nothing."""
        return bool(self._named)

    def read(self) -> MasterKeys | None:
        """The master key; None where there is none yet.

        Raises:
            MasterKeyError: It is none, or others can read its file.
        """
        if self._named:
            return _parsed(self._named.split(","), MASTER_KEY_VARIABLE)
        text = self._read_file()
        return None if text is None else _parsed(text.splitlines(), str(self.path))

    def read_or_make(self) -> MasterKeys:
        """The master key; where there is none yet, a fresh one in the file.

        Raises:
            MasterKeyError: It is none, others can read its file, or the file can't be made.
        """
        return self.read() or self.write((new_master_key(),))

    def write(self, keys: Sequence[str]) -> MasterKeys:
        """Puts `keys` into the file, in one step and through to the disk.

        Raises:
            MasterKeyError: The file can't be written, or would be in the data folder.
        """
        folder = self.path.parent
        if folder.resolve().is_relative_to(self._data_folder.resolve()):
            raise MasterKeyError(
                f"{self.path}: the master key would be in the data folder, beside what it locks, "
                "and in every copy of it; choose another folder with UNDAUNTED_CONFIG_DIR, or set "
                f"{MASTER_KEY_VARIABLE}"
            )
        partly = self.path.with_name(f"{MASTER_KEY_FILE}.new")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partly.unlink(missing_ok=True)
            descriptor = os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 (a descriptor)
                file.write("".join(f"{key}\n" for key in keys))
                file.flush()
                os.fsync(file.fileno())
            partly.replace(self.path)
            _sync_folder(folder)
        except OSError as error:
            with suppress(OSError):  # what failed is told; the remains may be gone already
                partly.unlink()
            raise MasterKeyError(f"{self.path} can't be written: {error.strerror}") from error
        return MasterKeys(tuple(keys), str(self.path))

    def _read_file(self) -> str | None:
        try:
            with self.path.open("rb") as file:
                self._check_private(os.fstat(file.fileno()))
                data = file.read(_FILE_MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MasterKeyError(f"{self.path} can't be read: {error.strerror}") from error
        return data.decode("ascii", errors="replace")

    def _check_private(self, status: os.stat_result) -> None:
        if status.st_uid not in {os.geteuid(), 0}:
            raise MasterKeyError(f"{self.path} belongs to somebody else: make it your own")
        if status.st_mode & _OTHERS:
            raise MasterKeyError(
                f"{self.path} can be read or changed by others (mode "
                f"{stat.S_IMODE(status.st_mode):04o}): chmod 600 it; if somebody may have read it, "
                "also change it: undaunted keys rotate"
            )


def _parsed(written: Sequence[str], origin: str) -> MasterKeys:
    keys = tuple(stripped for each in written if (stripped := each.strip()))
    for number, key in enumerate(keys, start=1):
        if _KEY.fullmatch(key) is None:
            raise MasterKeyError(
                f"{origin}: key {number} of {len(keys)} is no master key: 32 random bytes as "
                "URL-safe Base64, which are 44 characters"
            )
    if not keys:
        raise MasterKeyError(f"{origin} holds no key: put the right one back")
    return MasterKeys(keys, origin)


def _sync_folder(folder: Path) -> None:
    """Makes sure that a file's new name survives a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
