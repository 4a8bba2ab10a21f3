"""A coding agent that is somebody's command line: what all of them have in common.

An agent's own file says which program, which flags, which environment and which reader; this file
runs it and concludes.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import ClassVar

from undaunted.agents.account import Account
from undaunted.agents.agent import (
    AgentRequest,
    AgentResult,
    Availability,
    Inspection,
    OutputSink,
    RunNotice,
)
from undaunted.agents.attempt_folder import attempt_folder
from undaunted.agents.continuation import continuation
from undaunted.agents.credentials import Credential, Credentials, CredentialSource
from undaunted.agents.environment import child_environment
from undaunted.agents.inspection import ASK_TIMEOUT_S, inspect, sample_request
from undaunted.agents.long_wait import LongWaitError, wait_failure
from undaunted.agents.process import ProcessResult, ProcessRunner, ProcessSpec, SpawnError
from undaunted.agents.process_failures import spawn_failure
from undaunted.agents.reader import OutputReader
from undaunted.agents.reading_run import conclude, ending_of, run_and_read
from undaunted.agents.reset_times import MAX_AHEAD
from undaunted.agents.run_as import UserAccount
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions, agent_key

__all__ = ["INNER_RETRIES", "CliAgent", "CliContext"]

# Retries that an agent may make by itself. They are cheaper than ours (the session is warm), but
# ten of them, as the agents come, hide a dead service for minutes.
INNER_RETRIES = 2

# What is left for a fresh start when the session's refusal took all the time there was, in seconds.
_MIN_RUN_S = 1.0

_PERMISSIONS: tuple[Permissions, ...] = ("read", "edit", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class CliContext:
    """What the world gives to a command line agent.

    Attributes:
        env: The caller's environment.
        data_folder: A folder of the person's own for files that agents are to read.
        run_process: The spawner.
        now: Gives the present instant, aware.
        pass_names: Further variables of `env` that every agent is to see.
        key_names: Variables of `env` that hold the keys of accounts (`key_from`).
        tz: The zone of times that agents print without one; None is the machine's.
        max_reset: Stated ends of limits further away than this are not believed.
        user: The user that programs run as, with `env` as it is to that user; None is the caller.
    """

    env: Mapping[str, str]
    data_folder: Path
    run_process: ProcessRunner
    now: Callable[[], datetime]
    pass_names: tuple[str, ...] = ()
    key_names: frozenset[str] = frozenset()
    tz: tzinfo | None = None
    max_reset: timedelta = MAX_AHEAD
    user: UserAccount | None = None

    @property
    def user_name(self) -> str | None:
        """The login name of the user to run as; None is the caller."""
        return None if self.user is None else self.user.name

    def as_user(self, user: UserAccount, *, without: str) -> CliContext:
        """The same world, seen by another user.

        Args:
            user: The user.
            without: A variable that names a folder of the caller's; empty is none.
        """
        env = {n: v for n, v in user.environment(self.env).items() if n != without}
        return replace(self, env=env, user=user)


class CliAgent(ABC):
    """Runs one vendor's command line, headless, with the prompt on stdin.

    Args:
        context: The world.
        program: The command to run instead of the vendor's usual one.
        extra_args: Arguments behind our own, from the person's configuration.
        account: Which login is used; part of the breaker's key.
    """

    name: str
    program: str
    """The vendor's usual command."""
    env_names: frozenset[str] = frozenset()
    """Variables that the vendor documents as its own, beside `env_prefixes`."""
    env_prefixes: tuple[str, ...] = ()
    env_withheld: ClassVar[frozenset[str]] = frozenset()
    """Names under the prefixes that must not be passed on, such as marks of a run around ours."""
    credentials: tuple[CredentialSource, ...] = ()
    """Where the program looks for a login, in its own order; files are below `config_folder`."""
    key_variable: str = ""
    """The variable in which the program expects a key; empty where it depends on the provider."""
    config_variable: str = ""
    """The variable that moves the program's configuration folder; empty where none does."""
    config_folder: str = ""
    """That folder's usual place below HOME."""
    resumes: bool = False
    """The program can continue a session by its id."""
    tested_version: ClassVar[str] = ""
    """The version that the project's tests drive; empty where they drive none."""
    help_arguments: ClassVar[tuple[str, ...]] = ("--help",)
    """What makes the program name the flags of a headless run."""

    def __init__(
        self,
        context: CliContext,
        *,
        program: tuple[str, ...] = (),
        extra_args: tuple[str, ...] = (),
        account: Account | None = None,
    ) -> None:
        self._context = context
        self._command = program or (self.program,)
        self._extra_args = extra_args
        self._account = account or Account()

    @property
    def account(self) -> str:
        """Which login is used: part of the breaker's key."""
        return self._account.name

    @property
    def key(self) -> str:
        """Its name in the order of a task: the agent's, or `agent/account` for a named account."""
        return agent_key(self.name, self._account.name)

    def availability(self) -> Availability:
        """Whether its account is in order and its program on the caller's PATH; starts nothing."""
        problem = self._account.problem
        if self._account.config_folder is not None and not self.folder_environment(Path()):
            problem = f"{self.name} has no variable that moves its configuration folder"
        if problem:
            reason = f"account {self._account.name}: {problem}"
            return Availability(usable=False, reason=reason, kind="misconfigured")
        found = shutil.which(self._command[0], path=self._context.env.get("PATH", ""))
        if found is None:
            return Availability(
                usable=False, reason=f"{self._command[0]} is not on PATH", kind="not_installed"
            )
        return Availability(usable=True, reason=found)

    def credential(self) -> Credential | None:
        """What the program would log in with, as far as can be seen; None: nothing was found."""
        return self._credentials().used()

    def secrets(self) -> tuple[str, ...]:
        """What it may log in with, to be kept out of what is written down."""
        names = (source.variable for source in self.credentials if source.kind != "login")
        found = (self._account.key, *(self._context.env.get(name) for name in names))
        return tuple(value for value in found if value)

    def credential_mark(self) -> str:
        """A digest that changes with the agent's credential; says nothing about it otherwise."""
        return self._credentials().mark()

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

    async def inspect(self) -> Inspection:
        """Asks the program for its version and its flags; asks no model."""
        if not self.tested_version:
            return Inspection(None, "", "unknown")  # what it would make of `--help` is not known
        return await inspect(
            self._ask,
            help_arguments=self.help_arguments,
            used=[a for p in _PERMISSIONS for a in self.arguments(sample_request(p))],
            tested_version=self.tested_version,
        )

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
        return self.message(request).encode("utf-8", errors="surrogatepass")

    def message(self, request: AgentRequest) -> str:
        """What the model is told: the prompt, or that the session's task is to be gone on with."""
        if request.resume_session_id is None:
            return request.prompt
        return continuation(request.prompt)

    def account_environment(self) -> Mapping[str, str]:
        """Variables by which the program uses the account's own folder and key."""
        found: dict[str, str] = {}
        if self._account.config_folder is not None:
            found |= self.folder_environment(self._account.config_folder)
        variable = self._account.key_variable or self.key_variable
        if self._account.key is not None and variable:
            found[variable] = self._account.key
        return found

    def folder_environment(self, folder: Path) -> Mapping[str, str]:
        """Variables by which the program keeps its configuration and login in `folder`."""
        return {self.config_variable: str(folder)} if self.config_variable else {}

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        """Runs the agent once and returns how it ended; never raises for an agent's failure.

        Cancellation: ends every process of the run first.
        """
        if (refusal := self.refuse(request)) is not None:
            return AgentResult(content=None, failure=refusal)
        if request.resume_session_id is None or not self.resumes:
            result, _ = await self._run_once(replace(request, resume_session_id=None), sink, notify)
            return result
        began_at = self._context.now()
        result, session_refused = await self._run_once(request, sink, notify)
        if not session_refused:
            return result
        # Stale, or locked by a run that is not quite dead: once, a session of its own.
        notify(RunNotice("session_lost", f"session {request.resume_session_id} begins anew"))
        used_s = (self._context.now() - began_at).total_seconds()
        left_s = max(request.timeout_s - used_s, _MIN_RUN_S)
        afresh = replace(request, resume_session_id=None, timeout_s=left_s)
        result, _ = await self._run_once(afresh, sink, notify)
        return result

    async def _run_once(
        self, request: AgentRequest, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> tuple[AgentResult, bool]:
        """How one process ended, and whether it refused the session that it was to continue."""
        command = (*self._command, *self.arguments(request), *self._extra_args, *request.extra_args)
        reader = self.reader()
        try:
            async with attempt_folder(owner=self._context.user) as tmpdir:
                spec = ProcessSpec(
                    argv=command,
                    env=self._environment(request, tmpdir),
                    cwd=request.cwd,
                    stdin=self.stdin(request),
                    timeout_s=request.timeout_s,
                    idle_timeout_s=request.idle_timeout_s,
                    user=self._context.user_name,
                    scratch=str(tmpdir),
                )
                ended = await self._run(spec, reader, sink, _impatient(notify, request))
        except LongWaitError as wait:
            return replace(self._gave_up(reader, wait), command=command), False
        except SpawnError as error:
            failed = AgentResult(content=None, failure=spawn_failure(error), command=command)
            return failed, False
        except OSError as error:
            # No folder for its files: a full disk, say. The machine's trouble, not the agent's.
            failure = Failure(FailureKind.UNKNOWN, f"can't make its files: {error}", "start")
            return AgentResult(content=None, failure=failure, command=command), False
        world = self._context
        result = conclude(
            spec, ended, reader, now=world.now(), tz=world.tz, max_ahead=world.max_reset
        )
        refused = (
            result.failure is not None
            and request.resume_session_id is not None
            and reader.refuses_session(ending_of(ended))
        )
        return replace(result, command=command), refused

    async def _run(
        self,
        spec: ProcessSpec,
        reader: OutputReader,
        sink: OutputSink,
        notify: Callable[[RunNotice], None],
    ) -> ProcessResult:
        """Runs the program and feeds its reader; what `notify` raises ends the run."""
        return await run_and_read(
            spec, reader, run_process=self._context.run_process, sink=sink, notify=notify
        )

    def _gave_up(self, reader: OutputReader, wait: LongWaitError) -> AgentResult:
        """What a run was that we ended because the agent would have waited for too long."""
        now, max_reset = self._context.now(), self._context.max_reset
        failure = wait_failure(reader.rules, wait, now=now, max_ahead=max_reset)
        return reader.result(reader.partial_answer(), failure)

    async def _ask(self, arguments: tuple[str, ...]) -> str:
        """What the program prints for `arguments`, on both streams, in an empty folder."""
        async with attempt_folder(owner=self._context.user) as folder:
            spec = ProcessSpec(
                argv=(*self._command, *arguments),
                env=self._environment(sample_request("read", token=folder.name), folder),
                cwd=str(folder),
                timeout_s=ASK_TIMEOUT_S,
                idle_timeout_s=ASK_TIMEOUT_S,
                user=self._context.user_name,
            )
            result = await self._context.run_process(spec)
        return f"{result.stdout.text}\n{result.stderr.text}"

    def _credentials(self) -> Credentials:
        env = self._context.env
        usual = Path(env.get("HOME", "/nonexistent"), self.config_folder)
        folder = self._account.config_folder or Path(env.get(self.config_variable) or usual)
        return Credentials(self.credentials, env=env, folder=folder, account=self._account)

    def _environment(self, request: AgentRequest, tmpdir: Path) -> dict[str, str]:
        used = self.credential()
        withheld = self.env_withheld.union(used.withheld if used else self._credentials().foreign())
        # A key of one account's reaches no other by a name that merely begins like the agent's own.
        named = {*self.env_names, self.key_variable, *self._context.pass_names, *request.env_names}
        named.update(source.variable for source in self.credentials)
        withheld |= self._context.key_names - named
        caller = {n: v for n, v in self._context.env.items() if n not in withheld}
        return child_environment(
            caller,
            tmpdir=tmpdir,
            token=request.token,
            agent_names=self.env_names,
            agent_prefixes=self.env_prefixes,
            pass_names=(*self._context.pass_names, *request.env_names),
            settings={**self.settings(request), **self.account_environment()},
        )


def _impatient(
    notify: Callable[[RunNotice], None], request: AgentRequest
) -> Callable[[RunNotice], None]:
    """`notify`, which ends the run when the agent announces a wait that is too long."""

    def tell(notice: RunNotice) -> None:
        notify(notice)
        if notice.wait_s is not None and notice.wait_s > request.longest_wait_s:
            raise LongWaitError(notice.text, notice.wait_s)

    return tell
