"""What a test may need beyond Python and the development lock, and whether it is here.

A test names it: `@pytest.mark.needs("claude", "gemini")`. Where something is missing the test is
skipped and says what; in CI (`CI=true`) every skipped test fails (tests/conftest.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["AGENTS", "AGENTS_BIN", "ROOT", "agents_path", "missing"]

AGENTS = ("claude", "gemini", "copilot", "codex", "opencode")
"""The real agents that `make setup` installs."""

ROOT = Path(__file__).resolve().parent.parent

AGENTS_BIN = ROOT / "tests" / "tools" / "node_modules" / ".bin"
"""Where `make setup` puts the real agents and the `node` that runs them."""


def agents_path() -> str:
    """The PATH on which the real agents are found first, and their Node.js with them."""
    return f"{AGENTS_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def missing(name: str) -> str | None:
    """Why `name` can't be had on this machine; None if it is here.

    Args:
        name: One of `AGENTS`, `git`, `make`, `node`, `root`, ...

    Raises:
        KeyError: Nothing is known under that name.
    """
    return _CHECKS[name]()


def _real_agent(name: str) -> Callable[[], str | None]:
    def check() -> str | None:
        if (AGENTS_BIN / name).exists() and (AGENTS_BIN / "node").exists():
            return None
        return f"the real {name} is not installed: run `make setup`"

    return check


def _program(name: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"{name} is not on PATH"


_CHECKS: dict[str, Callable[[], str | None]] = {
    **{name: _real_agent(name) for name in AGENTS},
    "git": _program("git"),
    "make": _program("make"),
    "node": _real_agent("node"),
    "root": lambda: None if os.geteuid() == 0 else "it has to run as root",
}
