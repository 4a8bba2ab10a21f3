"""Sets up what a target of the Makefile needs; does nothing where it is there already.

Usage: python3 scripts/prepare.py run|dev
       python3 scripts/prepare.py lock [--upgrade]

`run` is a virtual environment (.venv) with what the command line needs, `dev` has all that tests
and checks need, the real agents included, and `lock` makes the locks anew. Standard library only.
"""

from __future__ import annotations

import sys

# Before the imports below, which an older Python can't read.
if sys.version_info < (3, 11):  # noqa: UP036 (it runs on whatever `python3` is)
    sys.exit(
        f"undaunted needs Python 3.11 or newer and this is {sys.version.split()[0]}: "
        "name a newer one, for example: make PYTHON=python3.12 run"
    )

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import environment
import locks
import real_agents
from ground import ROOT, SetupError, say


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps a second make from setting up at the same time; it waits, then finds all done.

    The lock is on the project's folder itself: it leaves no file behind and ends with the process.
    """
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another make is setting up: waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def main(arguments: list[str]) -> int:
    """Does what the first of `arguments` names and returns the exit status."""
    try:
        with _alone():
            if arguments == ["run"]:
                environment.ensure("run")
            elif arguments == ["dev"]:
                environment.ensure("dev")
                real_agents.ensure()
            elif arguments[:1] == ["lock"]:
                locks.make(arguments[1:])
            else:
                print(__doc__, file=sys.stderr)
                return 2
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
