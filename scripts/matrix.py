"""Runs every real agent against every fault of the rehearsal, and writes docs/agents/matrix.md.

A cell is one `undaunted run --attempts 1` in a throw-away home. With agents or faults named on the
command line only their cells are run, and printed but not written: `scripts/matrix.py codex 429`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from ground import ROOT
from real_agents import AGENTS, TOOLS
from undaunted.config import Settings
from undaunted.failures import Failure, FailureKind
from undaunted.rehearsal.faults import FaultName
from undaunted.rehearsal.homes import rehearsal_model, throwaway_home
from undaunted.rehearsal.server import RehearsalServer

PAGE = ROOT / "docs" / "agents" / "matrix.md"
_BIN = TOOLS / "node_modules" / ".bin"

# Shared with the tests: Copilot CLI unpacks 235 MB the first time.
_CACHE = TOOLS / "node_modules" / ".cache"

# A text of the fault that needs more than its name.
_TEXTS = {FaultName.SLOW: "slow:0.2"}

# Agents that run at the same time; more would starve each other on a small machine.
_AT_ONCE = 2

# Longer than opencode waits between two of its retries (32 s), and than any is silent at its start.
_IDLE_TIMEOUT_S = 45
_TIMEOUT_S = 180
# Then the command itself hangs, which is nobody's result.
_PATIENCE_S = 300.0

_HEAD = """\
# Every fault, every agent

What the five programs made of each [fault](../rehearse.md) of their model API, and what undaunted
made of that: each run once by `make matrix`, with `--attempts 1` and an idle timeout of {idle}
seconds, in a home of its own. After each run no process of it was left.

A cell says: the [kind of failure](../failures.md), or `ok`; what follows from it as long as there
are attempts left; how many requests reached the model, the program's own retries included; the
program's exit code, negative for the signal by which undaunted ended it, and `-` where it was ended
because of what it announced: a wait for too long, or without end.

| agent | version |
| --- | --- |
{versions}

Run on {date}.

## Faults

{table}
"""


@dataclass(frozen=True)
class Cell:
    """How one agent took one fault.

    Attributes:
        kind: The kind of failure; None is a success.
        action: What follows from it while there are attempts left.
        requests: Requests that reached the model.
        exit_code: The program's own; None where it was ended for what it announced.
    """

    kind: str | None
    action: str
    requests: int
    exit_code: int | None

    def __str__(self) -> str:
        """As it stands in the table."""
        code = "-" if self.exit_code is None else self.exit_code
        return f"`{self.kind or 'ok'}` {self.action}, {self.requests}, {code}"


class Matrix:
    """Runs the cells, some at a time, and tells of each."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def cells(
        self, agents: Sequence[str], faults: Sequence[FaultName]
    ) -> Mapping[tuple[FaultName, str], Cell]:
        """The cell of each fault and agent."""
        async with asyncio.TaskGroup() as group:
            running = {
                (fault, agent): group.create_task(self._cell(agent, fault))
                for fault in faults
                for agent in agents
            }
        return {place: task.result() for place, task in running.items()}

    async def _cell(self, agent: str, fault: FaultName) -> Cell:
        answer = f"says {agent}"
        async with (
            self._room,
            RehearsalServer(fault=_TEXTS.get(fault, fault.value), answer=answer) as api,
        ):
            # Not in /tmp: gemini reads no settings below a folder that others may write to.
            with TemporaryDirectory(dir=ROOT, prefix=".test-matrix-") as home:
                task = await _run(agent, api.url, Path(home))
                _check_nothing_lives(Path(home), f"{agent}, {fault}")
            cell = _cell_of(task, len(api.model_requests))
        if cell.kind is None and task["content"] != answer:
            raise RuntimeError(f"{agent}, {fault}: answered {task['content']!r}")
        print(f"{agent:9} {fault:13} {cell}", flush=True)
        print(f"    {task['attempts'][0]['message'] or ''}"[:300], flush=True)
        return cell


async def _run(agent: str, url: str, home: Path) -> Mapping[str, Any]:
    """The task that `undaunted run --json` prints."""
    model = rehearsal_model(agent)
    with TemporaryDirectory() as cwd:  # of no repository, so that agents read no notes there
        printed = await _undaunted(
            "run",
            "--json",
            *("--agents", agent),
            *(("--model", f"{agent}={model}") if model else ()),
            *("--attempts", "1"),
            *("--idle-timeout", f"{_IDLE_TIMEOUT_S}s"),
            *("--timeout", f"{_TIMEOUT_S}s"),
            "Say hello.",
            env={**_environment(home), **throwaway_home(agent, url, home, cache=_CACHE)},
            cwd=Path(cwd),
        )
    task: Mapping[str, Any] = json.loads(printed)
    return task


async def _versions(agents: Sequence[str]) -> Mapping[str, str]:
    with TemporaryDirectory() as home:
        printed = await _undaunted(
            "doctor", "--json", *agents, env=_environment(Path(home)), cwd=Path(home)
        )
    return {found["agent"]: str(found["version"]) for found in json.loads(printed)}


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "UNDAUNTED_CONFIG_DIR": str(home / "config"),
        "UNDAUNTED_DATA_DIR": str(home / "undaunted"),
    }


async def _undaunted(*arguments: str, env: Mapping[str, str], cwd: Path) -> bytes:
    """What `undaunted` prints, whatever its exit status: failures are what is looked for."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "undaunted", *arguments),
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            printed, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if not printed:
        raise RuntimeError(f"undaunted {arguments[0]}: {told.decode(errors='replace')}")
    return printed


def _check_nothing_lives(home: Path, what: str) -> None:
    living = [
        process.info["cmdline"]
        for process in psutil.process_iter(["environ", "cmdline", "status"])
        if (process.info["environ"] or {}).get("HOME") == str(home)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    if living:
        raise RuntimeError(f"{what}: left alive: {living}")


def _cell_of(task: Mapping[str, Any], requests: int) -> Cell:
    [attempt] = task["attempts"]
    kind, action = attempt["kind"], attempt["action"]
    if action == "switch":
        # With the one attempt used up every retry is a switch: what would it be with more of them?
        failure = Failure(FailureKind(kind), "", retry_after_s=attempt["retry_after_s"])
        action = str(failure.action_within(Settings().retry_max))
    return Cell(kind, action, requests, attempt["exit_code"])


def _page(
    agents: Sequence[str],
    faults: Sequence[FaultName],
    cells: Mapping[tuple[FaultName, str], Cell],
    versions: Mapping[str, str],
) -> str:
    rows = [
        ["fault", *(f"`{agent}`" for agent in agents)],
        ["---"] * (1 + len(agents)),
        *([f"`{f}`", *(str(cells[f, agent]) for agent in agents)] for f in faults),
    ]
    return _HEAD.format(
        idle=_IDLE_TIMEOUT_S,
        versions="\n".join(f"| `{agent}` | {versions[agent]} |" for agent in agents),
        date=datetime.now(UTC).date(),
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
    )


async def _main(named: Sequence[str]) -> None:
    unknown = {*named} - {*AGENTS, *FaultName}
    if unknown:
        sys.exit(f"neither agents nor faults: {', '.join(sorted(unknown))}")
    agents = [agent for agent in AGENTS if agent in named or not {*named} & {*AGENTS}]
    faults = sorted(fault for fault in FaultName if fault in named or not {*named} & {*FaultName})
    cells = await Matrix().cells(agents, faults)
    if not named:
        PAGE.write_text(_page(agents, faults, cells, await _versions(agents)), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
