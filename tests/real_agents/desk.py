"""A person's desk: the real agents on PATH, their model APIs on loopback, and `undaunted run`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from living import is_alive
from needs import AGENTS_BIN, agents_path
from undaunted.rehearsal.homes import rehearsal_model, throwaway_home
from undaunted.rehearsal.server import RehearsalServer

__all__ = ["GEMINI_MODEL", "Command", "Desk", "Process", "Run", "processes"]

GEMINI_MODEL = rehearsal_model("gemini")
"""Asked for by name: without one Gemini CLI asks another model first which one to use."""

_MODEL_FLAGS = ("--model", f"gemini={GEMINI_MODEL}")

# Copilot CLI unpacks 235 MB the first time: once for all homes.
_CACHE = AGENTS_BIN.parent / ".cache"

# A command that is asked to end has this long, in seconds, before it is killed.
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Run:
    """How one `undaunted run --json` ended.

    Attributes:
        status: Its exit status.
        task: The object on its stdout.
        stderr: What it told on the way.
        duration_s: How long it took, in seconds.
    """

    status: int
    task: Mapping[str, Any]
    stderr: str
    duration_s: float

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts, in order."""
        attempts: list[dict[str, Any]] = self.task["attempts"]
        return attempts

    @property
    def course(self) -> list[tuple[str, str]]:
        """(agent, kind of failure or outcome) of each attempt, in order."""
        return [(a["agent"], a["kind"] or a["outcome"]) for a in self.attempts]


@dataclass(frozen=True)
class Process:
    """A process of this machine, whoever started it."""

    pid: int
    argv: str
    environ: bytes

    @property
    def cgroup(self) -> str:
        """The groups that it is in, a line for each hierarchy."""
        return Path(f"/proc/{self.pid}/cgroup").read_text(encoding="utf-8")

    async def ended(self) -> None:
        """Waits until it has ended."""
        try:
            end = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(end, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(end)
            os.close(end)


def processes() -> Iterator[Process]:
    """Every living process that may be looked at."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
            argv = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if is_alive(int(folder.name)):
            said = argv.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
            yield Process(int(folder.name), said, environ)


@dataclass
class Command:
    """An `undaunted` that runs."""

    process: asyncio.subprocess.Process
    started_s: float
    written: bytes | None

    async def ended(self) -> tuple[int, str, str, float]:
        """(exit status, stdout, stderr, seconds) once it has ended."""
        stdout, stderr = await self.process.communicate(self.written)
        took_s = time.monotonic() - self.started_s
        status = self.process.returncode
        assert status is not None
        return status, stdout.decode(), stderr.decode(), took_s

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What a `run --events` tells, as it tells it."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            yield json.loads(line)

    async def told(self) -> Run:
        """What a `run --json` has told once it has ended."""
        status, stdout, stderr, took_s = await self.ended()
        return Run(status, json.loads(stdout), stderr, took_s)

    def interrupt(self) -> None:
        """What a Ctrl-C does."""
        self.send(signal.SIGINT)

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)


@dataclass
class Desk:
    """Where the tests' person works.

    Attributes:
        home: HOME, into which nobody else can write.
        cwd: The working directory; a folder of no repository, so that agents read no notes there.
        apis: The model API of each agent, by the agent's name.
        asked: Set when an agent's model was asked, by the agent's name.
        door: A URL for a program to ask when it has come so far.
        knocked: Set when one did.
        env: All that the command sees of the environment.
    """

    home: Path
    cwd: Path
    apis: Mapping[str, RehearsalServer]
    asked: Mapping[str, asyncio.Event]
    door: str
    knocked: asyncio.Event
    env: dict[str, str] = field(default_factory=dict)
    _commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        for agent, api in self.apis.items():
            self.env.update(throwaway_home(agent, api.url, self.home, cache=_CACHE))
        self.env.update(
            PATH=agents_path(),
            LANG="C.UTF-8",
            TERM="xterm-256color",
            UNDAUNTED_DATA_DIR=str(self.home / "undaunted"),
            UNDAUNTED_CONFIG_DIR=str(self.home / "config"),
            UNDAUNTED_RETRY_BASE="0.1",
            UNDAUNTED_ORDER="claude,gemini",
        )

    async def run(self, prompt: str, *arguments: str, stdin: str | None = None) -> Run:
        """Runs `undaunted run --json` to its end.

        Args:
            prompt: The prompt; `-` for the one in `stdin`.
            arguments: Flags in front of it.
            stdin: What the command reads there; None is an empty stdin.
        """
        command = await self.start(prompt, *arguments, stdin=stdin)
        return await command.told()

    async def start(self, prompt: str, *arguments: str, stdin: str | None = None) -> Command:
        """Starts `undaunted run --json`."""
        return await self.undaunted(
            "run", "--json", *_MODEL_FLAGS, *arguments, "--", prompt, stdin=stdin
        )

    async def run_on_a_bad_day(
        self,
        agent: str,
        fault: str,
        prompt: str,
        *arguments: str,
        begins_well: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Run:
        """Runs `undaunted run` on an agent whose model is well again after the first attempt.

        Its API then holds the requests of the later attempts alone.

        Args:
            agent: The agent.
            fault: What is wrong until then.
            prompt: The prompt.
            arguments: Further flags.
            begins_well: The first request is answered all the same.
            meanwhile: Called between the attempts.
        """
        api = self.apis[agent]
        command = await self.undaunted(
            "run", "--events", *_MODEL_FLAGS, "--agents", agent, *arguments, "--", prompt
        )
        if begins_well:
            await self.asked[agent].wait()
        await api.set_fault(fault)
        last: dict[str, Any] = {}
        async for last in command.events():
            # No agent is up again as fast as this is heard.
            if last["type"] == "attempt_failed":
                await api.set_fault("ok")
                api.forget()
                meanwhile()
        status, _, stderr, took_s = await command.ended()
        return Run(status, last["task"], stderr, took_s)

    async def undaunted(self, *arguments: str, stdin: str | None = None) -> Command:
        """Starts `undaunted` with `arguments`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "undaunted",
            *arguments,
            env=self.env,
            cwd=self.cwd,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        command = Command(process, time.monotonic(), None if stdin is None else stdin.encode())
        self._commands.append(command)
        return command

    def prompts(self, agent: str) -> list[str]:
        """The prompts that reached the agent's model, in order."""
        return [request.prompt for request in self.apis[agent].model_requests]

    def left_alive(self) -> list[str]:
        """The command lines of living processes that were started at this desk.

        By their HOME: not by the mark that undaunted itself looks for.
        """
        return [process.argv for process in self._living()]

    async def deserted(self) -> None:
        """Waits until nothing lives that was started at this desk."""
        while living := self._living():
            for process in living:
                await process.ended()

    def _living(self) -> list[Process]:
        mark = f"HOME={self.home}".encode()
        return [p for p in processes() if mark in p.environ.split(b"\0")]

    async def close(self) -> None:
        """Ends what a failed test left running."""
        for command in self._commands:
            process = command.process
            if process.returncode is not None:
                continue
            process.terminate()
            try:
                await asyncio.wait_for(process.communicate(), _PATIENCE_S)
            except TimeoutError:
                process.kill()
                await process.communicate()
