"""`undaunted show`: one task with its attempts, its error, its answer, and what was printed."""

from __future__ import annotations

import asyncio
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import typer

from undaunted.cli.doors import Doors, doors_of
from undaunted.cli.local_time import moment, until
from undaunted.cli.opening import opened_here
from undaunted.cli.plain_text import one_line, plain
from undaunted.cli.stdout import write_answer, write_json, write_line
from undaunted.cli.summary import figures, money
from undaunted.cli.terminal import Cell, Terminal, print_table
from undaunted.durations import format_duration
from undaunted.store.records import TranscriptChunk
from undaunted.task_object import task_object
from undaunted.tasks import Attempt, TaskRecord

__all__ = ["show"]

_COLUMNS = ("", "AGENT", "MODEL", "STARTED", "TOOK", "OUTCOME", "KIND", "THEN", "COST", "MESSAGE")
_PROMPT_MAX_CHARS = 500
_MESSAGE_MAX_CHARS = 300


def show(
    context: typer.Context,
    task_id: Annotated[
        str,
        typer.Argument(
            metavar="ID|last", help="The task's id or its beginning.", show_default=False
        ),
    ],
    *,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Print what the agents printed.")
    ] = False,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="A task of rehearsals.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show one task: its attempts, its error, its answer."""
    doors = doors_of(context)
    asyncio.run(_show(doors, task_id, transcript=transcript, rehearsal=rehearsal, as_json=as_json))


async def _show(
    doors: Doors, task_id: str, *, transcript: bool, rehearsal: bool, as_json: bool
) -> None:
    async with opened_here(doors, Terminal(quiet=as_json), rehearsal=rehearsal) as service:
        record = await service.task(task_id)
        chunks = await service.transcript(record.task.id) if transcript else []
    if as_json:
        printed = [{"attempt": n, "stream": s, "text": t} for n, s, t in _passages(chunks)]
        write_json(task_object(record) | ({"transcript": printed} if transcript else {}))
        return
    now = doors.now()
    print_table(("TASK", record.task.id), _facts(record, now))
    if record.attempts:
        write_line("")
        print_table(_COLUMNS, [_row(attempt, now) for attempt in record.attempts])
    if transcript:
        _print_transcript(chunks)
    elif record.content is not None:
        write_line("")
        write_answer(record.content)


def _facts(record: TaskRecord, now: datetime) -> list[tuple[Cell, Cell]]:
    facts: list[tuple[Cell, Cell]] = [
        ("state", (str(record.state), "bold")),
        ("prompt", one_line(record.task.prompt, _PROMPT_MAX_CHARS)),
        ("folder", record.task.cwd or "-"),
        ("created", moment(record.created_at, now)),
        ("figures", figures(record)),
    ]
    if record.agent is not None:
        facts.append(("agent", " / ".join(filter(None, (record.agent, record.model)))))
    if record.waiting_until is not None:
        facts.append(("waits", f"until {until(record.waiting_until, now)}"))
    if record.error_message is not None:
        facts.append(("error", (one_line(record.error_message), "red")))
    if record.retry_after_s is not None and record.finished_at is not None:
        back_at = record.finished_at + timedelta(seconds=record.retry_after_s)
        facts.append(("come back", until(back_at, now)))
    return facts


def _row(attempt: Attempt, now: datetime) -> list[Cell]:
    return [
        str(attempt.number),
        (attempt.agent, "bold"),
        attempt.model or "its default",
        moment(attempt.started_at, now),
        "-" if attempt.duration_s is None else format_duration(attempt.duration_s),
        str(attempt.outcome or "runs"),
        attempt.kind or "-",
        attempt.action or "-",
        "-" if attempt.cost_usd is None else money(attempt.cost_usd),
        one_line(attempt.message or "-", _MESSAGE_MAX_CHARS),
    ]


def _print_transcript(chunks: list[TranscriptChunk]) -> None:
    if not chunks:
        write_line("\nnothing was printed")
    on_terminal = sys.stdout.isatty()
    for number, stream, text in _passages(chunks):
        write_line(f"\n--- attempt {number}, {stream}")
        write_line(plain(text) if on_terminal else text)


def _passages(chunks: Iterable[TranscriptChunk]) -> list[tuple[int, str, str]]:
    """(attempt, stream, text): what was printed in one go on one stream, in order.

    A character may be cut by the end of a chunk, so each stream of an attempt has its own decoder.
    """
    decoders = {}
    passages: list[tuple[int, str, str]] = []
    for chunk in chunks:
        key = (chunk.number, chunk.stream)
        if key not in decoders:
            decoders[key] = getincrementaldecoder("utf-8")(errors="replace")
        text = decoders[key].decode(chunk.data)
        if passages and passages[-1][:2] == key:
            text = passages.pop()[2] + text
        passages.append((*key, text))
    return passages
