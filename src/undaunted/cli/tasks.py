"""`undaunted tasks`: the newest tasks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from undaunted.cli.doors import Doors, doors_of
from undaunted.cli.local_time import moment
from undaunted.cli.narration import SHORT_ID_CHARS
from undaunted.cli.opening import opened_here
from undaunted.cli.plain_text import one_line
from undaunted.cli.stdout import write_json
from undaunted.cli.terminal import Cell, Terminal, print_table
from undaunted.durations import format_duration
from undaunted.task_object import task_object
from undaunted.tasks import TaskRecord, TaskState

__all__ = ["STATE_STYLES", "tasks"]

STATE_STYLES = {
    TaskState.SUCCEEDED: "green",
    TaskState.FAILED: "red",
    TaskState.CANCELLED: "yellow",
    TaskState.WAITING: "yellow",
}

_COLUMNS = ("TASK", "STATE", "CREATED", "TOOK", "AGENT", "ATTEMPTS", "PROMPT")
_PROMPT_MAX_CHARS = 60


def tasks(
    context: typer.Context,
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="How many at most.")
    ] = 20,
    state: Annotated[
        TaskState | None, typer.Option(help="Only tasks in this state.", show_default=False)
    ] = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="Those of rehearsals.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show the newest tasks, newest first."""
    asyncio.run(
        _show(doors_of(context), limit=limit, state=state, rehearsal=rehearsal, as_json=as_json)
    )


async def _show(
    doors: Doors, *, limit: int, state: TaskState | None, rehearsal: bool, as_json: bool
) -> None:
    terminal = Terminal(quiet=as_json)
    async with opened_here(doors, terminal, rehearsal=rehearsal) as service:
        records = await service.tasks(limit=limit, state=state)
    if as_json:
        write_json([task_object(record) for record in records])
    elif records:
        print_table(_COLUMNS, [_row(record, doors.now()) for record in records])
    else:
        terminal.note("no task" + (f" is {state}" if state else " yet"))


def _row(record: TaskRecord, now: datetime) -> list[Cell]:
    took = "-"
    if record.finished_at is not None:
        took = format_duration((record.finished_at - record.created_at).total_seconds())
    return [
        (record.task.id[:SHORT_ID_CHARS], "bold"),
        (str(record.state), STATE_STYLES.get(record.state, "")),
        moment(record.created_at, now),
        took,
        record.agent or "-",
        str(len(record.attempts)),
        one_line(record.task.prompt, _PROMPT_MAX_CHARS),
    ]
