"""Settings and where each comes from: flag > environment > project > person > default.

The person's file is `undaunted.toml` in the platform's configuration folder; the project's is the
nearest `undaunted.toml` from the working directory upwards. A project file is part of a repository
that may have been merely cloned, so it can't say what is executed, what is passed to it, or grant
more than `edit`: such settings in it are ignored, and that is said.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from undaunted.descriptions import Descriptions
from undaunted.durations import parse_duration
from undaunted.errors import ConfigurationError
from undaunted.tasks import AgentName, Permissions

__all__ = [
    "FILE_NAME",
    "AccountSettings",
    "AgentSettings",
    "Configuration",
    "Settings",
    "load_configuration",
    "project_file",
]

FILE_NAME = "undaunted.toml"

# Ten years: longer than anything here lasts, and short enough for every calendar and timer.
_LONGEST_S = 10 * 365 * 86400.0

Duration = Annotated[float, BeforeValidator(parse_duration), Field(le=_LONGEST_S)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentSettings(_Table):
    """`[agents.NAME]`: what differs for one agent.

    Attributes:
        command: The program and its first arguments, instead of the agent's usual program.
        args: Further arguments, behind undaunted's own.
        model: The model to ask for.
        slots: Runs of this agent at the same time on this machine.
        run_as: The user of this machine that its program runs as; only root can say so.
    """

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    model: str | None = None
    slots: int | None = Field(default=None, ge=1, le=1000)
    run_as: str | None = None


class AccountSettings(_Table):
    """`[accounts.AGENT.NAME]`: one of an agent's logins.

    Attributes:
        config_folder: The vendor's configuration folder with this login.
        key_from: Name of the caller's variable that holds this account's key.
        prefer_key: Use a paid key even where a subscription is there, and leave the account at its
            place in the order; else subscriptions come first.
        model: The model to ask for with this login.
        slots: Runs with this login at the same time on this machine.
    """

    config_folder: Path | None = None
    key_from: str = Field(default="", pattern="^([A-Za-z_][A-Za-z0-9_]*)?$")
    prefer_key: bool = False
    model: str | None = None
    slots: int | None = Field(default=None, ge=1, le=1000)

    @field_validator("config_folder")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        if folder is None:
            return None
        try:
            found = folder.expanduser()
        except RuntimeError as error:  # ~somebody who is not there
            raise ValueError(str(error)) from error
        if not found.is_absolute():
            raise ValueError("is no absolute path (a ~ in front is fine)")
        return found


class EnvironmentSettings(_Table):
    """`[env]`: which of the caller's variables the agents see beside the standard ones."""

    pass_: tuple[str, ...] = Field(default=(), alias="pass")

    @field_validator("pass_")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if _VARIABLE.fullmatch(name) is None:
                raise ValueError(f"{name!r} is no name of a variable")
        return names


