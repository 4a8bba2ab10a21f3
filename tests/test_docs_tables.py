"""The tables of failures, statuses, settings, states and policies say what the code does."""

from __future__ import annotations

import json
import re
import typing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import typer

from documents import codes, table
from needs import ROOT
from undaunted.agents import environment
from undaunted.agents.account import Account
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.explain import explain_message
from undaunted.agents.process import run_process
from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.main import _commands
from undaunted.config import AccountSettings, AgentSettings, Settings, load_configuration
from undaunted.durations import format_duration
from undaunted.failures import KINDS, Action, KindRule
from undaunted.rehearsal.faults import FaultName
from undaunted.resilience import (
    CircuitBreaker,
    Deadline,
    Exponential,
    Pipeline,
    Retry,
    Timeout,
    TransientError,
)
from undaunted.roster import agent_of, readers
from undaunted.tasks import (
    AgentName,
    IllegalTransitionError,
    Permissions,
    TaskState,
    check_transition,
)
from undaunted.testing import FakeClock

DOCS = ROOT / "docs"
NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)
READERS = readers()


# Failures and exit statuses.


def _retries(rule: KindRule) -> str:
    if rule.action is not Action.RETRY:
        return "none"
    return "as configured" if rule.max_retries is None else str(rule.max_retries)


def _out(rule: KindRule) -> str:
    if not rule.closes_agent:
        return "no"
    if rule.needs_person:
        return "until a person or a changed credential"
    otherwise = rule.default_closed_s
    return "until the stated time" + (f", else {format_duration(otherwise)}" if otherwise else "")


def test_kinds() -> None:
    """docs/failures.md has the kinds in the order of the code, with what follows from each."""
    rows = table(DOCS / "failures.md", "What follows from each kind")
    assert all(row.pop("what went wrong") for row in rows)
    assert rows == [
        {
            "kind": f"`{kind}`",
            "action": str(rule.action),
            "counts": "yes" if rule.counts_for_breaker else "no",
            "severity": str(rule.severity),
            "retries": _retries(rule),
            "agent is out": _out(rule),
        }
        for kind, rule in KINDS.items()
    ]


def test_examples_of_kinds() -> None:
    """Each kind has an example, and an agent's words mean what the table says."""
    rows = table(DOCS / "failures.md", "What it looks like")
    assert {row["kind"].strip("`") for row in rows} == {*KINDS}
    for row in rows:
        if row["agent"] in READERS:
            words = row["what was seen"].strip("`")
            explained = explain_message(READERS[row["agent"]], words, retry_cap_s=60, now=NOW)
            assert f"`{explained.kind}`" == row["kind"], words


def test_kinds_in_the_readme() -> None:
    """The short form names each kind once, in the row of what follows."""
    says = {
        (Action.RETRY, None): "the same agent again, after a wait",
        (Action.RETRY, 1): "the same agent once more, then the next",
        (Action.SWITCH, None): "the next agent",
        (Action.FAIL, None): "the task fails: no other agent would help",
        (Action.STOP, None): "stop",
    }
    rows = table(ROOT / "README.md", "What a failure leads to")
    written = [(kind, row["next"]) for row in rows for kind in re.findall(r"`(\w+)`", row["kind"])]
    assert len(written) == len(KINDS)
    assert dict(written) == {k: says[rule.action, rule.max_retries] for k, rule in KINDS.items()}


def test_exit_statuses() -> None:
    """docs/exit-codes.md has all of them in their order; the README has the same by number."""
    rows = table(DOCS / "exit-codes.md", "Exit status")
    assert [tuple(row.values()) for row in rows] == [
        (str(code.value), f"`{code.name}`", code.meaning) for code in ExitCode
    ]
    short = [tuple(row.values()) for row in table(ROOT / "README.md", "Exit status")]
    assert short == [(str(code.value), code.meaning) for code in sorted(ExitCode)]


# Settings and permissions.

SETTINGS = table(DOCS / "configuration.md", "Settings")


def _samples(default: object) -> tuple[str, object]:
    """A value other than the default: as a variable's text, and as TOML has it."""
    if isinstance(default, list):
        return "gemini", ["gemini"]
    if isinstance(default, bool):
        return str(not default), not default
    if isinstance(default, str):
        return "read", "read"
    return ("m", "m") if default is None else ("7", 7)


def test_settings(tmp_path: Path) -> None:
    """Every setting, in order, with its default."""
    defaults = load_configuration(env={}, cwd=tmp_path, person_folder=tmp_path).rows()
    of_agents = AgentSettings().model_dump().items()
    expected = [(name, value) for name, value, _ in defaults]
    expected += [(f"agents.NAME.{name}", value) for name, value in of_agents]
    of_accounts = AccountSettings().model_dump().items()
    expected += [(f"accounts.AGENT.NAME.{name}", value) for name, value in of_accounts]
    assert [(row["setting"], row["default"]) for row in SETTINGS] == [
        (f"`{name}`", f"`{json.dumps(value)}`") for name, value in expected
    ]


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row["setting"].strip("`"))
def test_where_a_setting_may_stand(row: dict[str, str], tmp_path: Path) -> None:
    """The variable sets it, the flag exists, and a project's file may or may not say it."""
    name = row["setting"].strip("`").replace("AGENT", "claude").replace("NAME", "claude")
    as_text, as_toml = _samples(json.loads(row["default"].strip("`")))
    if name.endswith(".slots"):
        as_toml = 7
    if name.endswith("_folder"):
        as_toml = str(tmp_path)
    variable = row["environment"].strip("`")
    if variable != "-":
        found = load_configuration(env={variable: as_text}, cwd=tmp_path, person_folder=tmp_path)
        assert found.origins == {name: "environment"}

    run = typer.main.get_command(_commands()).commands["run"]
    flags = {flag for parameter in run.params for flag in parameter.opts}
    assert {*re.findall(r"--[a-z-]+", row["flag of `run`"])} <= flags

    said = "full" if row["project's file"] == "not `full`" else as_toml
    (tmp_path / ".git").mkdir()
    (tmp_path / "undaunted.toml").write_text(f"{name} = {json.dumps(said)}\n")
    found = load_configuration(env={}, cwd=tmp_path, person_folder=tmp_path / "person")
    assert (name in found.origins) == (row["project's file"] == "yes")
    assert bool(found.warnings) == (row["project's file"] != "yes")


