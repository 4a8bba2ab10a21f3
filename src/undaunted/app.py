"""The composition root and entry point: the only module that names concrete parts."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from platformdirs import user_config_path, user_data_path

from undaunted.agents.agent import Agent
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.environment import check_depth
from undaunted.agents.gemini import GeminiAgent
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.process import run_process
from undaunted.agents.reader import OutputReader
from undaunted.agents.simulated import SimulatedReader
from undaunted.config import AgentSettings, Configuration, Settings, load_configuration
from undaunted.errors import ConfigurationError
from undaunted.events import Listener
from undaunted.health import Health
from undaunted.narrator import Narrator
from undaunted.redaction import Redactor
from undaunted.rehearsal.personas import rehearsal_agents
from undaunted.resilience.clock import Clock, SystemClock
from undaunted.slots import AgentSlots

if TYPE_CHECKING:
    # What stands on the database is imported where it is put together: loading SQLAlchemy takes
    # longer than all the rest, and `--help`, `explain` and `config` do without it.
    from undaunted.service import Service
    from undaunted.store.store import Store

__all__ = ["DATA_FOLDER_VARIABLE", "App", "compose", "main"]

DATA_FOLDER_VARIABLE = "UNDAUNTED_DATA_DIR"
CONFIG_FOLDER_VARIABLE = "UNDAUNTED_CONFIG_DIR"

_AGENTS: dict[str, type[CliAgent]] = {"claude": ClaudeAgent, "gemini": GeminiAgent}
_READERS: dict[str, Callable[[], OutputReader]] = {
    "claude": ClaudeReader,
    "gemini": GeminiReader,
    "simulated": SimulatedReader,
}

# Variables whose values are secrets by their name, whoever they belong to.
_SECRET_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|PAT)$|BEARER_TOKEN", re.IGNORECASE
)


class App:
    """Opens the product in one environment (`cli.doors.Doors`).

    Args:
        env: The caller's environment.
        clock: Where time comes from.
        uniform: Uniform numbers in [0, 1), for jitter.
        new_id: Gives a fresh UUID as text.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        clock: Clock | None = None,
        uniform: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self.env = env
        self.readers: Mapping[str, Callable[[], OutputReader]] = _READERS
        self._clock = clock or SystemClock()
        self._uniform = uniform
        self._new_id = new_id

    def now(self) -> datetime:
        """The present instant, aware."""
        return self._clock.now()

    def new_id(self) -> str:
        """A fresh UUID as text."""
        return self._new_id()

    def data_folder(self) -> Path:
        """`UNDAUNTED_DATA_DIR`, else the platform's folder for a person's data; absolute."""
        named = self.env.get(DATA_FOLDER_VARIABLE)
        return _folder(DATA_FOLDER_VARIABLE, named) if named else user_data_path("undaunted")

    def config_folder(self) -> Path:
        """`UNDAUNTED_CONFIG_DIR`, else the platform's folder for a person's settings."""
        named = self.env.get(CONFIG_FOLDER_VARIABLE)
        return _folder(CONFIG_FOLDER_VARIABLE, named) if named else user_config_path("undaunted")

    def configuration(self, cwd: Path, flags: Mapping[str, object]) -> Configuration:
        """The settings in force for a command run in `cwd`; see `load_configuration`."""
        folder = self.config_folder()
        return load_configuration(env=self.env, cwd=cwd, person_folder=folder, flags=flags)

    @asynccontextmanager
    async def service(
        self, configuration: Configuration, *, emit: Listener, rehearsal: bool
    ) -> AsyncGenerator[Service]:
        """The service on the person's store, or on the one of the rehearsals.

        A rehearsal begins with closed breakers, so that it shows the same every time.
        """
        from undaunted.store.store import Store  # noqa: PLC0415 - see TYPE_CHECKING above

        folder = self.data_folder() / "rehearsal" if rehearsal else self.data_folder()
        settings = configuration.settings
        context = CliContext(
            env=self.env,
            data_folder=folder,
            run_process=run_process,
            now=self._clock.now,
            pass_names=settings.env.pass_,
        )
        agents: Mapping[str, Agent]
        if rehearsal:
            agents = {agent.name: agent for agent in rehearsal_agents(context)}
            order = tuple(agents)
        else:
            order = settings.order
            agents = {n: _agent(n, settings, context) for n in dict.fromkeys((*order, *_AGENTS))}
        async with await Store.open(folder, clock_now=self._clock.now) as store:
            if rehearsal:
                await store.delete_health()
            yield compose(
                agents=agents,
                order=order,
                store=store,
                settings=settings,
                clock=self._clock,
                uniform=self._uniform,
                new_id=self._new_id,
                emit=emit,
                redactor=Redactor(v for n, v in self.env.items() if _SECRET_NAME.search(n)),
                may_run=lambda: check_depth(self.env),
            )


