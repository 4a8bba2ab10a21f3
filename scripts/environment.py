"""The virtual environment: made when missing, filled from a lock with hashes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Literal

from ground import PYTHON, ROOT, VENV, SetupError, Stamp, fingerprint, run, say

Purpose = Literal["run", "dev"]

_OFFLINE = "Is there a network? Without one this works only once everything is set up."


def ensure(purpose: Purpose) -> None:
    """Makes .venv hold what `purpose` needs, exactly as its lock says.

    Args:
        purpose: `run` for the command line alone, `dev` for tests and checks as well. What was set
            up for `dev` serves `run` too, since both locks name the same versions.

    Raises:
        SetupError: It can't be done; the text says what to do.
    """
    if PYTHON.exists() and (_is_done(purpose) or (purpose == "run" and _is_done("dev"))):
        return
    _ensure_made()
    stamp = _stamp(purpose)
    stamp.clear()
    say(f"installing requirements/{purpose}.txt into .venv")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "-q", "--disable-pip-version-check", "install"]
    run([*pip, "--require-hashes", "-r", _lock(purpose)], advice=_OFFLINE)
    # Its dependencies and hatchling are there: the index is not asked, whoever else has this name.
    run(
        [*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", ROOT],
        advice="The package itself could not be built: see above.",
    )
    stamp.write(_made_from(purpose))


def _lock(purpose: Purpose) -> Path:
    return ROOT / "requirements" / f"{purpose}.txt"


def _made_from(purpose: Purpose) -> str:
    return fingerprint([_lock(purpose), ROOT / "pyproject.toml"], str(ROOT))


def _stamp(purpose: Purpose) -> Stamp:
    return Stamp(VENV / f"set-up-for-{purpose}")


def _is_done(purpose: Purpose) -> bool:
    return _stamp(purpose).says(_made_from(purpose))


def _ensure_made() -> None:
    # Written last: an environment without it was broken off or made by something else. One that was
    # moved is made anew, since its commands name the interpreter by its full path.
    made = Stamp(VENV / "made-in")
    if PYTHON.exists() and made.says(str(ROOT)):
        return
    _ensure_ensurepip()
    say(f"making .venv with Python {sys.version.split()[0]}")
    run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        advice=f"Remove {VENV} and try again, or name another Python: make PYTHON=...",
    )
    made.write(str(ROOT))


def _ensure_ensurepip() -> None:
    """Debian keeps the part of `venv` that installs pip in a package of its own."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        raise SetupError(
            f"this Python can't make virtual environments. On Debian and Ubuntu: "
            f"apt-get install {package}; elsewhere install the `ensurepip` and `venv` modules."
        )
    say(f"installing the system package {package}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    advice = f"Install {package} and try again."
    run([apt_get, "update", "--quiet=2"], advice=advice, env=env)
    run(
        [apt_get, "install", "--quiet=2", "--yes", "--no-install-recommends", package],
        advice=advice,
        env=env,
    )