def test_permissions() -> None:
    """Each agent's flags are those that it is started with."""
    context = CliContext(env={}, data_folder=Path(), run_process=run_process, now=lambda: NOW)
    rows = table(DOCS / "agents" / "index.md", "Permissions")
    assert [row["agent"] for row in rows] == [f"`{name}`" for name in AgentName]
    for row in rows:
        agent = agent_of(row["agent"].strip("`"), Settings(), context, Account())
        for level in typing.get_args(Permissions):
            flags = " ".join(agent.permission_flags(level))
            assert row[f"`{level}`"] == (f"`{flags}`" if flags else "-")


def test_tested_versions() -> None:
    """docs/operate/doctor.md and the lock of the tests name the versions that the code does."""
    context = CliContext(env={}, data_folder=Path(), run_process=run_process, now=lambda: NOW)
    tools = json.loads((ROOT / "tests" / "tools" / "package.json").read_text())
    locked = {**tools["dependencies"], **tools["optionalDependencies"]}
    for row in table(DOCS / "operate" / "doctor.md", "Versions"):
        agent = agent_of(row["agent"].strip("`"), Settings(), context, Account())
        assert isinstance(agent, CliAgent)
        assert row["tested version"] == agent.tested_version
        assert agent.tested_version in locked.values()


def test_faults() -> None:
    """docs/rehearse.md names every fault."""
    rows = table(DOCS / "rehearse.md", "Rehearse a failure")
    written = {name for row in rows for name in re.findall(r"`([^`]+)`", row["fault"])}
    assert written == {*FaultName} - {FaultName.OK}


def test_the_environments_list() -> None:
    """docs/operate/security.md names what every agent sees of the caller's variables."""
    written = {c for c in codes(DOCS / "operate" / "security.md") if re.fullmatch(r"[A-Z_]+\*?", c)}
    passed = {*environment._NAMES, *environment._PROXIES}
    passed |= {f"{prefix}*" for prefix in environment._PREFIXES}
    others = {"ANTHROPIC_API_KEY", "KEY", "TOKEN", "SECRET", "PASSWORD", "TMPDIR"}
    assert written - others == passed


# States, and the order of policies.


def test_states() -> None:
    """The lettered table has the changes of state that the code allows, and no other."""
    rows = table(DOCS / "flow.md", "States")
    assert [row["letter"] for row in rows] == [chr(ord("a") + n) for n in range(len(rows))]
    allowed = set()
    for old in (None, *TaskState):
        for new in TaskState:
            try:
                check_transition(old, new)
            except IllegalTransitionError:
                continue
            allowed.add((str(old or "-"), str(new)))
    assert {(row["from"], row["to"]) for row in rows} == allowed
    diagram = (DOCS / "flow.md").read_text().split("## States\n")[1].split("```")[1]
    assert sorted(re.findall(r"\((\w)\)", diagram)) == [row["letter"] for row in rows]


@pytest.mark.parametrize(
    "row", table(DOCS / "policies.md", "Order"), ids=lambda row: row["pipeline"]
)
async def test_order_of_policies(row: dict[str, str]) -> None:
    """The pipeline does with failing or hanging work what its row says."""
    clock = FakeClock(autojump=True)
    breakers: list[CircuitBreaker] = []

    def breaker(failure_threshold: int) -> CircuitBreaker:
        breakers.append(CircuitBreaker(failure_threshold, clock=clock))
        return breakers[-1]

    backoff = Exponential(base_s=1, factor=2, max_s=60)
    makers = {
        "Retry": partial(Retry, backoff=backoff, jitter="none", clock=clock),
        "CircuitBreaker": breaker,
        "Timeout": partial(Timeout, clock=clock),
        "Deadline": partial(Deadline, clock=clock),
    }
    written = re.findall(r"(\w+)\(([\d.]+)\)", row["pipeline"])
    arguments = [(makers[name], json.loads(number)) for name, number in written]
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if row["work"] == "hangs":
            await clock.sleep(timedelta(days=1).total_seconds())
        raise TransientError

    began_s = clock.monotonic()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is compared below
        await Pipeline(*(make(number) for make, number in arguments)).call(work)
    counted = str(breakers[0].failure_count) if breakers else "-"
    took = f"{clock.monotonic() - began_s:g} s"
    assert (str(runs), f"`{type(caught.value).__name__}`", took, counted) == (
        row["runs"], row["raises"], row["after"], row["breaker counted"],
    )  # fmt: skip
