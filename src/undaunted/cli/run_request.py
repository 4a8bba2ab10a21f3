"""What was asked for with `run`, and the task that it makes."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from undaunted.config import Settings
from undaunted.errors import ConfigurationError, InvalidTaskError
from undaunted.tasks import Task

__all__ = ["RunRequest", "read_prompt"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The flags of `run` that make its task.

    Attributes:
        prompt: As typed; `-` or None is stdin.
        agents: Names with commas between them.
        cwd: Where the agents work; None is the current directory.
        settings: Flags that are settings, by the setting's name.
        waits: The task may wait for agents to come back.
        models: `[AGENT=]NAME` each.
        agent_args: `[AGENT=]ARG` each.
        env_names: Variables that the agents see as well.
        session_id: The caller's own grouping.
    """

    prompt: str | None = None
    agents: str | None = None
    cwd: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    waits: bool = False
    models: tuple[str, ...] = ()
    agent_args: tuple[str, ...] = ()
    env_names: tuple[str, ...] = ()
    session_id: str | None = None

    def folder(self) -> Path:
        """Where the agents work, absolute.

        Raises:
            ConfigurationError: It is no folder.
        """
        try:
            folder = (self.cwd or Path()).expanduser().resolve(strict=True)
        except (OSError, RuntimeError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"--cwd {self.cwd or '.'}: {said}") from error
        if not folder.is_dir():
            raise ConfigurationError(f"--cwd {self.cwd}: is no folder")
        return folder

    def task(
        self, prompt: str, settings: Settings, *, known: Collection[str], env: Mapping[str, str]
    ) -> Task:
        """The task.

        Args:
            prompt: The text, read.
            settings: The settings in force, flags included.
            known: Names of all agents: `NAME=` splits a model or an argument for these only.
            env: The caller's environment.

        Raises:
            ConfigurationError: A flag has a wrong value.
        """
        for name in self.env_names:
            _check_variable(name, env)
        by_agent: dict[str, tuple[str, ...]] = {}
        for text in self.agent_args:
            agent, argument = _split(text, known)
            by_agent[agent] = (*by_agent.get(agent, ()), argument)
        return Task(
            prompt=prompt,
            cwd=str(self.folder()),
            permissions=settings.permissions,
            agents=_names(self.agents),
            models=dict(_split(text, known) for text in self.models),
            agent_args=by_agent,
            env_names=tuple(dict.fromkeys((*settings.env.pass_, *self.env_names))),
            session_id=self.session_id,
            timeout_s=settings.timeout,
            idle_timeout_s=settings.idle_timeout,
            deadline_s=settings.deadline,
            max_wait_s=settings.max_wait if self.waits else 0.0,
            attempts=settings.attempts,
        )


def read_prompt(typed: str | None) -> str:
    """The prompt as typed, or all of stdin for `-`, or for none where stdin is no terminal.

    Raises:
        ConfigurationError: There is none.
        InvalidTaskError: It is no text.
    """
    if typed is None and sys.stdin.isatty():
        raise ConfigurationError(
            "there is no prompt: undaunted run 'What is to be done', or - to read it from stdin"
        )
    data = (
        sys.stdin.buffer.read()
        if typed in {None, "-"}
        else (typed or "").encode("utf-8", errors="surrogateescape")
    )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidTaskError(
            f"the prompt is no UTF-8 text: byte {error.start + 1} is wrong", field="prompt"
        ) from error


def _names(listed: str | None) -> tuple[str, ...]:
    if listed is None:
        return ()
    names = tuple(name.strip() for name in listed.split(","))
    if not all(names):
        raise ConfigurationError(f"--agents {listed}: write names with a comma between them")
    return names


def _split(text: str, known: Collection[str]) -> tuple[str, str]:
    """(agent, rest) of `agent=rest` for a known agent, else ("", text): meant for all agents."""
    name, equals, rest = text.partition("=")
    return (name, rest) if equals and name in known else ("", text)


def _check_variable(name: str, env: Mapping[str, str]) -> None:
    if _VARIABLE.fullmatch(name) is None:
        raise ConfigurationError(
            f"--env {name}: give the name of a variable; its value is taken from your environment"
        )
    if name not in env:
        raise ConfigurationError(f"--env {name}: that variable is not set in your environment")