class Settings(_Table):
    """All settings; durations are seconds or text such as `30m`.

    Attributes:
        order: Agents to try, first to last.
        permissions: What agents may do: read, edit or full.
        timeout: Wall-clock limit of an attempt.
        idle_timeout: Longest time without a byte of output.
        deadline: Limit of running and backoff over all attempts of a task.
        max_wait: Limit of waiting for agents to come back, where waiting was asked for.
        attempts: Attempts per agent, the first included.
        retry_base: Backoff before the second attempt; doubles from there.
        retry_max: Longest backoff, and longest stated wait that is slept through.
        breaker_failures: Consecutive failures that open an agent's circuit breaker.
        breaker_open: How long it stays open then.
        slots: Runs of one login of an agent at the same time on this machine.
        resume: Continue an agent's own session after a failure instead of beginning anew.
        max_reset: Stated ends of limits further away than this are not believed.
    """

    order: tuple[str, ...] = tuple(AgentName)
    permissions: Permissions = "edit"
    timeout: Duration = Field(default=1800.0, gt=0)
    idle_timeout: Duration = Field(default=300.0, gt=0)
    deadline: Duration = Field(default=7200.0, gt=0)
    max_wait: Duration = Field(default=6 * 3600.0, ge=0)
    attempts: int = Field(default=3, ge=1, le=100)
    retry_base: Duration = Field(default=2.0, gt=0)
    retry_max: Duration = Field(default=60.0, gt=0)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_open: Duration = Field(default=60.0, gt=0)
    slots: int = Field(default=4, ge=1, le=1000)
    resume: bool = True
    max_reset: Duration = Field(default=8 * 86400.0, gt=0)
    env: EnvironmentSettings = EnvironmentSettings()
    agents: dict[str, AgentSettings] = Field(default_factory=dict)
    accounts: dict[str, dict[str, AccountSettings]] = Field(default_factory=dict)
    described: Descriptions = Field(default_factory=dict)

    @field_validator("order", mode="before")
    @classmethod
    def _listed(cls, order: object) -> object:
        """One text lists names with commas between them."""
        if isinstance(order, str):
            return tuple(name.strip() for name in order.split(",") if name.strip())
        return order

    @model_validator(mode="after")
    def _order_of_known(self) -> Settings:
        if not self.order:
            raise ValueError(f"names no agent; known are {', '.join(self.agent_names)}")
        for key in self.order:
            self.check_key(key)
        if len(set(self.order)) < len(self.order):
            raise ValueError("names an agent twice; each is tried once in a task")
        return self

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Every agent there is: those that undaunted knows, then those that are described."""
        return (*AgentName, *self.described)

    def check_key(self, key: str) -> None:
        """Raises ValueError unless `key` is an agent's name or `AGENT/ACCOUNT`."""
        agent, slash, account = key.partition("/")
        if agent not in self.agent_names:
            known = ", ".join(self.agent_names)
            raise ValueError(f"there is no agent {agent!r}; known are {known}")
        # A stored key makes accounts too: which there are is checked with the task.
        if slash and _ACCOUNT.fullmatch(account) is None:
            raise ValueError(f"{account!r} is no name of an account: {agent}/work")

    def slots_of(self, agent: str, account: str) -> int:
        """Runs of `agent` with the login `account` at the same time on this machine."""
        own = self.accounts.get(agent, {}).get(account, AccountSettings()).slots
        general = self.agents.get(agent, AgentSettings()).slots
        return own or general or self.slots

    def model_of(self, agent: str, account: str) -> str | None:
        """The model to ask `agent` for with the login `account`; None is its own default."""
        own = self.accounts.get(agent, {}).get(account, AccountSettings()).model
        return own or self.agents.get(agent, AgentSettings()).model


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force.

    Attributes:
        settings: The values.
        origins: Where each set value comes from, by its dotted name; what is missing is a default.
        warnings: What was ignored and why.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, object, str]]:
        """(name, value, origin) of every setting, in the order of their definition."""
        told = self.settings.model_dump(mode="json", by_alias=True, exclude={"described"})
        values = dict(_flatten(told))
        # Of a description, what it says: its defaults are many, and most concern few agents.
        for name, described in self.settings.described.items():
            said = described.model_dump(by_alias=True, exclude_unset=True)
            values |= _flatten(said, f"described.{name}.")
        shown = ((n, value) for n, value in values.items() if value != {})
        return [(n, value, _origin(n, self.origins) or "default") for n, value in shown]


def load_configuration(
    *,
    env: Mapping[str, str],
    cwd: Path,
    person_folder: Path,
    flags: Mapping[str, object] | None = None,
) -> Configuration:
    """The settings in force for a command run in `cwd`.

    Args:
        env: The caller's environment; `UNDAUNTED_TIMEOUT=10m` sets `timeout`, and so on.
        cwd: The working directory, from which the project's file is looked for upwards.
        person_folder: The folder of the person's file.
        flags: Values given on the command line, by dotted name.

    Raises:
        ConfigurationError: A file can't be read, or a setting is unknown or has a wrong value;
            the text says which, where it stands and what would do.
    """
    person = person_folder / FILE_NAME
    project = project_file(cwd, person)
    layers: list[tuple[str, dict[str, object]]] = []
    warnings: list[str] = []
    if person.is_file():
        layers.append((f"person ({person})", _read(person)))
    if project is not None:
        kept, ignored = _allowed_in_project(_read(project))
        warnings += [f"{project}: {name} is ignored: {why}" for name, why in ignored]
        layers.append((f"project ({project})", kept))
    layers.append(("environment", _from_environment(env)))
    layers.append(("flag", dict(flags or {})))

    agents = [*AgentName, *_described_names(layers)]
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for name, value in layer.items():
            _check_name(name, value, origin, agents)
            values[name] = value
            origins[name] = origin
    return Configuration(_validated(values, origins), origins, tuple(warnings))


