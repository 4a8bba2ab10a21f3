"""`undaunted doctor`: which agents are here, which versions, which logins, and what is amiss."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undaunted.cli.doors import doors_of
from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.opening import opened_here
from undaunted.cli.stdout import write_json
from undaunted.cli.terminal import Cell, Terminal, print_table

if TYPE_CHECKING:
    from undaunted.checkup import Checkup  # brings the breakers with it

__all__ = ["doctor"]

_COLUMNS = ("AGENT", "READY", "VERSION", "CREDENTIAL", "WHERE")


def doctor(
    context: typer.Context,
    agent: Annotated[
        list[str] | None,
        typer.Argument(metavar="[AGENT...]", help="Agents, or AGENT/ACCOUNT.", show_default=False),
    ] = None,
    *,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask each model for one word; this costs a request.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> int:
    """Look at the agents: where, version, credential, flags, circuit breaker.

    The exit status is 0 if a task could be run now: on each agent that is named, else on any.
    """
    doors = doors_of(context)
    terminal = Terminal(quiet=as_json)

    async def look() -> list[Checkup]:
        with tempfile.TemporaryDirectory(prefix="undaunted-doctor-") as folder:
            async with opened_here(doors, terminal) as service:
                return await service.check_up(agent or (), probe_in=Path(folder) if probe else None)

    found = asyncio.run(look())
    if as_json:
        write_json([_object(one) for one in found])
    else:
        print_table(_COLUMNS, [_row(one) for one in found])
        for one in found:
            for note in one.notes():
                if one.availability.usable or agent:
                    terminal.note(f"{one.key}: {note}", "yellow")
    ready = [one.ready for one in found]
    return ExitCode.DONE if (all(ready) if agent else any(ready)) else ExitCode.NONE_USABLE


def _row(found: Checkup) -> list[Cell]:
    installed = found.availability.usable
    version = found.inspection.version if found.inspection else None
    credential = f"{found.credential.kind}: {found.credential.source}" if found.credential else "-"
    return [
        (found.key, "bold"),
        ("yes", "green") if found.ready else ("no", "red" if installed else "dim"),
        version or "-",
        credential if installed else "-",
        found.availability.reason,
    ]


def _object(found: Checkup) -> dict[str, object]:
    credential, inspection = found.credential, found.inspection
    return {
        "agent": found.key,
        "ready": found.ready,
        "usable": found.availability.usable,
        "where": found.availability.reason,
        "version": inspection.version if inspection else None,
        "tested_version": inspection.tested_version if inspection else None,
        "version_state": inspection.version_state if inspection else None,
        "missing_flags": inspection.missing_flags if inspection else (),
        "credential": credential
        and {
            "kind": credential.kind,
            "source": credential.source,
            "withheld": credential.withheld,
        },
        "breaker": str(found.health.state),
        "probe": found.probe and {"task_id": found.probe.task.id, "state": found.probe.state},
        "notes": list(found.notes()),
    }
