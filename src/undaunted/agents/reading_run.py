"""A program's run, read while it goes on and concluded when it has ended."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from undaunted.agents.agent import AgentResult, OutputSink, RunNotice
from undaunted.agents.line_reader import LineReader
from undaunted.agents.long_wait import LongWaitError
from undaunted.agents.process import ProcessResult, ProcessRunner, ProcessSpec
from undaunted.agents.process_failures import limit_failure
from undaunted.agents.reader import Ending, OutputReader
from undaunted.failures import Failure, FailureKind

__all__ = ["conclude", "ending_of", "run_and_read"]

_LIMITS = frozenset({FailureKind.QUOTA_EXHAUSTED, FailureKind.RATE_LIMITED})

_log = logging.getLogger(__name__)


async def run_and_read(
    spec: ProcessSpec,
    reader: OutputReader,
    *,
    run_process: ProcessRunner,
    sink: OutputSink,
    notify: Callable[[RunNotice], None],
) -> ProcessResult:
    """Runs a program and feeds what it prints to its reader, line by line.

    A line that the reader can't take is logged and costs nothing more.

    Args:
        spec: The program and its limits.
        reader: A fresh reader.
        run_process: The spawner.
        sink: Gets every chunk of output as it comes.
        notify: Gets what is worth showing. What it raises ends the run.

    Raises:
        SpawnError: It could not be started.
        Exception: What `notify` raised.
    """

    def read(feed: Callable[[bytes], RunNotice | None], line: bytes) -> None:
        try:
            notice = feed(line)
        except Exception:  # noqa: BLE001 - what an agent prints costs no more than the line
            _log.exception("a line of %s could not be read", spec.argv[0])
            return
        if notice is not None:
            notify(notice)

    stderr_lines = LineReader(lambda line: read(reader.feed_stderr, line))

    def take(stream: Literal["stdout", "stderr"], chunk: bytes) -> None:
        sink(stream, chunk)
        if stream == "stderr":
            stderr_lines.feed(chunk)

    result = await run_process(spec, on_stdout_line=lambda line: read(reader.feed, line), sink=take)
    # A last line without its end. The program has ended: nobody waits any more, and what it has
    # answered counts.
    with contextlib.suppress(LongWaitError):
        stderr_lines.close()
    return result


def conclude(
    spec: ProcessSpec,
    ended: ProcessResult,
    reader: OutputReader,
    *,
    now: datetime,
    tz: tzinfo | None,
    max_ahead: timedelta,
) -> AgentResult:
    """How a run ended: what its reader understood, and the limit that ended it.

    Args:
        spec: The program and its limits.
        ended: How its process ended.
        reader: The reader that was fed.
        now: The instant of the end; aware.
        tz: The zone of times that the program prints without one; None is the machine's.
        max_ahead: Stated ends of limits further away than this are not believed.
    """
    try:
        result = reader.conclude(ending_of(ended), now=now, tz=tz, max_ahead=max_ahead)
    except Exception as error:  # noqa: BLE001 - what an agent prints costs no more than the attempt
        _log.exception("the output of %s could not be read", spec.argv[0])
        failure = Failure(
            FailureKind.BROKEN_RESPONSE,
            f"its output could not be read ({type(error).__name__})",
            "undaunted: reading",
        )
        result = AgentResult(content=None, failure=failure, exit_code=ended.exit_code)
    if result.failure is None:
        return result  # finished in time, even if the program then would not end
    if (limit := limit_failure(ended, spec)) is not None:
        # An agent that was told to come back later may sit there in silence: that is the cause.
        waited = ended.ended_by == "idle_timeout" and result.failure.kind in _LIMITS
        return result if waited else replace(result, failure=limit)
    if ended.oversize_lines:
        lines = f"{ended.oversize_lines} line(s) of its output were over 16 MiB and not read"
        said = result.failure
        return replace(result, failure=said.with_text(f"{said.message}; {lines}", said.evidence))
    return result


def ending_of(ended: ProcessResult) -> Ending:
    """The end of a process as a reader takes it."""
    return Ending(ended.exit_code, ended.stdout.text, ended.stderr.text)
