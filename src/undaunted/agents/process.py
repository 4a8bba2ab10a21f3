"""Runs one command to its end: the only place where undaunted starts an agent's process.

Whatever happens (the end, a timeout, a cancellation, a fault of the caller's), nothing that the
command started is alive when a runner returns or raises. `GuardedRunner` keeps that promise beyond
this process's own death, and with cgroups also for what hides.

Time is the event loop's and not an injected clock's: the processes are real and live in real time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Literal, cast

from undaunted.agents.agent import OutputSink
from undaunted.agents.captured_output import CapturedOutput
from undaunted.agents.cgroup import Cgroup, CgroupFolder
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.line_reader import LineReader
from undaunted.agents.process_guard import Guard, GuardedRun
from undaunted.agents.process_spec import (
    EndedBy,
    ProcessResult,
    ProcessRunner,
    ProcessSpec,
    no_line,
    no_sink,
)
from undaunted.agents.process_table import ProcessEntry, process_table
from undaunted.agents.process_tree import ProcessTree, carries_mark
from undaunted.agents.process_user import credentials_for
from undaunted.agents.spawn_error import SpawnError, spawn_error
from undaunted.failures import FailureKind

__all__ = [
    "EndedBy",
    "GuardedRunner",
    "ProcessResult",
    "ProcessRunner",
    "ProcessSpec",
    "SpawnError",
    "run_process",
]

_log = logging.getLogger(__name__)

# How often the tree is looked at while the command runs, for the processes that would later be
# known by nothing but their parent. A look takes about 20 us per process on the machine.
_LOOK_EVERY_S = 2.0

# What the kernel lets an unprivileged process have by default (pipe-max-size in proc_sys_fs(5)).
_PIPE_BYTES = 1024 * 1024

# How long output may still come once the command itself has ended: what it printed last is in the
# pipe already; more can only come from a process that it left behind.
_SETTLE_S = 0.5

# Between two attempts to remove an emptied cgroup.
_REMOVE_EVERY_S = 0.01

# How long asyncio may take to tell us the exit status of a process that is dead already.
_REAP_S = 5.0


async def run_process(
    spec: ProcessSpec,
    *,
    on_stdout_line: Callable[[bytes], None] = no_line,
    sink: OutputSink = no_sink,
) -> ProcessResult:
    r"""Runs a command in a session of its own and returns how it ended.

    The command and its descendants are ended when a limit passes; descendants that outlive a
    command which exited by itself are ended as well. Ending is TERM to all of them, KILL to what
    is left after the grace, at once over when they obey.

    Args:
        spec: The command and its limits.
        on_stdout_line: Gets each line of stdout without its `\n` as it comes, a last one without
            `\n` too.
        sink: Gets each chunk of both streams as it comes.

    Raises:
        SpawnError: It could not be started.
        Exception: What `on_stdout_line` or `sink` raised, after everything was ended.

    Cancellation: ends everything first, in at most grace plus a few seconds, however often it is
    repeated; then it goes through.
    """
    return await _run(_Run(spec, on_stdout_line, sink))


class GuardedRunner:
    """Runs commands as `run_process` does, and has them ended even if this process is killed.

    One for a program. It starts the guard process with its first run and, where the machine lets
    it, gives each run a cgroup of its own.

    Args:
        cgroups: Where the runs' cgroups are made (`find_cgroups`); None is none.
    """

    def __init__(self, *, cgroups: CgroupFolder | None = None) -> None:
        self._guard = Guard()
        self._cgroups = cgroups

    @property
    def guard_pid(self) -> int | None:
        """The guard's process id; None while there is none."""
        return self._guard.pid

    async def __call__(
        self,
        spec: ProcessSpec,
        *,
        on_stdout_line: Callable[[bytes], None] = no_line,
        sink: OutputSink = no_sink,
    ) -> ProcessResult:
        """Runs a command; see `run_process`."""
        return await _run(_Run(spec, on_stdout_line, sink, self._guard, self._cgroups))

    async def aclose(self) -> None:
        """Ends the guard; nothing may run any more. Another run would start a new one."""
        await asyncio.to_thread(self._guard.close)


async def _run(run: _Run) -> ProcessResult:
    # In a task of its own, which nobody cancels: a cancellation here is a request to the run, so
    # that it can neither tear a spawn in two nor cut the ending short.
    running = asyncio.create_task(run.execute())
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as error:
            cancelled = error
            run.stop()
    if cancelled is not None:
        raise cancelled from running.exception()
    return running.result()


