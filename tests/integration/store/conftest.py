"""Processes that use a store's folder beside the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Child = subprocess.Popen[str]
StartChild = Callable[..., Child]


@pytest.fixture
def start_child() -> Iterator[StartChild]:
    """Starts `children.py` in a role; what still lives at the end of the test is killed."""
    children: list[Child] = []

    def start(role: str, folder: Path, *arguments: str) -> Child:
        child = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("children.py")),
                role,
                str(folder),
                *arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
