"""The command line can be imported where POSIX's own modules and signals are missing (Windows).

There `run` says that it does not work; the policies, `explain` and the rest of the library do.
"""

from __future__ import annotations

import subprocess
import sys

# Stands for Windows as far as imports go: it can't be had here.
_SCRIPT = """
import asyncio, importlib.abc, signal, sys
for name in ("SIGHUP", "SIGKILL", "SIGQUIT"):
    delattr(signal, name)
missing = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in missing:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
for name in missing:
    sys.modules.pop(name, None)
import undaunted.resilience
from undaunted.app import App
from undaunted.cli.main import run_command_line
sys.exit(run_command_line(App({}), ["explain", "--agent", "codex", "--exit-code", "-15"]))
"""


def test_imports() -> None:
    """`explain` works without them."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "interrupted" in done.stdout
