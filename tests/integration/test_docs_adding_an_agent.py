"""The page that adds an agent is true from top to bottom, and its example knows its cases."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from documents import Block, blocks, steps
from needs import ROOT
from undaunted.agents.described_output import DescribedReader
from undaunted.agents.explain import explain_run
from undaunted.agents.reader import Ending
from undaunted.config import load_configuration

PAGE = ROOT / "docs" / "agents" / "adding-one.md"
EXAMPLE = ROOT / "examples" / "parrot"
CASES = [json.loads(line) for line in (EXAMPLE / "cases.jsonl").read_text().splitlines()]

NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)
LIMIT_S = 120  # generous: the machine may be busy; nothing here takes more than a few seconds


@pytest.fixture
def settings_file(throw_away_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's settings, still empty; one works where the examples are, and can write there."""
    desk, folder = throw_away_home / "project", throw_away_home / "config" / "undaunted"
    desk.mkdir()
    folder.mkdir(parents=True)
    (desk / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(desk)
    monkeypatch.setenv("UNDAUNTED_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return folder / "undaunted.toml"


def in_order(*languages: str) -> list[Block]:
    """The page's blocks of these languages, as a reader meets them."""
    found = [block for language in languages for block in blocks(PAGE, language)]
    return sorted(found, key=lambda block: block.line)


def steady(text: str) -> str:
    """`text` with what differs from run to run replaced: instants, durations, ids."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "INSTANT", text)
    text = re.sub(r"\b\d+(?:\.\d+)?(?:ms|s|m)\b(?=\n)", "LONG", text)
    text = re.sub(r"\bshow [0-9a-f]{8}\b", "show TASK", text)
    return re.sub(r"\bparrot-[0-9a-f-]+", "SESSION", text)


def test_the_page_is_true_from_top_to_bottom(settings_file: Path) -> None:
    """A reader who writes each setting when it is shown sees what is shown, command by command."""
    written: list[str] = []
    for block in in_order("toml", "shell"):
        if block.language == "toml":
            written.append(block.text)
            settings_file.write_text("\n".join(written))
            continue
        for step in steps(block):
            result = subprocess.run(
                ["/bin/sh", "-c", step.command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            assert result.returncode == step.status, result.stdout
            assert steady(result.stdout) == steady(step.output), step.command


def test_the_finished_settings_are_those_of_the_page() -> None:
    """The example's file is what a reader of the page has written in the end."""
    written = "\n".join(block.text for block in blocks(PAGE, "toml"))
    assert (EXAMPLE / "undaunted.toml").read_text() == written


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["means"]))
def test_a_case_of_the_example(case: dict[str, str], tmp_path: Path) -> None:
    """A recorded run of the parrot means what stands beside it."""
    settings = load_configuration(env={}, cwd=tmp_path, person_folder=EXAMPLE).settings
    reader = partial(DescribedReader, description=settings.described["parrot"])
    ending = Ending(int(case["exit_code"]), case["stdout"])
    assert explain_run(reader, ending, retry_cap_s=60, now=NOW).kind == case["means"]
