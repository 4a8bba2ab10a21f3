"""`make run` hands on the prompt as it was typed, whatever is in it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from needs import ROOT

pytestmark = pytest.mark.needs("make")

PROMPTS = [
    'say "hi" to $USER',
    "it's $$HOME $(HOME) ${HOME} `id` \\ #5 %",
    "two\nlines\n",
    "--help",
    "$(shell false) $(error expanded)",
    "grüße, 世界",
    "",
]


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """A program in the place of undaunted that prints its arguments as JSON."""
    program = tmp_path / "undaunted"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(0o700)
    return program


def _make_run(recorder: Path, *arguments: str, **env: str) -> str:
    # What an outer `make test` was told is not for this one.
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROMPT"}
    caller = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "--silent", "run", "PREPARE=:", f"UNDAUNTED={recorder}", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**caller, **env}, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_on_the_command_line_arrives_as_typed(recorder: Path, prompt: str) -> None:
    """`make run PROMPT=...` expands nothing in it."""
    first_line = _make_run(recorder, f"PROMPT={prompt}").splitlines()[0]
    assert json.loads(first_line) == ["run", "--rehearsal", "--", prompt]


@pytest.mark.parametrize("prompt", [*PROMPTS, "  blanks around  "])
def test_a_prompt_in_the_environment_arrives_as_typed(recorder: Path, prompt: str) -> None:
    """`PROMPT=... make run` expands nothing in it."""
    first_line = _make_run(recorder, PROMPT=prompt).splitlines()[0]
    assert json.loads(first_line) == ["run", "--rehearsal", "--", prompt]


def test_it_ends_with_the_command_for_real_agents(recorder: Path) -> None:
    """What stands there at last can be pasted into a shell and gives the same prompt."""
    prompt = PROMPTS[1]
    last_line = _make_run(recorder, f"PROMPT={prompt}").strip().splitlines()[-1]
    assert shlex.split(last_line) == [str(recorder), "run", "--", prompt]


def test_without_a_prompt_it_has_one_of_its_own(recorder: Path) -> None:
    """`make run` alone rehearses something."""
    first_line = _make_run(recorder).splitlines()[0]
    assert json.loads(first_line)[:3] == ["run", "--rehearsal", "--"]
    assert json.loads(first_line)[3].strip()
