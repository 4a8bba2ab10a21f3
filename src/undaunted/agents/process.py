"""Runs one command to its end: the only place where undaunted starts a process.

Whatever happens (the end, a timeout, a cancellation, a fault of the caller's), nothing that the
command started is alive when `run_process` returns or raises.

Time is the event loop's and not an injected clock's: the processes are real and live in real time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from undaunted.agents.agent import OutputSink
from undaunted.agents.captured_output import HEAD_MAX_BYTES, TAIL_MAX_BYTES, CapturedOutput
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.line_reader import LINE_MAX_BYTES, LineReader
from undaunted.agents.process_table import ProcessEntry, process_table
from undaunted.agents.process_tree import ProcessTree, carries_mark
from undaunted.agents.spawn_error import SpawnError, spawn_error

__all__ = [
    "EndedBy",
    "ProcessResult",
    "ProcessRunner",
    "ProcessSpec",
    "SpawnError",
    "run_process",
]

EndedBy = Literal["exit", "timeout", "idle_timeout"]
"""What ended a command: it exited (also by a signal that was not ours), or one of our limits."""

# How often the tree is looked at while the command runs, for the processes that would later be
# known by nothing but their parent. A look takes about 20 us per process on the machine.
_LOOK_EVERY_S = 2.0

# What the kernel lets an unprivileged process have by default (pipe-max-size in proc_sys_fs(5)).
_PIPE_BYTES = 1024 * 1024

# How long output may still come once the command itself has ended: what it printed last is in the
# pipe already; more can only come from a process that it left behind.
_SETTLE_S = 0.5

# How long asyncio may take to tell us the exit status of a process that is dead already.
_REAP_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A command and its limits.

    Attributes:
        argv: Program and arguments; never goes through a shell. A program without a slash is
            looked up in the PATH of `env`.
        env: The whole environment (`child_environment`). Its UNDAUNTED_ATTEMPT marks the processes.
        cwd: Working directory.
        stdin: Written to the command's standard input, which is then closed; the command never
            gets ours.
        timeout_s: Wall-clock limit in seconds.
        idle_timeout_s: Longest time without a byte on stdout or stderr, in seconds.
        grace_s: Seconds between TERM and KILL.
        line_max_bytes: Longest line of stdout that is delivered.
        head_max_bytes: Bytes kept from the beginning of each stream.
        tail_max_bytes: Bytes kept from the end of each stream.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # holds keys
    cwd: str
    stdin: bytes = field(default=b"", repr=False)
    timeout_s: float
    idle_timeout_s: float
    grace_s: float = 5.0
    line_max_bytes: int = LINE_MAX_BYTES
    head_max_bytes: int = HEAD_MAX_BYTES
    tail_max_bytes: int = TAIL_MAX_BYTES


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a command ended.

    Attributes:
        exit_code: Its exit status, negative for a signal; None only if it could not be ended.
        ended_by: What ended it.
        duration_s: Seconds from its start until nothing of it was alive.
        stdout: Head and tail of its standard output.
        stderr: Head and tail of its standard error.
        oversize_lines: Lines of stdout that were too long and not delivered.
        left_behind: Names of the processes that a command which exited had left running; they were
            ended too.
        survivors: Names of the processes that nothing could end (stuck in the kernel, or another
            user's).
    """

    exit_code: int | None
    ended_by: EndedBy
    duration_s: float
    stdout: CapturedOutput
    stderr: CapturedOutput
    oversize_lines: int = 0
    left_behind: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


def _no_line(_line: bytes) -> None:
    """Takes a line that nobody reads."""


def _no_sink(_stream: Literal["stdout", "stderr"], _chunk: bytes) -> None:
    """Takes a chunk that nobody keeps."""


class ProcessRunner(Protocol):
    """What an agent needs to run its command: `run_process`, or a test's stand-in."""

    async def __call__(
        self,
        spec: ProcessSpec,
        *,
        on_stdout_line: Callable[[bytes], None] = _no_line,
        sink: OutputSink = _no_sink,
    ) -> ProcessResult:
        """See `run_process`."""
        ...


async def run_process(
    spec: ProcessSpec,
    *,
    on_stdout_line: Callable[[bytes], None] = _no_line,
    sink: OutputSink = _no_sink,
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
    run = _Run(spec, on_stdout_line, sink)
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
    if not hasattr(fcntl, "F_SETPIPE_SZ"):
        return  # not Linux
    file = pipe.get_extra_info("pipe")
    # OSError: the user's share of pipe memory is used up, so 64 KiB it is. ValueError: the child
    # has closed its end already, and asyncio ours.
    with contextlib.suppress(OSError, ValueError):
        fcntl.fcntl(file.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class _Run(asyncio.SubprocessProtocol):
    """One run: the protocol that asyncio calls with what the child does, and the run's course."""

    def __init__(
        self, spec: ProcessSpec, on_stdout_line: Callable[[bytes], None], sink: OutputSink
    ) -> None:
        self._spec = spec
        self._sink = sink
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

    async def execute(self) -> ProcessResult:
        """Starts the command, waits for its end, and leaves nothing of it alive."""
        mark = self._spec.env.get(ATTEMPT_VARIABLE, "")
        if mark and carries_mark(os.environ.get(ATTEMPT_VARIABLE), mark):
            # Ending the tree would end us, and whatever started us.
            raise ValueError(f"{ATTEMPT_VARIABLE}={mark} is the mark of this process itself")
        started = self._last_byte_at = self._loop.time()
        transport = await self._spawn()
        tree = ProcessTree(transport.get_pid(), mark, table=process_table())
        left_behind: list[ProcessEntry] = []
        try:
            ended_by = await self._watch(tree, timeout_at=started + self._spec.timeout_s)
            if ended_by == "exit":
                await asyncio.wait((self._drained,), timeout=_SETTLE_S)
                left_behind = tree.look()
            survivors: list[ProcessEntry] = []
            if ended_by != "exit" or left_behind:
                survivors = await tree.end(grace_s=self._spec.grace_s)
            await self._close(transport)
        except BaseException:
            # Nobody cancels this task but a loop that is torn down (a second Ctrl-C): no grace.
            try:
                await tree.end(grace_s=0)
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
        try:
            transport, _ = await self._loop.subprocess_exec(
                lambda: self,
                *self._spec.argv,
                env=self._spec.env,
                cwd=self._spec.cwd,
                # A session of its own: no terminal to ask a question on, and a Ctrl-C at ours
                # reaches the agent through us only.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise spawn_error(error, program=self._spec.argv[0], cwd=self._spec.cwd) from error
        return transport

    async def _watch(self, tree: ProcessTree, *, timeout_at: float) -> EndedBy | Literal["stopped"]:
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
            tree.look()

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

    def _conclude(self, ended_by: EndedBy | Literal["stopped"]) -> None:
        if not self._over.done():
            self._over.set_result(ended_by)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        child = cast("asyncio.SubprocessTransport", transport)
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
