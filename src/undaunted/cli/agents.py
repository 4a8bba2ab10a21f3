"""`undaunted agents`: which agents there are and how they fare; `agents reset` closes breakers."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from undaunted.cli.doors import Doors, doors_of
from undaunted.cli.local_time import until
from undaunted.cli.opening import opened_here
from undaunted.cli.stdout import write_json, write_line
from undaunted.cli.summary import money
from undaunted.cli.terminal import Cell, Terminal, print_table
from undaunted.durations import format_duration
from undaunted.events import iso
from undaunted.health_records import HealthRow
from undaunted.resilience.breaker.snapshot import CircuitState

if TYPE_CHECKING:
    from undaunted.service import AgentReport  # brings the database with it

__all__ = ["agents_commands"]

_COLUMNS = ("AGENT", "USABLE", "ACCOUNT", "MODEL", "BREAKER", "ATTEMPTS", "OK", "MEAN", "COST")


def agents_commands() -> typer.Typer:
    """The command `agents` and what stands behind it."""
    commands = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
    commands.callback()(_agents)
    commands.command("reset")(_reset)
    return commands


def _agents(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show the agents, their circuit breakers and their figures."""
    if context.invoked_subcommand is None:
        asyncio.run(_show(doors_of(context), as_json=as_json))


def _reset(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent.", show_default=False)],
) -> None:
    """Close an agent's circuit breakers and forget its figures."""
    asyncio.run(_reset_one(doors_of(context), name))


async def _show(doors: Doors, *, as_json: bool) -> None:
    async with opened_here(doors, Terminal(quiet=as_json)) as service:
        reports = await service.agents()
    now = doors.now()
    if as_json:
        write_json([_object(report) for report in reports])
    else:
        print_table(_COLUMNS, [_row(report, now) for report in reports])


async def _reset_one(doors: Doors, name: str) -> None:
    async with opened_here(doors, Terminal()) as service:
        closed = await service.reset_agent(name)
    breakers = "1 breaker" if closed == 1 else f"{closed} breakers"
    write_line(f"{name}: {breakers} closed and forgotten")


def _row(report: AgentReport, now: datetime) -> list[Cell]:
    row = report.health.row or HealthRow()
    attempts, known = row.attempts, row.attempts > 0
    return [
        (report.name, "bold"),
        (report.where, "green" if report.available else "red"),
        report.account,
        report.model or "its default",
        _breaker(report, now),
        str(attempts),
        f"{row.successes / attempts:.0%}" if known else "-",
        format_duration(row.total_duration_s / attempts) if known else "-",
        money(row.total_cost_usd) if known else "-",
    ]


def _breaker(report: AgentReport, now: datetime) -> Cell:
    health = report.health
    if health.state is CircuitState.CLOSED:
        return "closed", "green"
    told = str(health.state).replace("_", " ")
    if health.back_at is not None:
        told += f" until {until(health.back_at, now)}"
    if health.closed_reason:
        told += f": {health.closed_reason}"
    return told, "yellow" if health.probe_due or health.back_at else "red"


def _object(report: AgentReport) -> dict[str, object]:
    health, row = report.health, report.health.row or HealthRow()
    return {
        "agent": report.name,
        "usable": report.available,
        "where": report.where,
        "account": report.account,
        "model": report.model,
        "breaker": {
            "state": str(health.state),
            "reason": health.closed_reason or None,
            "back_at": iso(health.back_at) if health.back_at else None,
            "probe_due": health.probe_due,
        },
        "attempts": row.attempts,
        "successes": row.successes,
        "failures": row.failures,
        "mean_duration_s": row.total_duration_s / row.attempts if row.attempts else None,
        "cost_usd": row.total_cost_usd,
        "last_failure_kind": row.last_kind,
    }
