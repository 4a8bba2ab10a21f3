"""Opening the service for a command: the settings, the store, and what died since."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from undaunted.cli.doors import Doors
from undaunted.cli.terminal import Terminal
from undaunted.config import Configuration
from undaunted.events import Event, Listener

if TYPE_CHECKING:
    from undaunted.service import Service  # brings the database with it

__all__ = ["open_service", "opened_here"]


@asynccontextmanager
async def open_service(
    doors: Doors,
    configuration: Configuration,
    terminal: Terminal,
    *,
    rehearsal: bool = False,
    faults: Mapping[str, str] | None = None,
    emit: Listener | None = None,
) -> AsyncGenerator[Service]:
    """The service; settings that were ignored and tasks whose process died are told first.

    Args:
        doors: The product.
        configuration: The settings in force.
        terminal: Where it is told.
        rehearsal: The store of the rehearsals instead of the person's.
        faults: The real programs on model APIs that fail so, by agent; None is the real models.
        emit: Gets the events of tasks that are run.
    """
    for warning in configuration.warnings:
        terminal.note(f"! {warning}", "yellow")
    listener = emit or _ignore
    opened = (
        doors.service(configuration, emit=listener, rehearsal=rehearsal)
        if faults is None
        else doors.rehearse(configuration, faults, emit=listener)
    )
    async with opened as service:
        for record in await service.sweep():
            terminal.note(
                f"! task {record.task.id} was interrupted: its process ended before it did "
                f"(undaunted show {record.task.id[:8]})",
                "yellow",
            )
        yield service


@asynccontextmanager
async def opened_here(
    doors: Doors, terminal: Terminal, *, rehearsal: bool = False
) -> AsyncGenerator[Service]:
    """`open_service` with the settings of the current directory, for commands that run nothing."""
    configuration = doors.configuration(Path.cwd(), {})
    async with open_service(doors, configuration, terminal, rehearsal=rehearsal) as service:
        yield service


def _ignore(event: Event) -> None:
    """Listens to nothing."""
    del event
