"""The command line as a real process, on folders of its own, with agents that a test scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cli.shell import Doorbell, Shell


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes share their compiled modules: most of a start is compiling."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def shell(tmp_path: Path, bytecode: Path) -> Iterator[Shell]:
    """A shell in an empty folder, with an empty store and no settings."""
    work = tmp_path / "work"
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {
        "UNDAUNTED_DATA_DIR": str(tmp_path / "data"),
        "UNDAUNTED_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHONPYCACHEPREFIX": str(bytecode),
        "NO_COLOR": "1",
    }
    found = Shell(work, env)
    yield found
    for process in found.started:
        process.kill()
        process.communicate()


@pytest.fixture
def doorbell(tmp_path: Path) -> Doorbell:
    """A pipe on which the fake says that it runs."""
    path = tmp_path / "doorbell"
    os.mkfifo(path)
    return Doorbell(path)
