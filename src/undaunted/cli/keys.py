"""`undaunted keys`: keys that are stored encrypted and handed to the agents."""

from __future__ import annotations

import asyncio
import getpass
import sys
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from undaunted.cli.doors import Doors, doors_of
from undaunted.cli.stdout import write_json, write_line
from undaunted.cli.terminal import Cell, Terminal, print_table
from undaunted.errors import ConfigurationError
from undaunted.events import iso
from undaunted.redaction import SECRET_MIN_CHARS

if TYPE_CHECKING:
    from undaunted.key_service import KeyReport  # it brings the database with it

__all__ = ["keys_commands"]

_COLUMNS = ("AGENT", "ACCOUNT", "VARIABLE", "FINGERPRINT", "CREATED", "UPDATED")

# Of stdin; more than any key, and no more than fits.
_READ_MAX_BYTES = 1024 * 1024

_Login = Annotated[
    str,
    typer.Argument(
        metavar="AGENT[/ACCOUNT]", help="The agent, or one of its logins.", show_default=False
    ),
]


def keys_commands() -> typer.Typer:
    """The commands behind `keys`."""
    commands = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    commands.callback()(_keys)
    commands.command("set")(_set)
    commands.command("list")(_list)
    commands.command("delete")(_delete)
    commands.command("rotate")(_rotate)
    return commands


def _keys() -> None:
    """Store the agents' API keys, encrypted."""


def _set(
    context: typer.Context,
    login: _Login,
    *,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE", help="The variable to hand it over in.", show_default="the agent's"
        ),
    ] = None,
) -> None:
    """Store a key: typed without being shown, or from stdin; never from the command line."""
    doors = doors_of(context)
    # A wrong name is told before a secret is asked for. Asked is outside of asyncio, which would
    # take the first Ctrl-C for itself and leave the question standing.
    variable = asyncio.run(_variable(doors, login, name))
    value = _read_value(f"{variable} for {login}: ")
    asyncio.run(_store(doors, login, name, value))
    if len(value) < SECRET_MIN_CHARS:
        Terminal().note(
            f"! it has fewer than {SECRET_MIN_CHARS} characters: too short to be taken out of what "
            "agents print",
            "yellow",
        )
    write_line(f"{login}: {variable} is stored")


def _list(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show which keys are stored, and never a key."""
    asyncio.run(_show(doors_of(context), as_json=as_json))


def _delete(context: typer.Context, login: _Login) -> None:
    """Forget a stored key."""
    asyncio.run(_forget(doors_of(context), login))


def _rotate(context: typer.Context) -> None:
    """Change the master key, and encrypt every stored key anew."""
    asyncio.run(_change(doors_of(context)))


async def _variable(doors: Doors, login: str, name: str | None) -> str:
    async with doors.keys() as keys:
        return keys.variable(login, name)


async def _store(doors: Doors, login: str, name: str | None, value: str) -> None:
    async with doors.keys() as keys:
        await keys.set(login, value, variable=name)


async def _show(doors: Doors, *, as_json: bool) -> None:
    async with doors.keys() as keys:
        reports, problem = await keys.list()
    terminal = Terminal(quiet=as_json)
    if problem:
        terminal.error(f"! {problem}", "yellow")
    if as_json:
        write_json([_object(report) for report in reports])
    elif reports:
        print_table(_COLUMNS, [_row(report) for report in reports])
    else:
        terminal.note("no key is stored; store one with: undaunted keys set AGENT")


async def _forget(doors: Doors, login: str) -> None:
    async with doors.keys() as keys:
        await keys.delete(login)
    write_line(f"{login}: the key is deleted")


async def _change(doors: Doors) -> None:
    async with doors.keys() as keys:
        count, left_to_do = await keys.rotate()
    write_line("1 key encrypted anew" if count == 1 else f"{count} keys encrypted anew")
    if left_to_do:
        Terminal().note(f"! {left_to_do}", "yellow")


def _read_value(prompt: str) -> str:
    """The secret, without the newline behind it: typed unseen, or all of stdin.

    Raises:
        ConfigurationError: It would be seen, or is no text.
    """
    if sys.stdin.isatty():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                return getpass.getpass(prompt)
        except getpass.GetPassWarning as error:
            raise ConfigurationError(
                "what you type can't be hidden here: pipe the key into the command"
            ) from error
        except EOFError:
            return ""  # Ctrl-D: refused as an empty one
    try:
        return sys.stdin.buffer.read(_READ_MAX_BYTES).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigurationError("the key is no UTF-8 text: nothing was stored") from error


def _row(report: KeyReport) -> list[Cell]:
    return [
        (report.agent, "bold"),
        report.account,
        report.variable,
        report.fingerprint or ("can't be read", "red"),
        _minute(report.created_at),
        _minute(report.updated_at),
    ]


def _minute(at: datetime) -> str:
    """With the year: a key may be old."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _object(report: KeyReport) -> dict[str, object]:
    return {
        "agent": report.agent,
        "account": report.account,
        "variable": report.variable,
        "fingerprint": report.fingerprint,
        "created_at": iso(report.created_at),
        "updated_at": iso(report.updated_at),
    }
