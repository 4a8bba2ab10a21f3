"""What a driver's error means to a person: what, where, and what to do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from undaunted.errors import StoreError

__all__ = ["database_error", "file_error"]

_ELSEWHERE = "or choose another folder with UNDAUNTED_DATA_DIR"
_FULL = f"the disk is full; free some space {_ELSEWHERE}"
_NOT_WRITABLE = f"it can't be opened for writing; make the file and its folder yours {_ELSEWHERE}"
_DAMAGED = f"it is not a database, or a damaged one; move it away {_ELSEWHERE}"
_LOCKED = "another process keeps it locked; wait for that process or end it, then try again"
_IO = f"the disk can't be read or written; see whether it is full or failing, {_ELSEWHERE}"

# Primary result codes (https://www.sqlite.org/rescode.html): the low byte of the extended ones.
_BY_SQLITE_CODE = {
    sqlite3.SQLITE_PERM: _NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_IOERR: _IO,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_BY_ERRNO = {
    errno.EDQUOT: _FULL,
    errno.ENOSPC: _FULL,
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EROFS: _NOT_WRITABLE,
}


def database_error(error: DBAPIError, path: Path) -> StoreError:
    """The StoreError to raise for a driver's `error` on the file at `path`."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    advice = None if code is None else _BY_SQLITE_CODE.get(code & 0xFF)
    said = f"the database said: {error.orig}"
    return StoreError(f"{path} can't be used: {advice} ({said})" if advice else f"{path}: {said}")


def file_error(error: OSError, path: Path) -> StoreError:
    """The StoreError to raise for the operating system's `error` on `path`."""
    said = error.strerror or str(error)
    advice = _BY_ERRNO.get(error.errno or 0, f"put it right {_ELSEWHERE}")
    return StoreError(f"{error.filename or path} can't be used: {advice} (the system said: {said})")
