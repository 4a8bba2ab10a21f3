"""A described agent as a real program: how it gets its prompt, and how its sessions go on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from living import marked
from undaunted.agents.agent import AgentRequest, AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.described import ARGUMENT_MAX_BYTES, DescribedAgent
from undaunted.agents.process import run_process
from undaunted.descriptions import Description
from undaunted.failures import FailureKind

# Says what it was given, as one JSON document; knows the session `s-1` and no other.
PROGRAM = """
import json, os, stat, sys
options = dict(one[2:].partition("=")[::2] for one in sys.argv[1:] if one.startswith("--"))
if options.get("resume", "s-1") != "s-1":
    sys.exit(f"no session {options['resume']}")
file = options.get("file", "")
print(json.dumps({
    "given": {
        "arguments": sys.argv[1:],
        "stdin": sys.stdin.buffer.read().decode("utf-8", "surrogateescape"),
        "file": open(file, "rb").read().decode() if file else None,
        "mode": stat.S_IMODE(os.stat(file).st_mode) if file else None,
        "nest": os.environ.get("NEST"),
    },
    "reply": "done",
    "session": "s-1",
}, indent=2))
"""

SETTINGS: dict[str, Any] = {
    "command": [sys.executable, "-I", "-S", "-c", PROGRAM],
    "permissions": {"edit": ["--edit"]},
    "output": "json",
    "answer": {"path": "reply"},
    "session": {"path": "session"},
    "environment": {"NEST": "{cwd}"},
    "resume": {"args": ["--resume={session}"], "lost": "^no session"},
}

PROMPTS = [
    "Say hello",
    "--help",
    "{cwd} {prompt} {file}",
    "ä\n'\"$(id)`;\\",
    "-",
    "--file=/etc/passwd",
]


class Aviary:
    """Runs described agents in a folder and takes down what they say."""

    def __init__(self, folder: Path) -> None:
        self.token = uuid4().hex
        self.notices: list[RunNotice] = []
        self._cwd = folder
        self._printed = bytearray()

    async def run(self, asked: str, /, *, resume: str | None = None, **more: Any) -> AgentResult:
        """One run, with the prompt `asked`, of the agent that `SETTINGS` and `more` describe."""
        context = CliContext(
            env={"PATH": os.environ["PATH"]},
            data_folder=self._cwd,
            run_process=run_process,
            now=lambda: datetime.now(UTC),
        )
        agent = DescribedAgent("robin", Description.model_validate(SETTINGS | more), context)
        request = AgentRequest(
            prompt=asked,
            cwd=str(self._cwd),
            permissions="edit",
            model=None,
            extra_args=(),
            env_names=(),
            agent_session_id=str(uuid4()),
            token=self.token,
            timeout_s=120,
            idle_timeout_s=120,
            resume_session_id=resume,
        )
        self._printed.clear()
        return await agent.run(request, sink=self._take, notify=self.notices.append)

    def _take(self, stream: str, chunk: bytes) -> None:
        if stream == "stdout":
            self._printed += chunk

    @property
    def given(self) -> dict[str, Any]:
        """What the program says that it was given in the last run."""
        given: dict[str, Any] = json.loads(self._printed)["given"]
        return given


@pytest.fixture
def aviary(tmp_path: Path) -> Iterator[Aviary]:
    """A folder with nothing of any run left in the end."""
    found = Aviary(tmp_path)
    yield found
    assert marked(found.token) == []


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_a_prompt_on_stdin(aviary: Aviary, prompt: str) -> None:
    """It arrives letter by letter, and stands in no argument."""
    result = await aviary.run(prompt)
    assert (result.failure, result.content, result.agent_session_id) == (None, "done", "s-1")
    assert (aviary.given["stdin"], aviary.given["arguments"]) == (prompt, ["--edit"])


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_a_prompt_as_an_argument(aviary: Aviary, prompt: str) -> None:
    """It is one argument behind the fixed ones; stdin is empty, and the kept command without it."""
    result = await aviary.run(prompt, prompt="argument", prompt_args=["--", "{prompt}"])
    assert result.failure is None
    assert aviary.given["arguments"] == ["--edit", "--", prompt]
    assert aviary.given["stdin"] == ""
    assert result.command[-1] == "--edit"


async def test_the_longest_argument(aviary: Aviary) -> None:
    """As many bytes as are not refused can be started with."""
    room = ARGUMENT_MAX_BYTES - len("--message=")
    given = {"prompt": "argument", "prompt_args": ["--message={prompt}"]}
    assert (await aviary.run("x" * room, **given)).failure is None
    refused = (await aviary.run("x" * (room + 1), **given)).failure
    assert refused is not None
    assert (refused.kind, refused.blames_task) == (FailureKind.INVALID_REQUEST, False)


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_a_prompt_in_a_file(aviary: Aviary, prompt: str) -> None:
    """The file holds the prompt alone, for the agent's user only, and does not stay."""
    result = await aviary.run(prompt, prompt="file", prompt_args=["--file={file}"])
    assert result.failure is None
    assert aviary.given["file"] == prompt
    assert aviary.given["mode"] == 0o600
    assert aviary.given["stdin"] == ""
    (argument,) = [one for one in aviary.given["arguments"] if one.startswith("--file=/")]
    assert not Path(argument.removeprefix("--file=")).parent.exists()


async def test_its_variables(aviary: Aviary) -> None:
    """A described variable is set as it stands there: nothing is filled in."""
    await aviary.run("Say hello")
    assert aviary.given["nest"] == "{cwd}"


async def test_a_session_is_continued(aviary: Aviary) -> None:
    """The program gets the session's id, and is told to go on."""
    result = await aviary.run("Say hello", resume="s-1")
    assert result.failure is None
    assert "--resume=s-1" in aviary.given["arguments"]
    assert aviary.given["stdin"].endswith("Say hello")
    assert aviary.given["stdin"] != "Say hello"


async def test_a_lost_session_begins_anew(aviary: Aviary) -> None:
    """What the program says of a session that is gone leads to a fresh one, once."""
    result = await aviary.run("Say hello", resume="s-2")
    assert (result.failure, result.agent_session_id) == (None, "s-1")
    assert aviary.given["stdin"] == "Say hello"
    assert "session_lost" in {notice.kind for notice in aviary.notices}


async def test_a_session_with_an_id_of_ours(aviary: Aviary) -> None:
    """A program that takes our id need not repeat it; a session that is continued keeps its own."""
    ours = {"session": None, "session_args": ["--id={session}"]}
    begun = await aviary.run("Say hello", **ours)
    assert f"--id={begun.agent_session_id}" in aviary.given["arguments"]
    went_on = await aviary.run("Say hello", resume="s-1", **ours)
    assert went_on.agent_session_id == "s-1"
    assert not any(one.startswith("--id=") for one in aviary.given["arguments"])
