"""What a driver's error becomes."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from undaunted.store.store_errors import database_error, file_error

PATH = Path("/data/undaunted.db")


def driver_error(code: int | None, text: str) -> OperationalError:
    error = sqlite3.OperationalError(text)
    if code is not None:
        error.sqlite_errorcode = code
    return OperationalError("INSERT INTO tasks (prompt) VALUES (?)", ("secret",), error)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full; free some space"),
        (sqlite3.SQLITE_BUSY, "another process keeps it locked; wait"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another process keeps it locked; wait"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "make the file and its folder yours"),
        (sqlite3.SQLITE_CANTOPEN, "make the file and its folder yours"),
        (sqlite3.SQLITE_IOERR_WRITE, "see whether it is full or failing"),
        (sqlite3.SQLITE_NOTADB, "move it away"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "move it away"),
    ],
)
def test_a_code_of_sqlite_says_what_to_do(code: int, advice: str) -> None:
    """Primary and extended codes lead to the advice; the file and the driver's words are there."""
    said = str(database_error(driver_error(code, "as it said"), PATH))
    assert advice in said
    assert str(PATH) in said
    assert "as it said" in said


@pytest.mark.parametrize("code", [None, sqlite3.SQLITE_MISUSE])
def test_an_error_without_advice_says_what_the_database_said(code: int | None) -> None:
    """An unknown error names the file and carries the driver's words."""
    said = str(database_error(driver_error(code, "as it said"), PATH))
    assert said == f"{PATH}: the database said: as it said"


def test_neither_statement_nor_values_are_in_the_text() -> None:
    """The text is for a person: a prompt in it would end in a log."""
    for code in (None, sqlite3.SQLITE_FULL):
        said = str(database_error(driver_error(code, "x"), PATH))
        assert "INSERT" not in said
        assert "secret" not in said


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EACCES, "make the file and its folder yours"),
        (errno.EROFS, "make the file and its folder yours"),
        (errno.ENOTDIR, "put it right"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(number: int, advice: str) -> None:
    """The error names the file that the system named, and the way out."""
    error = OSError(number, os.strerror(number), "/data/elsewhere")
    said = str(file_error(error, PATH))
    assert said.startswith("/data/elsewhere can't be used")
    assert advice in said
    assert "UNDAUNTED_DATA_DIR" in said
    assert str(PATH) in str(file_error(OSError(number, os.strerror(number)), PATH))
