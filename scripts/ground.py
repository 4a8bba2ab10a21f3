"""Where the project is, how the setup scripts run a command and remember what is done."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


class SetupError(Exception):
    """Setting up can't go on; the text says why and what a person can do."""


def say(text: str) -> None:
    """Prints a line for the person at the terminal."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    advice: str,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs `command`, its output shown.

    Args:
        command: Program and arguments; no shell reads them.
        advice: What a person can do when it fails.
        cwd: Where it runs.
        env: Its whole environment; None hands on ours.

    Raises:
        SetupError: It could not be started or did not end with 0.
    """
    words = [str(word) for word in command]
    try:
        status = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, check=False
        ).returncode
    except OSError as error:
        raise SetupError(f"{words[0]} can't be started ({error.strerror}). {advice}") from error
    if status:
        raise SetupError(f"this failed with status {status}: {shlex.join(words)}\n{advice}")


def fingerprint(files: Iterable[Path], *facts: str) -> str:
    """A digest that changes when one of the `files` or `facts` does."""
    digest = hashlib.sha256()
    for part in (*(file.read_bytes() for file in files), *(fact.encode() for fact in facts)):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


class Stamp:
    """Remembers in a file that something was set up, and from what.

    Args:
        file: Where; inside what was set up, so that both go together.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def says(self, made_from: str) -> bool:
        """Whether the last finished setup was made from the same."""
        return self._file.is_file() and self._file.read_text() == made_from

    def clear(self) -> None:
        """To be called before a change: one that breaks off must not look finished."""
        self._file.unlink(missing_ok=True)

    def write(self, made_from: str) -> None:
        """To be called when all is done."""
        self._file.write_text(made_from)
