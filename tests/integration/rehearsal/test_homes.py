"""Throw-away homes: what is put into them, and that the real agents live there."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from needs import AGENTS_BIN, agents_path
from undaunted.errors import ConfigurationError
from undaunted.rehearsal.answers import Answer, ToolCall, shell, write_file
from undaunted.rehearsal.homes import AGENTS_WITH_HOMES, rehearsal_model, throwaway_home
from undaunted.rehearsal.server import RehearsalServer

URL = "http://127.0.0.1:8399"

# Copilot CLI's 235 MB are unpacked once for all runs; what installs the agents anew removes them.
CACHE = AGENTS_BIN.parent / ".cache" / "rehearsal"

# Each reads the prompt from stdin and may write and run things.
COMMANDS: dict[str, Sequence[str]] = {
    "claude": (
        *("claude", "-p", "--output-format", "stream-json", "--verbose"),
        *("--permission-mode", "acceptEdits", "--allowedTools", "Bash"),
    ),
    "gemini": ("gemini", "--output-format", "stream-json", "--approval-mode", "yolo"),
    # The package's own launcher would leave the program behind when a test ends it.
    "copilot": ("copilot-linux-x64", "--output-format", "json", "--allow-all-tools"),
    "codex": (
        *("codex", "exec", "--json", "--skip-git-repo-check"),
        *("--dangerously-bypass-approvals-and-sandbox", "-"),
    ),
    "opencode": ("opencode", "run", "--format", "json", "--auto"),
}

each_agent = pytest.mark.parametrize("agent", AGENTS_WITH_HOMES)


def everything_in(home: Path, variables: dict[str, str]) -> str:
    """All text that a home consists of."""
    files = [path.read_text(encoding="utf-8") for path in home.rglob("*") if path.is_file()]
    return "\n".join([*files, *variables.values()])


@each_agent
def test_home_knows_no_other_address(agent: str, tmp_path: Path) -> None:
    """The only addresses in a home are the API's and that of a proxy where nothing listens."""
    variables = dict(throwaway_home(agent, URL, tmp_path / "home"))
    text = everything_in(tmp_path / "home", variables)
    assert {found.removesuffix("/v1") for found in re.findall(r'https?://[^\s"]+', text)} == {
        URL,
        "http://127.0.0.1:9",
    }
    assert variables["NO_PROXY"] == "127.0.0.1"


@each_agent
def test_home_is_where_the_variables_lead(agent: str, tmp_path: Path) -> None:
    """HOME and every folder beside it are inside the home, which is the person's alone."""
    home = tmp_path / "deep" / "home"
    variables = throwaway_home(agent, URL, home)
    assert variables["HOME"] == str(home)
    folders = [text for text in variables.values() if text.startswith("/")]
    assert all(Path(folder).is_relative_to(home) for folder in folders)
    assert home.stat().st_mode & 0o777 == 0o700


def test_configuration_files_can_be_read(tmp_path: Path) -> None:
    """Each file has the syntax of its name."""
    for agent in AGENTS_WITH_HOMES:
        throwaway_home(agent, URL, tmp_path)
    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    codex = tomllib.loads((tmp_path / ".codex" / "config.toml").read_text(encoding="utf-8"))
    assert codex["model_providers"][codex["model_provider"]]["base_url"] == f"{URL}/v1"


def test_homes_can_share_what_is_unpacked(tmp_path: Path) -> None:
    """The cache is outside the home where a folder for it is given."""
    variables = throwaway_home("copilot", URL, tmp_path / "home", cache=tmp_path / "cache")
    assert variables["COPILOT_PKG_CACHE_HOME"] == str(tmp_path / "cache")


def test_unknown_agents_have_no_home(tmp_path: Path) -> None:
    """Another agent is refused with the names of those that can be asked for."""
    with pytest.raises(ConfigurationError, match="claude, gemini, copilot, codex, opencode"):
        throwaway_home("aider", URL, tmp_path)


def test_only_gemini_is_asked_for_a_model() -> None:
    """Every other home names its model itself, or needs none."""
    asked = {agent: rehearsal_model(agent) for agent in AGENTS_WITH_HOMES}
    assert [agent for agent, model in asked.items() if model is not None] == ["gemini"]


class DeadEnd:
    """A proxy that writes down what it is asked for, and hangs up."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readline())
        writer.close()


async def lives(agent: str, home: Path, cwd: Path, *steps: ToolCall) -> str:
    """What the real agent prints when its model takes `steps`; nobody but the API was asked."""
    program, *arguments = COMMANDS[agent]
    if not (AGENTS_BIN / program).exists():
        pytest.skip(f"the real {agent} is not installed: run `make setup`")
    if model := rehearsal_model(agent):
        arguments += ["--model", model]
    dead_end = DeadEnd()
    proxy = await asyncio.start_server(dead_end.take, "127.0.0.1", 0)
    host, port = proxy.sockets[0].getsockname()
    async with proxy, RehearsalServer(answer=Answer("finished", steps)) as server:
        env = {
            **throwaway_home(agent, server.url, home, cache=CACHE),
            "PATH": agents_path(),
            "GEMINI_CLI_NO_RELAUNCH": "true",  # one process, which can be ended
            "HTTP_PROXY": f"http://{host}:{port}",
            "HTTPS_PROXY": f"http://{host}:{port}",
        }
        process = await asyncio.create_subprocess_exec(
            *(AGENTS_BIN / program, *arguments),
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            stdout, stderr = await process.communicate(b"Do it.")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        assert process.returncode == 0, stderr.decode()
        assert dead_end.asked == []
        last = server.model_requests[-1]
    assert "Do it." in [message.text for message in last.messages if message.role == "user"][-1]
    assert len([message for message in last.messages if message.role == "tool"]) == len(steps)
    return stdout.decode()


@pytest.mark.real_agents
@each_agent
async def test_real_agents_answer(agent: str, tmp_path: Path) -> None:
    """The real agent takes the rehearsal's answer for its model's, and asks nobody else."""
    assert "finished" in await lives(agent, tmp_path / "home", tmp_path)


@pytest.mark.real_agents
@each_agent
async def test_real_agents_use_tools(agent: str, tmp_path: Path) -> None:
    """The real agent writes a file and runs a command when the script says so."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    steps = (write_file(str(cwd / "new.txt"), "it's\nwritten"), shell("echo ran > ran.txt"))
    assert "finished" in await lives(agent, tmp_path / "home", cwd, *steps)
    assert (cwd / "new.txt").read_text(encoding="utf-8").rstrip() == "it's\nwritten"
    assert (cwd / "ran.txt").read_text(encoding="utf-8") == "ran\n"
