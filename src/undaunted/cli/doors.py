"""What the command line needs of the composition root, which alone names the concrete parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import typer

from undaunted.agents.reader import OutputReader
from undaunted.config import Configuration, Settings
from undaunted.events import Listener

if TYPE_CHECKING:
    # It brings the database with it, which takes most of a start: the composition root imports it
    # when a command asks for the service.
    from undaunted.key_service import KeyService
    from undaunted.service import Service

__all__ = ["Doors", "doors_of"]


class Doors(Protocol):
    """Opens the product for one command."""

    @property
    def env(self) -> Mapping[str, str]:
        """The caller's environment."""
        ...

    def readers(self, settings: Settings) -> Mapping[str, Callable[[], OutputReader]]:
        """How each known agent's output is read, by the agent's name."""
        ...

    def now(self) -> datetime:
        """The present instant, aware."""
        ...

    def new_id(self) -> str:
        """A fresh UUID as text."""
        ...

    def data_folder(self) -> Path:
        """Where undaunted keeps its files."""
        ...

    def config_folder(self) -> Path:
        """Where the person's own settings are."""
        ...

    def configuration(self, cwd: Path, flags: Mapping[str, object]) -> Configuration:
        """The settings in force.

        Raises:
            ConfigurationError: A setting is wrong.
        """
        ...

    def service(
        self, configuration: Configuration, *, emit: Listener, rehearsal: bool
    ) -> AbstractAsyncContextManager[Service]:
        """The service on the person's store, or on the one of the rehearsals.

        Raises:
            StoreError: The store can't be used.
            ConfigurationError: The configuration names an agent that there is not.
        """
        ...

    def rehearse(
        self, configuration: Configuration, faults: Mapping[str, str], *, emit: Listener
    ) -> AbstractAsyncContextManager[Service]:
        """The service with the person's own programs on model APIs that fail, on a passing store.

        Args:
            configuration: The settings in force.
            faults: What goes wrong, by agent; these agents come first.
            emit: Gets the events.

        Raises:
            ConfigurationError: A fault or an agent is unknown.
        """
        ...

    def keys(self) -> AbstractAsyncContextManager[KeyService]:
        """The stored keys; needs neither agents nor a master key.

        Raises:
            StoreError: The store can't be used.
        """
        ...


def doors_of(context: typer.Context) -> Doors:
    """The doors that `run_command_line` put into a command's context."""
    return cast("Doors", context.obj)