def compose(
    *,
    agents: Mapping[str, Agent],
    order: tuple[str, ...],
    store: Store,
    settings: Settings,
    clock: Clock,
    uniform: Callable[[], float],
    new_id: Callable[[], str],
    emit: Listener,
    redactor: Redactor,
    max_switches: int | None = None,
    may_run: Callable[[], None] = lambda: None,
) -> Service:
    """A service of these parts.

    Args:
        agents: All there are, by name.
        order: Those that are tried when a task names none, first to last.
        store: Where everything is kept.
        settings: The settings in force.
        clock: Where time comes from.
        uniform: Uniform numbers in [0, 1), for jitter.
        new_id: Gives a fresh UUID as text.
        emit: Gets the events.
        redactor: Takes secrets out of what is kept.
        max_switches: Changes of agent at most in a task; None is no bound.
        may_run: Raises an UndauntedError where no agent may be run from here.
    """
    # See TYPE_CHECKING above.
    from undaunted.attempts import AttemptRunner  # noqa: PLC0415
    from undaunted.orchestrator import FlowSettings, Orchestrator  # noqa: PLC0415
    from undaunted.service import Service  # noqa: PLC0415

    models = {n: settings.agents.get(n, AgentSettings()).model for n in agents}
    narrator = Narrator(emit)
    health = Health(
        store,
        clock=clock,
        failure_threshold=settings.breaker_failures,
        open_s=settings.breaker_open,
        new_id=new_id,
    )
    orchestrator = Orchestrator(
        agents=agents,
        store=store,
        health=health,
        slots=AgentSlots(store.folder / "slots", clock=clock),
        attempts=AttemptRunner(
            store=store, clock=clock, new_id=new_id, redactor=redactor, narrator=narrator
        ),
        settings=FlowSettings(
            order=order,
            retry_base_s=settings.retry_base,
            retry_max_s=settings.retry_max,
            slots_of=settings.slots_of,
            model_of=models.get,
            max_switches=max_switches,
        ),
        clock=clock,
        random=uniform,
        narrator=narrator,
    )
    return Service(
        store=store,
        orchestrator=orchestrator,
        health=health,
        agents=agents,
        order=order,
        models=models,
        clock=clock,
        may_run=may_run,
    )


def _folder(variable: str, named: str) -> Path:
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:  # ~somebody who is not there
        raise ConfigurationError(f"{variable} = {named}: {error}") from error


def _agent(name: str, settings: Settings, context: CliContext) -> Agent:
    if name not in _AGENTS:
        raise ConfigurationError(f"no agent {name!r}; known are {', '.join(_AGENTS)}")
    own = settings.agents.get(name, AgentSettings())
    return _AGENTS[name](context, program=own.command, extra_args=own.args)


def main() -> None:
    """The command `undaunted`."""
    # Here, so that code which uses the library loads no terminal.
    from undaunted.cli.main import run_command_line  # noqa: PLC0415

    sys.exit(run_command_line(App(os.environ), sys.argv[1:]))