def project_file(cwd: Path, person: Path) -> Path | None:
    """The nearest settings file from `cwd` upwards to the project's root; None if there is none.

    Args:
        cwd: The working directory.
        person: The person's own file, which is no project's.
    """
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        if candidate.is_file() and candidate != person:
            return candidate
        if (folder / ".git").exists():
            return None  # the project ends here
    return None


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return dict(_flatten(tomllib.load(file)))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: is no valid TOML: {error}") from error


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flatten(cast("dict[str, object]", value), f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _allowed_in_project(
    values: Mapping[str, object],
) -> tuple[dict[str, object], list[tuple[str, str]]]:
    kept: dict[str, object] = {}
    ignored: list[tuple[str, str]] = []
    own = "only the person's own file may say what is run, and with what"
    for name, value in values.items():
        if name.startswith("described."):
            # One word for all that is said of an agent.
            described = (".".join(name.split(".")[:2]), own)
            ignored += [described] if described not in ignored else []
        elif name.startswith(("accounts.", "env.")) or name.endswith(_OF_PROGRAMS):
            ignored.append((name, own))
        elif name == "permissions" and value == "full":
            ignored.append((name, "a project can't grant more than edit"))
        else:
            kept[name] = value
    return kept, ignored


_OF_PROGRAMS = (".args", ".command", ".run_as")
_TABLES = frozenset({"accounts", "agents", "described", "env"})
_SCALARS = tuple(n for n in Settings.model_fields if n not in _TABLES)


def _from_environment(env: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in _SCALARS:
        text = env.get(f"UNDAUNTED_{name.upper()}", "")
        if text:
            found[name] = text
    return found


def _described_names(layers: Iterable[tuple[str, Mapping[str, object]]]) -> list[str]:
    """The agents that are described, each once."""
    parts = (name.split(".") for _, layer in layers for name in layer)
    return list(dict.fromkeys(p[1] for p in parts if p[0] == "described" and len(p) > 1))


def _check_name(name: str, value: object, origin: str, agents: Sequence[str]) -> None:
    known = [*_SCALARS, "env.pass"]
    parts = name.split(".")
    account = parts[2] if len(parts) > 2 and _ACCOUNT.fullmatch(parts[2]) else "NAME"
    if parts[0] == "described" and len(parts) > 1:
        return  # a description checks its own keys
    if value == {}:
        # A table in which nothing stands says something too: that there is such an account.
        known = [*_TABLES, *(f"agents.{agent}" for agent in agents)]
        known += [f"accounts.{agent}{of}" for agent in agents for of in ("", f".{account}")]
    elif parts[0] == "agents" and len(parts) > 1:
        fields = list(AgentSettings.model_fields)
        names = [parts[1]] if parts[1] in agents else agents
        known = [f"agents.{agent}.{field}" for agent in names for field in fields]
    elif parts[0] == "accounts" and len(parts) > 1:
        names = [parts[1]] if parts[1] in agents else agents
        fields = list(AccountSettings.model_fields)
        known = [f"accounts.{agent}.{account}.{field}" for agent in names for field in fields]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        raise ConfigurationError(f"unknown setting {name} ({origin}){hint}")


def _validated(values: Mapping[str, object], origins: Mapping[str, str]) -> Settings:
    nested: dict[str, object] = {}
    for name, value in values.items():
        table = nested
        *folders, last = name.split(".")
        for folder in folders:
            table = cast("dict[str, object]", table.setdefault(folder, {}))
        # An empty table takes nothing away from what another file says in it.
        table[last] = value if value != {} else table.get(last, {})
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        # What is wrong with no single value is the order, which is checked against all the others.
        name = ".".join(str(part) for part in first["loc"]) or "order"
        at, place = None, name
        while at is None and place:  # a value that is missing has the place of what is around it
            at, place = _origin(place, origins), place.rpartition(".")[0]
        reason = first["msg"].removeprefix("Value error, ")
        written = values.get(name, first["input"] if first["loc"] else nested.get("order"))
        # A whole table is no help beside its name.
        said = name if isinstance(written, dict) else f"{name} = {written!r}"
        raise ConfigurationError(f"{said} ({at or ''}): {reason}") from error


def _origin(name: str, origins: Mapping[str, str]) -> str | None:
    """Where `name`, or the first that stands below it, comes from."""
    return next((o for n, o in origins.items() if n == name or n.startswith(f"{name}.")), None)
