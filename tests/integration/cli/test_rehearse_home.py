"""`rehearse` stays in its throw-away home, whatever the person's settings say."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import pytest

from integration.cli.shell import Shell

pytest.importorskip("uvicorn")

# Stands for any program: it says where it lives, and what it was asked for, and fails.
_TELLER = """\
import json, os, sys
with open(sys.argv[1], "w") as file:
    json.dump({"home": os.environ["HOME"], "arguments": sys.argv[2:]}, file)
sys.exit(1)
"""


def test_neither_user_nor_model_leads_out_of_the_throwaway_home(
    shell: Shell, tmp_path: Path
) -> None:
    """`run_as` would bring that user's own home, and the rehearsal has no real model."""
    told = tmp_path / "told.json"
    command = json.dumps([sys.executable, "-c", _TELLER, str(told)])
    shell.configure(
        f"attempts = 1\n[agents.claude]\ncommand = {command}\n"
        f'model = "real"\nrun_as = "{getpass.getuser()}"'
    )
    shell.run("rehearse", "--agent", "claude", "--fault", "500", "--alone")
    found = json.loads(told.read_text())
    assert found["home"].startswith(shell.env["UNDAUNTED_DATA_DIR"])
    assert "real" not in found["arguments"]


def test_a_stated_time_names_no_agent(shell: Shell) -> None:
    """`429;retry-after=3600:1` is taken with --agent, as the documentation writes it."""
    shell.configure("[agents.claude]\ncommand = ['not-there']")
    fault = "429;retry-after=3600:1"
    done = shell.run("rehearse", "--agent", "claude", "--fault", fault, "--alone")
    assert "not tried: not-there is not on PATH" in done.stderr
    assert "undaunted show" not in done.stderr