def _widen(pipe: asyncio.ReadTransport) -> None:
    """Gives a pipe all the room that the kernel lets everybody have.

    Gemini CLI exits before a full pipe is drained, with exit code 0 and without its result: seen
    in 8 of 12 runs with 300 KB of output and the usual 64 KiB, in none with 1 MiB.
    """
    if sys.platform != "linux":
        return
    import fcntl  # noqa: PLC0415 - not on Windows, where this module can be imported all the same

    file = pipe.get_extra_info("pipe")
    # OSError: the user's share of pipe memory is used up, so 64 KiB it is. ValueError: the child
    # has closed its end already, and asyncio ours.
    with contextlib.suppress(OSError, ValueError):
        fcntl.fcntl(file.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class _Run(asyncio.SubprocessProtocol):
    """One run: the protocol that asyncio calls with what the child does, and the run's course."""

    def __init__(
        self,
        spec: ProcessSpec,
        on_stdout_line: Callable[[bytes], None],
        sink: OutputSink,
        guard: Guard | None = None,
        cgroups: CgroupFolder | None = None,
    ) -> None:
        self._spec = spec
        self._sink = sink
        self._guard = guard
        self._cgroups = cgroups
        self._cgroup: Cgroup | None = None
        self._lines = LineReader(on_stdout_line, line_max_bytes=spec.line_max_bytes)
        self._captured = {
            fd: CapturedOutput(
                head_max_bytes=spec.head_max_bytes, tail_max_bytes=spec.tail_max_bytes
            )
            for fd in (1, 2)
        }
        self._loop = asyncio.get_running_loop()
        self._open_outputs = {1, 2}
        self._last_byte_at = self._loop.time()
        # Why the command's time is over; "stopped" is a cancellation or a fault of the caller's.
        self._over: asyncio.Future[EndedBy | Literal["stopped"]] = self._loop.create_future()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._drained: asyncio.Future[None] = self._loop.create_future()
        self._fault: Exception | None = None
        # Something of the run may be alive after it: then it stays the guard's.
        self._unsure = False

    async def execute(self) -> ProcessResult:
        """Starts the command, waits for its end, and leaves nothing of it alive."""
        if sys.platform == "win32":
            message = "undaunted runs agents on Linux and macOS, not on Windows; WSL is Linux"
            raise SpawnError(FailureKind.MISCONFIGURED, message, blames_task=True)
        mark = self._spec.env.get(ATTEMPT_VARIABLE, "")
        if mark and carries_mark(os.environ.get(ATTEMPT_VARIABLE), mark):
            # Ending the tree would end us, and whatever started us.
            raise ValueError(f"{ATTEMPT_VARIABLE}={mark} is the mark of this process itself")
        self._cgroup = self._cgroups.create() if self._cgroups else None
        guarded: GuardedRun | None = None
        try:
            if self._guard:
                path = self._cgroup.path if self._cgroup else None
                guarded = self._guard.begin(mark=mark, cgroup=path, scratch=self._spec.scratch)
            return await self._execute(mark, guarded)
        finally:
            if guarded and not self._unsure:
                guarded.end()
            await self._remove_cgroup()

    async def _execute(self, mark: str, guarded: GuardedRun | None) -> ProcessResult:
        started = self._last_byte_at = self._loop.time()
        transport = await self._spawn()
        pid = transport.get_pid()
        tree = ProcessTree(pid, mark, table=process_table(), cgroup=self._cgroup)

        def tell(members: list[ProcessEntry]) -> None:
            if guarded:
                guarded.learn(pid, [member.identity for member in members])

        left_behind: list[ProcessEntry] = []
        try:
            tell(tree.gather())
            ended_by = await self._watch(tree, tell, timeout_at=started + self._spec.timeout_s)
            if ended_by == "exit":
                await asyncio.wait((self._drained,), timeout=_SETTLE_S)
                left_behind = tree.look()
            survivors: list[ProcessEntry] = []
            if ended_by != "exit" or left_behind:
                survivors = await tree.end(grace_s=self._spec.grace_s)
                if survivors:
                    self._unsure = True
                    _log.warning("could not end %s", ", ".join(map(str, survivors)))
            await self._close(transport)
        except BaseException:
            # Nobody cancels this task but a loop that is torn down (a second Ctrl-C): no grace.
            try:
                self._unsure = bool(await tree.end(grace_s=0))
            except OSError:
                # No file descriptor is left to look with, say: what is known is ended unseen, and
                # the guard, which has files of its own, keeps the rest in mind.
                self._unsure = True
                tree.kill_known()
            finally:
                await self._close(transport)
            raise
        if self._fault is not None:
            raise self._fault
        return ProcessResult(
            exit_code=transport.get_returncode(),
            # Of a run that was stopped nobody sees the result.
            ended_by="exit" if ended_by == "stopped" else ended_by,
            duration_s=self._loop.time() - started,
            stdout=self._captured[1],
            stderr=self._captured[2],
            oversize_lines=self._lines.oversize_lines,
            left_behind=tuple(entry.name for entry in left_behind),
            survivors=tuple(entry.name for entry in survivors),
        )

    def stop(self) -> None:
        """Asks the run to end now."""
        self._conclude("stopped")

    async def _spawn(self) -> asyncio.SubprocessTransport:
        credentials = await credentials_for(self._spec.user, cwd=self._spec.cwd)
        try:
            transport, _ = await self._loop.subprocess_exec(
                lambda: self,
                *self._spec.argv,
                env=self._spec.env,
                cwd=self._spec.cwd,
                # A session of its own: no terminal to ask a question on, and a Ctrl-C at ours
                # reaches the agent through us only.
                start_new_session=True,
                **credentials,
            )
        except (OSError, ValueError) as error:
            raise spawn_error(error, program=self._spec.argv[0], cwd=self._spec.cwd) from error
        return transport

    async def _watch(
        self,
        tree: ProcessTree,
        tell: Callable[[list[ProcessEntry]], None],
        *,
        timeout_at: float,
    ) -> EndedBy | Literal["stopped"]:
        while True:
            now = self._loop.time()
            idle_at = self._last_byte_at + self._spec.idle_timeout_s
            if now >= timeout_at:
                self._conclude("timeout")
            elif now >= idle_at:
                self._conclude("idle_timeout")
            pause_s = min(timeout_at - now, idle_at - now, _LOOK_EVERY_S)
            await asyncio.wait((self._over,), timeout=max(pause_s, 0))
            if self._over.done():
                return self._over.result()
            tell(tree.look())

    async def _close(self, transport: asyncio.SubprocessTransport) -> None:
        """Closes our ends of the pipes; everything of ours that could use them is gone."""
        await asyncio.wait((self._exited,), timeout=_REAP_S)
        await asyncio.wait((self._drained,), timeout=_SETTLE_S)
        stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        if stdin.get_write_buffer_size():
            # close() would go on waiting for a reader.
            stdin.abort()
        transport.close()
        # close() ends both pipes within a few turns of the loop: after that nothing is delivered.
        await self._drained

    async def _remove_cgroup(self) -> None:
        """Removes the run's group; what the kernel has not quite let go of yet takes some looks."""
        until = self._loop.time() + _SETTLE_S
        while self._cgroup and not self._cgroup.remove():
            if self._loop.time() >= until:
                return  # something stuck lives in it; a later undaunted removes what is left
            await asyncio.sleep(_REMOVE_EVERY_S)

    def _conclude(self, ended_by: EndedBy | Literal["stopped"]) -> None:
        if not self._over.done():
            self._over.set_result(ended_by)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        child = cast("asyncio.SubprocessTransport", transport)
        if self._cgroup:
            # Before it gets its prompt: no tool that the prompt leads to can be started outside.
            self._cgroup.enter(child.get_pid())
        stdin = cast("asyncio.WriteTransport", child.get_pipe_transport(0))
        # asyncio writes as the child reads; a child that closes the pipe unread is no error.
        stdin.write(self._spec.stdin)
        stdin.close()
        for fd in (1, 2):
            _widen(cast("asyncio.ReadTransport", child.get_pipe_transport(fd)))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._last_byte_at = self._loop.time()
        if self._fault is not None:
            return  # being ended: the caller has lost track of the stream
        self._captured[fd].add(data)
        try:
            self._sink("stdout" if fd == 1 else "stderr", data)
            if fd == 1:
                self._lines.feed(data)
        except Exception as error:  # noqa: BLE001 - not swallowed: `execute` raises it
            self._fail(error)

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        self._open_outputs.discard(fd)
        if fd == 1 and self._fault is None:
            try:
                self._lines.close()
            except Exception as error:  # noqa: BLE001 - not swallowed: `execute` raises it
                self._fail(error)
        if not self._open_outputs and not self._drained.done():
            self._drained.set_result(None)

    def process_exited(self) -> None:
        self._exited.set_result(None)
        self._conclude("exit")

    def _fail(self, error: Exception) -> None:
        self._fault = error
        self._conclude("stopped")
