"""The locks: exact versions with hashes, for every platform, and no registry's address in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ground import VENV, run
from real_agents import find_node

_COMPILE = (
    "pip", "compile", "pyproject.toml", "--quiet",
    "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
)  # fmt: skip


def make(options: Sequence[str] = ()) -> None:
    """Makes the locks in requirements/ and tests/tools anew.

    Args:
        options: For `uv pip compile`. Without `--upgrade` versions stay unless they no longer fit.

    Raises:
        SetupError: A lock could not be made; the text says why.
    """
    compile_lock: list[str | Path] = [VENV / "bin" / "uv", *_COMPILE, *options]
    dev, run_only = "requirements/dev.txt", "requirements/run.txt"
    advice = "The lock was not made: see above."
    run([*compile_lock, "--all-extras", "--group", "dev", "-o", dev], advice=advice)
    # The same versions as in the lock for development: an environment for one serves the other.
    run([*compile_lock, "--group", "build", "-c", dev, "-o", run_only], advice=advice)
    find_node().run_npm(
        ["install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
    )
