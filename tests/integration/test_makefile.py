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
    return _make(f"UNDAUNTED={recorder}", *arguments, **env).stdout


def _make(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    # What an outer `make test` was told is not for this one.
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROMPT"}
    caller = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "--silent", "run", "PREPARE=:", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**caller, **env}, capture_output=True, text=True, check=True
    )


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


@pytest.mark.parametrize("on_path", [True, False])
def test_it_ends_with_the_command_for_real_agents(recorder: Path, on_path: bool) -> None:
    """What stands there at last can be pasted into a shell and gives the same prompt."""
    prompt = PROMPTS[1]
    folders = [p for p in os.environ["PATH"].split(":") if not Path(p, "undaunted").exists()]
    path = ":".join([*folders, str(recorder.parent)] if on_path else folders)
    last_line = _make(f"PROMPT={prompt}", PATH=path).stderr.strip().splitlines()[-1]
    program = "undaunted" if on_path else ".venv/bin/undaunted"
    assert shlex.split(last_line) == [program, "run", prompt]


def test_without_a_prompt_it_has_one_of_its_own(recorder: Path) -> None:
    """`make run` alone rehearses something."""
    first_line = _make_run(recorder).splitlines()[0]
    assert json.loads(first_line)[:3] == ["run", "--rehearsal", "--"]
    assert json.loads(first_line)[3].strip()
