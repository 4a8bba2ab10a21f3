"""Opening the service for a command: the settings, the store, and what died since."""

from __future__ import annotations

from collections.abc import AsyncGenerator
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
    emit: Listener | None = None,
) -> AsyncGenerator[Service]:
    """The service; settings that were ignored and tasks whose process died are told first.

    Args:
        doors: The product.
        configuration: The settings in force.
        terminal: Where it is told.
        rehearsal: The store of the rehearsals instead of the person's.
        emit: Gets the events of tasks that are run.
    """
    for warning in configuration.warnings:
        terminal.note(f"! {warning}", "yellow")
    async with doors.service(configuration, emit=emit or _ignore, rehearsal=rehearsal) as service:
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
