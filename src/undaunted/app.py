"""The composition root and entry point: the only module that names concrete parts."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from platformdirs import user_config_path, user_data_path

from undaunted.agents.account import Account
from undaunted.agents.agent import Agent
from undaunted.agents.cgroup import find_cgroups
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.environment import check_depth
from undaunted.agents.process import GuardedRunner
from undaunted.agents.reader import OutputReader
from undaunted.config import Configuration, Settings, load_configuration
from undaunted.errors import ConfigurationError
from undaunted.events import Listener
from undaunted.health import Health
from undaunted.narrator import Narrator
from undaunted.redaction import Redactor
from undaunted.rehearsal.faults import Fault, FaultError
from undaunted.rehearsal.homes import AGENTS_WITH_HOMES
from undaunted.rehearsal.personas import rehearsal_agents
from undaunted.resilience.clock import Clock, SystemClock
from undaunted.roster import Keys, agent_of, key_variables, logins, readers
from undaunted.slots import AgentSlots
from undaunted.tasks import split_key

if TYPE_CHECKING:
    # What stands on the database is imported where it is put together: loading SQLAlchemy takes
    # longer than all the rest, and `--help`, `explain` and `config` do without it.
    from undaunted.key_service import KeyService
    from undaunted.service import Service
    from undaunted.store.master_key import MasterKeySource
    from undaunted.store.store import Store

__all__ = ["DATA_FOLDER_VARIABLE", "App", "compose", "main"]

DATA_FOLDER_VARIABLE = "UNDAUNTED_DATA_DIR"
CONFIG_FOLDER_VARIABLE = "UNDAUNTED_CONFIG_DIR"

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

    def readers(self, settings: Settings) -> Mapping[str, Callable[[], OutputReader]]:
        """How each known agent's output is read, by the agent's name."""
        return readers(settings)

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
        async with (
            self._context(settings, folder) as context,
            await Store.open(folder, clock_now=self._clock.now) as store,
        ):
            secrets = [v for n, v in self.env.items() if _SECRET_NAME.search(n)]
            agents: Sequence[Agent]
            if rehearsal:
                agents = rehearsal_agents(context)
                order = tuple(agent.key for agent in agents)
                await store.delete_health()
            else:
                keys = await _stored_keys(store, self._master_key_source())
                agents = tuple(logins(settings, context, keys))
                order = settings.order
                secrets += [s for a in agents if isinstance(a, CliAgent) for s in a.secrets()]
                secrets += _of_descriptions(settings)
                if keys.values and (master := self._master_key_source().read()):
                    secrets += master.keys
            yield self._compose(
                agents, order, store, settings, emit=emit, redactor=Redactor(secrets)
            )

    @asynccontextmanager
    async def keys(self) -> AsyncGenerator[KeyService]:
        """The stored keys; needs neither agents nor a master key."""
        # See TYPE_CHECKING above.
        from undaunted.key_service import KeyService  # noqa: PLC0415
        from undaunted.store.store import Store  # noqa: PLC0415

        variables = key_variables(self.configuration(Path.cwd(), {}).settings)
        async with await Store.open(self.data_folder(), clock_now=self._clock.now) as store:
            yield KeyService(store, self._master_key_source(), variables=variables)

    @asynccontextmanager
    async def rehearse(
        self, configuration: Configuration, faults: Mapping[str, str], *, emit: Listener
    ) -> AsyncGenerator[Service]:
        """The person's own programs on model APIs that fail; see `Doors.rehearse`."""
        from undaunted.rehearsal.stage import rehearsing  # noqa: PLC0415 - brings a web server
        from undaunted.store.store import Store  # noqa: PLC0415 - see TYPE_CHECKING above

        settings = _in_throwaway_homes(configuration.settings)
        wanted = _faults(faults)
        others = (split_key(key)[0] for key in settings.order)
        homes = (n for n in others if n in AGENTS_WITH_HOMES)
        names = tuple(dict.fromkeys((*wanted, *homes)))
        kept = self.data_folder() / "rehearsal"
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=kept, prefix="own-", ignore_cleanup_errors=True) as folder:
            place = Path(folder)
            async with AsyncExitStack() as stack:
                context = await stack.enter_async_context(self._context(settings, place))
                stage = rehearsing(
                    names,
                    wanted,
                    context=context,
                    make_agent=lambda name, world: agent_of(name, settings, world, Account()),
                    homes=place / "homes",
                    cache=kept / "cache",
                )
                agents = await stack.enter_async_context(stage)
                opened = await Store.open(place, clock_now=self._clock.now)
                store = await stack.enter_async_context(opened)
                yield self._compose(agents, names, store, settings, emit=emit, redactor=Redactor())

    @asynccontextmanager
    async def _context(self, settings: Settings, folder: Path) -> AsyncGenerator[CliContext]:
        """What the world gives to the agents; its processes have a guard while it is open."""
        runner = GuardedRunner(cgroups=find_cgroups(self.env))
        try:
            yield CliContext(
                env=self.env,
                data_folder=folder,
                run_process=runner,
                now=self._clock.now,
                pass_names=settings.env.pass_,
                key_names=_key_names(settings),
                max_reset=timedelta(seconds=settings.max_reset),
            )
        finally:
            await runner.aclose()

    def _compose(
        self,
        agents: Sequence[Agent],
        order: tuple[str, ...],
        store: Store,
        settings: Settings,
        *,
        emit: Listener,
        redactor: Redactor,
    ) -> Service:
        return compose(
            agents={agent.key: agent for agent in agents},
            order=order,
            store=store,
            settings=settings,
            clock=self._clock,
            uniform=self._uniform,
            new_id=self._new_id,
            emit=emit,
            redactor=redactor,
            may_run=lambda: check_depth(self.env),
        )

    def _master_key_source(self) -> MasterKeySource:
        from undaunted.store.master_key import MasterKeySource  # noqa: PLC0415 - see above

        return MasterKeySource(
            self.env, config_folder=self.config_folder(), data_folder=self.data_folder()
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
        agents: Every login of every agent, by `Agent.key`.
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

    narrator = Narrator(emit)
    health = Health(
        store,
        clock=clock,
        failure_threshold=settings.breaker_failures,
        open_s=settings.breaker_open,
        new_id=new_id,
        uniform=uniform,
    )
    orchestrator = Orchestrator(
        agents=agents,
        store=store,
        health=health,
        slots=AgentSlots(store.folder / "slots", clock=clock),
        attempts=AttemptRunner(
            store=store,
            clock=clock,
            new_id=new_id,
            redactor=redactor,
            narrator=narrator,
            resume=settings.resume,
        ),
        settings=FlowSettings(
            order=order,
            retry_base_s=settings.retry_base,
            retry_max_s=settings.retry_max,
            slots_of=settings.slots_of,
            model_of=settings.model_of,
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
        model_of=settings.model_of,
        clock=clock,
        may_run=may_run,
    )


def _folder(variable: str, named: str) -> Path:
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:  # ~somebody who is not there
        raise ConfigurationError(f"{variable} = {named}: {error}") from error


async def _stored_keys(store: Store, source: MasterKeySource) -> Keys:
    """The keys of the store, and why some can't be read: only their logins are out of order."""
    stored, unreadable = await store.readable_keys(source)
    values = {whose: (key.variable, key.value) for whose, key in stored.items()}
    return Keys(values, unreadable)


def _in_throwaway_homes(settings: Settings) -> Settings:
    """`settings` without what leads out of a throw-away home: logins, users and models.

    Another user would come with a home of its own, and a model may be one of a real provider's.
    """
    agents = {
        name: own.model_copy(update={"run_as": None, "model": None})
        for name, own in settings.agents.items()
    }
    return settings.model_copy(update={"accounts": {}, "agents": agents})


def _of_descriptions(settings: Settings) -> list[str]:
    """Secrets that were written into a description's environment."""
    written = (d.environment.items() for d in settings.described.values())
    return [value for items in written for name, value in items if _SECRET_NAME.search(name)]


def _key_names(settings: Settings) -> frozenset[str]:
    """Variables of the person's that hold the keys of accounts."""
    accounts = (account for named in settings.accounts.values() for account in named.values())
    return frozenset(account.key_from for account in accounts) - {""}


def _faults(written: Mapping[str, str]) -> dict[str, Fault]:
    try:
        return {agent: Fault.parse(text) for agent, text in written.items()}
    except FaultError as error:
        raise ConfigurationError(f"--fault: {error}") from error


def main() -> None:
    """The command `undaunted`."""
    # Here, so that code which uses the library loads no terminal.
    from undaunted.cli.main import run_command_line  # noqa: PLC0415

    sys.exit(run_command_line(App(os.environ), sys.argv[1:]))
