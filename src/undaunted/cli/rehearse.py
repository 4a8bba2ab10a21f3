"""`undaunted rehearse`: your own command lines, a model that fails, and what follows from it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from undaunted.cli.doors import doors_of
from undaunted.cli.run_request import RunRequest
from undaunted.durations import parse_duration
from undaunted.errors import ConfigurationError

__all__ = ["rehearse"]

# A hang is a hang after that time too, and nobody wants to watch it for five minutes.
_IDLE_TIMEOUT_S = 20.0


def rehearse(
    context: typer.Context,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="What the agent is asked, for show.")
    ] = "Say hello.",
    *,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Whose model fails; may be repeated."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[AGENT=]FAULT", help="How: 429:2, 500, cut, hang, ...; may be repeated."
        ),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Only these agents: nobody takes over.")
    ] = False,
    idle_timeout: Annotated[
        float,
        typer.Option(parser=parse_duration, metavar="TIME", help="Longest time without output."),
    ] = _IDLE_TIMEOUT_S,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the task as one JSON object.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Print a JSON line an event as it happens.")
    ] = False,
) -> int:
    """Rehearse a failure with your own agents' programs: no key is used and no token spent.

    Each program runs in a throw-away home and asks a model API on this machine that fails as
    you say. The agents named with --agent come first; the others of your order, as far as they
    are installed, take over.
    """
    from undaunted.cli.running import execute  # noqa: PLC0415 - brings asyncio and Rich with it

    if as_json and events:
        raise ConfigurationError("--json and --events exclude each other: choose one")
    faults = _by_agent(tuple(agent or ()), tuple(fault or ()))
    with tempfile.TemporaryDirectory(prefix="undaunted-rehearsal-") as folder:
        request = RunRequest(
            prompt=prompt,
            agents=",".join(faults) if alone else None,
            cwd=Path(folder),
            settings={"idle_timeout": idle_timeout},
        )
        return execute(
            doors_of(context),
            request,
            form="json" if as_json else "events" if events else "answer",
            output=None,
            quiet=False,
            plan=False,
            faults=faults,
        )


def _by_agent(agents: tuple[str, ...], faults: tuple[str, ...]) -> dict[str, str]:
    """The fault of each agent; what names none goes to every one that has none of its own."""
    named: dict[str, str] = {}
    general = ""
    for text in faults:
        name, equals, rest = text.partition("=")
        if equals and ";" not in name:  # `429;retry-after=60` names no agent
            named[name] = rest
        elif general:
            raise ConfigurationError(f"--fault {text}: say for which agent: --fault AGENT={text}")
        else:
            general = text
    chosen = dict.fromkeys((*agents, *named))
    if not chosen:
        raise ConfigurationError("say whose model fails: --agent claude --fault 429:2")
    missing = [name for name in chosen if name not in named]
    if missing and not general:
        raise ConfigurationError(f"say how the model of {missing[0]} fails: --fault 429:2")
    return {name: named.get(name, general) for name in chosen}
