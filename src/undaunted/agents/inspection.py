"""What an agent's program says of itself: its version, and the flags that it knows."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from undaunted.agents.agent import AgentRequest, Inspection, VersionState
from undaunted.agents.spawn_error import SpawnError
from undaunted.tasks import Permissions

__all__ = [
    "ASK_TIMEOUT_S",
    "flags_missing",
    "inspect",
    "sample_request",
    "version_in",
    "version_state",
]

ASK_TIMEOUT_S = 60.0
"""Longest time for an answer, in seconds. A program that is asked for its version answers in one
second; opencode needs up to ten on a busy machine."""

_VERSION = re.compile(r"(?<![\w.])v?(\d+)\.(\d+)\.(\d+)(?![\w.]*\d)")


def version_in(text: str) -> str | None:
    """The first `major.minor.patch` in `text`, without a `v`; None if there is none."""
    found = _VERSION.search(text)
    return ".".join(found.groups()) if found else None


def version_state(version: str | None, tested: str) -> VersionState:
    """How `version` stands to `tested`.

    Args:
        version: As `version_in` gives it.
        tested: As `major.minor.patch`.
    """
    if version is None:
        return "unknown"
    found, known = ([int(n) for n in v.split(".")] for v in (version, tested))
    if found[0] != known[0]:
        return "other_major"
    return "tested" if found == known else "newer" if found > known else "older"


def flags_missing(arguments: Iterable[str], help_text: str) -> tuple[str, ...]:
    """The long flags among `arguments` that `help_text` does not name, sorted."""
    used = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    return tuple(sorted(f for f in used - {"--"} if not re.search(rf"{f}(?![\w-])", help_text)))


async def inspect(
    ask: Callable[[tuple[str, ...]], Awaitable[str]],
    *,
    help_arguments: tuple[str, ...],
    used: Iterable[str],
    tested_version: str,
) -> Inspection:
    """Asks a program for its version and its flags.

    Args:
        ask: Runs the program with these arguments and gives what it prints.
        help_arguments: What makes it name the flags of a headless run.
        used: Arguments that it will be run with.
        tested_version: The version that undaunted was tested with.
    """
    try:
        version = version_in(await ask(("--version",)))
        help_text = await ask(help_arguments)
    except (SpawnError, OSError) as error:
        return Inspection(None, tested_version, "unknown", problem=str(error))
    state = version_state(version, tested_version)
    return Inspection(version, tested_version, state, flags_missing(used, help_text))


def sample_request(permissions: Permissions, *, token: str = "sample") -> AgentRequest:  # noqa: S107 - a mark, no secret
    """A request like any other, for what is asked of a program about itself."""
    return AgentRequest(
        prompt="",
        cwd="/",
        permissions=permissions,
        model="model",
        extra_args=(),
        env_names=(),
        agent_session_id="00000000-0000-4000-8000-000000000000",
        token=token,
        timeout_s=ASK_TIMEOUT_S,
        idle_timeout_s=ASK_TIMEOUT_S,
    )
