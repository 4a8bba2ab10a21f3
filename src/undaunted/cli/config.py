"""`undaunted config`: the settings in force, and where each comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undaunted.cli.doors import doors_of
from undaunted.cli.stdout import as_json as to_json
from undaunted.cli.stdout import write_json
from undaunted.cli.terminal import Terminal, print_table
from undaunted.config import FILE_NAME, project_file

__all__ = ["config_commands"]


def config_commands() -> typer.Typer:
    """The commands behind `config`."""
    commands = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    commands.callback()(_config)
    commands.command("show")(_show)
    commands.command("path")(_path)
    return commands


def _config() -> None:
    """Show the settings in force: flag > environment > project > person > default."""


def _show(
    context: typer.Context,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="And where each comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every setting and its value."""
    configuration = doors_of(context).configuration(Path.cwd(), {})
    rows = configuration.rows()
    if as_json:
        settings = [{"name": n, "value": v, "origin": o} for n, v, o in rows]
        write_json({"settings": settings, "warnings": configuration.warnings})
        return
    for warning in configuration.warnings:
        Terminal().note(f"! {warning}", "yellow")
    columns = ("SETTING", "VALUE", *(["ORIGIN"] if origin else []))
    print_table(columns, [(n, to_json(v), o)[: len(columns)] for n, v, o in rows])


def _path(context: typer.Context) -> None:
    """Show the files that settings are read from, strongest first, and the data folder."""
    doors = doors_of(context)
    person = doors.config_folder() / FILE_NAME
    project = project_file(Path.cwd(), person)
    rows = [
        ("project", str(project or f"{FILE_NAME}, from here upwards"), _presence(project)),
        ("person", str(person), _presence(person)),
        ("data", str(doors.data_folder()), _presence(doors.data_folder())),
    ]
    print_table(("WHAT", "WHERE", ""), rows)


def _presence(path: Path | None) -> str:
    return "found" if path is not None and path.exists() else "not there"
