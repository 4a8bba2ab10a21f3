"""What becomes of errors on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undaunted.agents.reader import OutputReader
from undaunted.cli.doors import Doors
from undaunted.cli.main import DEBUG_VARIABLE, run_command_line
from undaunted.config import Configuration, Settings
from undaunted.errors import ConfigurationError, StoreError
from undaunted.events import Listener
from undaunted.service import Service


class ShutDoors:
    """Doors that lead nowhere: every one of them raises `error`."""

    def __init__(self, error: BaseException) -> None:
        self.env: Mapping[str, str] = {}
        self.readers: Mapping[str, Callable[[], OutputReader]] = {}
        self._error = error

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def new_id(self) -> str:
        return "0123456789ab-cdef"

    def data_folder(self) -> Path:
        raise self._error

    def config_folder(self) -> Path:
        raise self._error

    def configuration(self, cwd: Path, flags: Mapping[str, object]) -> Configuration:
        return Configuration(Settings.model_validate(flags), {})

    def service(
        self, configuration: Configuration, *, emit: Listener, rehearsal: bool
    ) -> AbstractAsyncContextManager[Service]:
        raise self._error


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--jsn", "Hello"], "--json"),
        (["--timeout", "soon", "Hello"], "30m"),
        (["--idle-timeout", "-5", "Hello"], "'--idle-timeout': '-5' is no duration"),
        (["--attempts", "0", "Hello"], "--attempts"),
        (["--permissions", "all", "Hello"], "full"),
        (["--cwd", "nowhere", "Hello"], "nowhere"),
        (["--cwd", __file__, "Hello"], "is no folder"),
        (["--output", "nowhere/answer.txt", "Hello"], "nowhere"),
        (["--output", ".", "Hello"], "is a folder"),
        (["--json", "--events", "Hello"], "choose one"),
        (["two", "prompts"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_says_what_would_do(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, a text that helps on stderr, nothing on stdout; no store is opened for it."""
    doors: Doors = ShutDoors(AssertionError("opened"))
    assert run_command_line(doors, ["run", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("Error: ")
    assert hint in printed.err
    if "--json" not in arguments:
        assert printed.out == ""


@pytest.mark.parametrize(
    ("error", "status", "hint"),
    [
        (StoreError("the disk is full"), 70, "Error: the disk is full\n"),
        (ConfigurationError("no such setting"), 2, "Error: no such setting\n"),
        (RuntimeError("a\x1b[31m bug"), 70, "RuntimeError: a bug\nRun it again with UNDAUNTED_D"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_a_sentence(
    error: BaseException, status: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, whatever was raised."""
    assert run_command_line(ShutDoors(error), ["tasks"]) == status
    printed = capsys.readouterr()
    assert hint in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_bug_shows_its_traceback_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """UNDAUNTED_DEBUG=1 is for a report."""
    doors = ShutDoors(RuntimeError("a bug"))
    doors.env = {DEBUG_VARIABLE: "1"}
    assert run_command_line(doors, ["tasks"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "detail_code"),
    [
        (["tasks", "--json"], "INTERNAL_ERROR", "STORE_UNUSABLE"),
        (["tasks", "--json", "--what"], "VALIDATION_ERROR", "INVALID_USAGE"),
    ],
)
def test_with_json_an_error_is_json_too(
    arguments: list[str], code: str, detail_code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """S16's error body stands on stdout, the text on stderr."""
    run_command_line(ShutDoors(StoreError("the disk is full")), arguments)
    printed = capsys.readouterr()
    body = json.loads(printed.out)
    assert body["error_code"] == code
    assert body["details"]["code"] == detail_code
    assert body["details"]["message"] in printed.err
    assert body["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert body["request_id"] == "req_0123456789ab"


def test_a_flag_behind_two_dashes_is_a_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    """`-- --json` asks for no JSON."""
    run_command_line(ShutDoors(StoreError("x")), ["run", "--", "--json"])
    assert capsys.readouterr().out == ""
