"""`undaunted explain`: what a recorded run of an agent, or a message of one, means."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from undaunted.agents.explain import Explanation, explain_run
from undaunted.agents.reader import Ending
from undaunted.cli.doors import doors_of
from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.explain_lines import Reference, explain_lines
from undaunted.cli.stdout import write_json
from undaunted.cli.terminal import print_table
from undaunted.errors import ConfigurationError

__all__ = ["explain"]


def explain(
    context: typer.Context,
    *,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Whose run it was.")] = None,
    exit_code: Annotated[
        int | None, typer.Option(metavar="N", help="How it ended; negative: by a signal.")
    ] = None,
    stdout: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="What it printed on stdout.")
    ] = None,
    stderr: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="What it printed on stderr.")
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="It was run without a structured output format.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    jsonl: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Explain many: a JSON line in, a JSON line out."),
    ] = None,
) -> int:
    """Explain how a run of an agent ended: the kind of its failure and what follows.

    With --jsonl each line is {"cli", "exit_code", "stdout", "stderr", "mode"} or {"cli",
    "message"}, and may say when and where it was: "now" (ISO 8601), "tz" (Europe/Vienna). A line
    that can't be explained becomes {"error"}, and the exit status is 65 at the end.
    """
    doors = doors_of(context)
    settings = doors.configuration(Path.cwd(), {}).settings
    reference = Reference(doors.readers(settings), settings.retry_max, doors.now())
    if jsonl is not None:
        if (agent, exit_code, stdout, stderr) != (None, None, None, None):
            raise ConfigurationError("--jsonl stands alone: each line says all there is to say")
        wrong = explain_lines(jsonl, reference)
        return ExitCode.TASK_WRONG if wrong else ExitCode.DONE
    known = ", ".join(reference.readers)
    if agent is None:
        raise ConfigurationError(f"give --agent ({known}), or --jsonl")
    if agent not in reference.readers:
        raise ConfigurationError(f"no agent {agent!r}; known are {known}")
    if stdout == stderr == "-":
        raise ConfigurationError("only one of --stdout and --stderr can be read from stdin")
    ending = Ending(exit_code, _read(stdout), _read(stderr), text_mode=text)
    explanation = explain_run(
        reference.readers[agent], ending, retry_cap_s=reference.retry_cap_s, now=reference.now
    )
    if as_json:
        write_json(explanation.to_dict())
    else:
        _print(explanation)
    return ExitCode.DONE


def _read(name: str | None) -> str:
    if name is None:
        return ""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{name}: can't be read: {error.strerror}") from error
    return data.decode("utf-8", errors="replace")


def _print(explanation: Explanation) -> None:
    heading, *facts = [(name, _shown(value)) for name, value in explanation.to_dict().items()]
    print_table(heading, facts)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)
