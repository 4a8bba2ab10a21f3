"""`undaunted run`: its flags. What they make happen is in `running.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from undaunted.cli.doors import doors_of
from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.run_request import RunRequest
from undaunted.durations import parse_duration
from undaunted.errors import ConfigurationError
from undaunted.tasks import Permissions

__all__ = ["EPILOG", "run"]

EPILOG = "\b\nExit status, the first that applies:\n" + "\n".join(
    f"  {code.value:>3}  {code.meaning}" for code in ExitCode
)


def run(
    context: typer.Context,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT|-", help="What is to be done; `-` reads it from stdin."),
    ] = None,
    *,
    agents: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Agents to try, in this order.")
    ] = None,
    cwd: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the agents work.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="TIME", help="Limit of an attempt: 30m."),
    ] = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="TIME", help="Longest time without output."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="TIME", help="Limit of all attempts: 2h."),
    ] = None,
    attempts: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="N", help="Attempts per agent.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for agents that come back at a known time.")
    ] = False,
    max_wait: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="TIME", help="How long; means --wait."),
    ] = None,
    permissions: Annotated[
        Permissions | None,
        typer.Option(metavar="read|edit|full", help="What agents may do; edit: change files here."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="[AGENT=]NAME", help="Model to ask for; may be repeated."),
    ] = None,
    agent_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="[AGENT=]ARG", help="Argument for the agent; may be repeated."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Variable that agents see as well; may be repeated."),
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="Your own mark to group tasks by.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the answer goes, not to stdout.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the task as one JSON object.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Print a JSON line an event as it happens.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell errors only.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say which agents would be tried; run nothing.")
    ] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Simulated agents: no key, no cost.")
    ] = False,
) -> int:
    """Run a task on one agent after another until it is done.

    The answer alone goes to stdout; what happens on the way is told on stderr.
    """
    # Here and not above, since they bring asyncio and Rich with them, which --help does without.
    from undaunted.cli.running import execute  # noqa: PLC0415

    if os.name == "nt":
        typer.echo("Error: `run` does not work on Windows: use WSL.", err=True)
        return ExitCode.NONE_USABLE
    if as_json and events:
        raise ConfigurationError("--json and --events exclude each other: choose one")
    limits: dict[str, object] = {
        "timeout": timeout,
        "idle_timeout": idle_timeout,
        "deadline": deadline,
        "attempts": attempts,
        "max_wait": max_wait,
        "permissions": permissions,
    }
    request = RunRequest(
        prompt=prompt,
        agents=agents,
        cwd=cwd,
        settings={name: value for name, value in limits.items() if value is not None},
        waits=wait or max_wait is not None,
        models=tuple(model or ()),
        agent_args=tuple(agent_arg or ()),
        env_names=tuple(env or ()),
        session_id=session,
    )
    return execute(
        doors_of(context),
        request,
        form="json" if as_json else "events" if events else "answer",
        output=output,
        quiet=quiet,
        plan=plan,
        rehearsal=rehearsal,
    )
