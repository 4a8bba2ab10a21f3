"""A coding agent that is somebody's command line: what all of them have in common.

An agent's own file says which program, which flags, which environment and which reader; this file
runs it and concludes.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import ClassVar, Literal

from undaunted.agents.agent import AgentRequest, AgentResult, Availability, OutputSink, RunNotice
from undaunted.agents.attempt_folder import attempt_folder
from undaunted.agents.environment import child_environment
from undaunted.agents.line_reader import LineReader
from undaunted.agents.process import ProcessResult, ProcessRunner, ProcessSpec, SpawnError
from undaunted.agents.process_failures import limit_failure, spawn_failure
from undaunted.agents.reader import Ending, OutputReader
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions

__all__ = ["INNER_RETRIES", "CliAgent", "CliContext"]

_log = logging.getLogger(__name__)

# Retries that an agent may make by itself. They are cheaper than ours (the session is warm), but
# ten of them, as the agents come, hide a dead service for minutes.
INNER_RETRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CliContext:
    """What the world gives to a command line agent.

    Attributes:
        env: The caller's environment.
        data_folder: A folder of the person's own for files that agents are to read.
        run_process: The spawner.
        now: Gives the present instant, aware.
        pass_names: Further variables of `env` that every agent is to see.
        tz: The zone of times that agents print without one; None is the machine's.
    """

    env: Mapping[str, str]
    data_folder: Path
    run_process: ProcessRunner
    now: Callable[[], datetime]
    pass_names: tuple[str, ...] = ()
    tz: tzinfo | None = None


class CliAgent(ABC):
    """Runs one vendor's command line, headless, with the prompt on stdin.

    Args:
        context: The world.
        program: The command to run instead of the vendor's usual one.
        extra_args: Arguments behind our own, from the person's configuration.
        account: Which login is used; part of the breaker's key.
    """

    name: str
    program: ClassVar[str]
    """The vendor's usual command."""
    env_names: ClassVar[frozenset[str]] = frozenset()
    """Variables that the vendor documents as its own, beside `env_prefixes`."""
    env_prefixes: ClassVar[tuple[str, ...]] = ()
    env_withheld: ClassVar[frozenset[str]] = frozenset()
    """Names under the prefixes that must not be passed on, such as marks of a run around ours."""
    credential_names: ClassVar[tuple[str, ...]] = ()
    credential_files: ClassVar[tuple[str, ...]] = ()
    """Files below HOME in which the vendor keeps its own login."""

    def __init__(
        self,
        context: CliContext,
        *,
        program: tuple[str, ...] = (),
        extra_args: tuple[str, ...] = (),
        account: str = "default",
    ) -> None:
        self._context = context
        self._command = program or (self.program,)
        self._extra_args = extra_args
        self._account = account

    @property
    def account(self) -> str:
        """Which login is used: part of the breaker's key."""
        return self._account

    def availability(self) -> Availability:
        """Whether its program is on the caller's PATH; starts nothing."""
        found = shutil.which(self._command[0], path=self._context.env.get("PATH", ""))
        if found is None:
            return Availability(
                usable=False, reason=f"{self._command[0]} is not on PATH", kind="not_installed"
            )
        return Availability(usable=True, reason=found)

    def credential_mark(self) -> str:
        """A digest that changes with the agent's credential; says nothing about it otherwise.

        It covers the vendor's variables and the size and time of its login files, so that a new
        key or a new login ends a breaker that an old one opened.
        """
        digest = hashlib.sha256()
        for name in self.credential_names:
            digest.update(f"{name}={self._context.env.get(name, '')}\0".encode())
        home = Path(self._context.env.get("HOME", "/nonexistent"))
        for file in self.credential_files:
            try:
                stat = (home / file).stat()
            except OSError:
                continue  # no login there
            digest.update(f"{file}:{stat.st_size}:{stat.st_mtime_ns}\0".encode())
        return digest.hexdigest()[:16]

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why this agent can't take the request as typed; None if it can."""
        if not request.prompt.strip():
            return Failure(
                FailureKind.INVALID_REQUEST,
                "the prompt is empty",
                "undaunted: validation",
                blames_task=True,
            )
        return None

    @abstractmethod
    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`, as they are shown to the person."""

    @abstractmethod
    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind the program, without the prompt."""

    @abstractmethod
    def settings(self, request: AgentRequest) -> Mapping[str, str]:
        """Variables that are set for the run, whatever the caller's are."""

    @abstractmethod
    def reader(self) -> OutputReader:
        """A fresh reader for one run."""

    def stdin(self, request: AgentRequest) -> bytes:
        """What is written to the program's standard input."""
        return request.prompt.encode("utf-8", errors="surrogatepass")

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        """Runs the agent once and returns how it ended; never raises for an agent's failure.

        Cancellation: ends every process of the run first.
        """
        if (refusal := self.refuse(request)) is not None:
            return AgentResult(content=None, failure=refusal)
        command = (*self._command, *self.arguments(request), *self._extra_args, *request.extra_args)
        reader = self.reader()
        try:
            async with attempt_folder() as tmpdir:
                spec = ProcessSpec(
                    argv=command,
                    env=self._environment(request, tmpdir),
                    cwd=request.cwd,
                    stdin=self.stdin(request),
                    timeout_s=request.timeout_s,
                    idle_timeout_s=request.idle_timeout_s,
                )
                result = await self._run(spec, reader, sink, notify)
        except SpawnError as error:
            return AgentResult(content=None, failure=spawn_failure(error), command=command)
        except OSError as error:
            # No folder for its files: a full disk, say. The machine's trouble, not the agent's.
            failure = Failure(FailureKind.UNKNOWN, f"can't make its files: {error}", "start")
            return AgentResult(content=None, failure=failure, command=command)
        return replace(self._conclude(spec, result, reader), command=command)

    async def _run(
        self,
        spec: ProcessSpec,
        reader: OutputReader,
        sink: OutputSink,
        notify: Callable[[RunNotice], None],
    ) -> ProcessResult:
        def read(feed: Callable[[bytes], RunNotice | None], line: bytes) -> None:
            try:
                notice = feed(line)
            except Exception:  # noqa: BLE001 - what an agent prints costs no more than the line
                _log.exception("a line of %s could not be read", self.name)
                return
            if notice is not None:
                notify(notice)

        stderr_lines = LineReader(lambda line: read(reader.feed_stderr, line))

        def take(stream: Literal["stdout", "stderr"], chunk: bytes) -> None:
            sink(stream, chunk)
            if stream == "stderr":
                stderr_lines.feed(chunk)

        result = await self._context.run_process(
            spec, on_stdout_line=lambda line: read(reader.feed, line), sink=take
        )
        stderr_lines.close()
        return result

    def _conclude(
        self, spec: ProcessSpec, result: ProcessResult, reader: OutputReader
    ) -> AgentResult:
        ending = Ending(result.exit_code, result.stdout.text, result.stderr.text)
        try:
            concluded = reader.conclude(ending, now=self._context.now(), tz=self._context.tz)
        except Exception as error:  # noqa: BLE001 - nor more than the attempt
            _log.exception("the output of %s could not be read", self.name)
            failure = Failure(
                FailureKind.BROKEN_RESPONSE,
                f"its output could not be read ({type(error).__name__})",
                "undaunted: reading",
            )
            concluded = AgentResult(content=None, failure=failure, exit_code=result.exit_code)
        limit = limit_failure(result, spec)
        if limit is not None and concluded.failure is not None:
            # An answer that was finished in time stands, even if the program then would not end.
            return replace(concluded, failure=limit)
        if concluded.failure is not None and result.oversize_lines:
            lines = f"{result.oversize_lines} line(s) of its output were over 16 MiB and not read"
            failure = concluded.failure
            return replace(
                concluded,
                failure=failure.with_text(f"{failure.message}; {lines}", failure.evidence),
            )
        return concluded

    def _environment(self, request: AgentRequest, tmpdir: Path) -> dict[str, str]:
        caller = {n: v for n, v in self._context.env.items() if n not in self.env_withheld}
        return child_environment(
            caller,
            tmpdir=tmpdir,
            token=request.token,
            agent_names=self.env_names,
            agent_prefixes=self.env_prefixes,
            pass_names=(*self._context.pass_names, *request.env_names),
            settings=self.settings(request),
        )
