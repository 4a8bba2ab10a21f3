"""Prints, after a rehearsal, the command that gives the same prompt to real agents.

Usage: PROMPT=... python3 scripts/real_command.py PATH_OF_UNDAUNTED
"""

from __future__ import annotations

import os
import shlex
import sys


def main() -> None:
    """Prints the command, quoted so that a shell hands on the prompt as it was typed."""
    command = shlex.join([sys.argv[1], "run", "--", os.environ["PROMPT"]])
    print(
        f"\nThat was a rehearsal. With the real agents (this spends your money):\n\n  {command}\n"
    )


if __name__ == "__main__":
    main()
