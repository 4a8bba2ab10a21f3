"""A described agent is started as its description says, and refuses what it has no words for."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.described import ARGUMENT_MAX_BYTES, DescribedAgent
from undaunted.descriptions import Description
from undaunted.failures import FailureKind

SETTINGS: dict[str, Any] = {
    "command": ["robin", "run"],
    "args": ["--json", "--folder={cwd}"],
    "model_args": ["--model", "{model}"],
    "session_args": ["--id={session}"],
    "permissions": {"edit": ["--edit"], "full": []},
    "output": "jsonl",
    "answer": {"path": "text"},
    "resume": {"args": ["--resume={session}"], "lost": "no such session"},
}


def make(*, env: dict[str, str] | None = None, account: Account | None = None, **more: Any) -> Any:
    context = CliContext(
        env=env or {}, data_folder=Path(), run_process=not_run, now=lambda: datetime.now(UTC)
    )
    described = Description.model_validate(SETTINGS | more)
    return DescribedAgent("robin", described, context, account=account)


def test_the_command_line() -> None:
    """The arguments come in their documented order, with their values filled in."""
    agent, asked = make(), replace(REQUEST, cwd="/work", model="red")
    session = f"--id={REQUEST.agent_session_id}"
    assert agent.arguments(asked) == (
        "--json", "--folder=/work", session, "--model", "red", "--edit",
    )  # fmt: skip


def test_without_a_model() -> None:
    """Arguments of the model are there only where a model is asked for."""
    assert "--model" not in make().arguments(REQUEST)


def test_a_session_is_continued() -> None:
    """The arguments of `resume` stand in place of those that begin a session."""
    agent = make()
    arguments = agent.arguments(replace(REQUEST, resume_session_id="s-1"))
    assert agent.resumes
    assert "--resume=s-1" in arguments
    assert not any(one.startswith("--id=") for one in arguments)


def test_a_value_is_not_filled_in_again() -> None:
    """Braces in a value are the value's own."""
    arguments = make().arguments(replace(REQUEST, cwd="/{model}", model="{cwd}"))
    assert "--folder=/{model}" in arguments
    assert "{cwd}" in arguments


def test_permissions() -> None:
    """Flags are those described; a level that is not described is refused, by its name."""
    agent = make()
    assert agent.permission_flags("edit") == ("--edit",)
    assert agent.permission_flags("full") == ()
    assert agent.refuse(replace(REQUEST, permissions="full")) is None
    refusal = agent.refuse(replace(REQUEST, permissions="read"))
    assert refusal.kind is FailureKind.MISCONFIGURED
    assert "described.robin.permissions.read" in refusal.message


def test_a_model_that_can_not_be_asked_for() -> None:
    """Rather than running another model than was asked for, it refuses."""
    refusal = make(model_args=[]).refuse(replace(REQUEST, model="red"))
    assert refusal.kind is FailureKind.MISCONFIGURED
    assert "described.robin.model_args" in refusal.message


@pytest.mark.parametrize("change", [{"model": "--yes"}, {"resume_session_id": "-x"}])
def test_a_value_that_would_be_an_option(change: dict[str, str]) -> None:
    """Names of models and sessions never become options."""
    refusal = make().refuse(replace(REQUEST, **change))
    assert refusal.kind is FailureKind.MISCONFIGURED


@pytest.mark.parametrize(
    ("size", "kind"),
    [(ARGUMENT_MAX_BYTES - 4, None), (ARGUMENT_MAX_BYTES - 3, FailureKind.INVALID_REQUEST)],
)
def test_the_longest_argument(size: int, kind: FailureKind | None) -> None:
    """A prompt that is too long for an argument, `--m=` included, is refused; no blame on it."""
    agent = make(prompt="argument", prompt_args=["--m={prompt}"])
    refusal = agent.refuse(replace(REQUEST, prompt="x" * size))
    assert (refusal.kind if refusal else None) == kind
    assert refusal is None or not refusal.blames_task


def test_bytes_are_counted_and_not_letters() -> None:
    """An argument is measured as the kernel does."""
    agent = make(prompt="argument", prompt_args=["--", "{prompt}"])
    assert agent.refuse(replace(REQUEST, prompt="ä" * (ARGUMENT_MAX_BYTES // 2))) is None
    assert agent.refuse(replace(REQUEST, prompt="ä" * (ARGUMENT_MAX_BYTES // 2 + 1))) is not None


def test_a_zero_byte_is_no_argument() -> None:
    """What no argument can hold is refused, where the prompt is one."""
    prompt = replace(REQUEST, prompt="a\0b")
    assert make().refuse(prompt) is None
    refusal = make(prompt="argument", prompt_args=["--", "{prompt}"]).refuse(prompt)
    assert refusal.kind is FailureKind.INVALID_REQUEST


def test_environment() -> None:
    """It sees what is set, passed and its own credentials, and nothing else of the caller's."""
    names = ["ROBIN_A", "ROBIN_KEY", "ROBIN_HOME", "NEST", "OTHER", "EXTRA_1", "EXTRA_2"]
    agent = make(
        env=dict.fromkeys(names, "caller's"),
        environment={"NEST": "ours"},
        credentials=[{"kind": "key", "variable": "ROBIN_A"}],
        key_variable="ROBIN_KEY",
        config_variable="ROBIN_HOME",
        **{"pass": ["EXTRA_*"]},
    )
    seen = agent._environment(REQUEST, Path("/folder"))
    assert {name: seen.get(name) for name in names} == {
        "ROBIN_A": "caller's",
        "ROBIN_KEY": "caller's",
        "ROBIN_HOME": "caller's",
        "NEST": "ours",
        "OTHER": None,
        "EXTRA_1": "caller's",
        "EXTRA_2": "caller's",
    }


def test_an_account() -> None:
    """An account's own key and folder go into the described variables."""
    agent = make(
        account=Account(name="work", key="secret", config_folder=Path("/nest")),
        key_variable="ROBIN_KEY",
        config_variable="ROBIN_HOME",
    )
    assert agent.key == "robin/work"
    assert agent.account_environment() == {"ROBIN_KEY": "secret", "ROBIN_HOME": "/nest"}


def test_credentials_in_the_described_order(tmp_path: Path) -> None:
    """A plan in a file comes before a key in the environment, which is then withheld."""
    (tmp_path / "nest").mkdir()
    (tmp_path / "nest" / "login.json").write_text('{"plan": {"token": "t"}}')
    agent = make(
        env={"HOME": str(tmp_path), "ROBIN_KEY": "k"},
        credentials=[
            {"kind": "key", "variable": "ROBIN_KEY"},
            {"kind": "subscription", "file": "login.json", "path": "plan.token"},
        ],
        config_folder="nest",
    )
    used = agent.credential()
    assert (used.kind, used.source, used.withheld) == (
        "subscription", "login.json", ("ROBIN_KEY",),
    )  # fmt: skip


def test_a_path_that_is_no_text_arrives_as_it_is() -> None:
    """A prompt's bytes are the argument's bytes, also where they are no UTF-8."""
    agent = make(prompt="argument", prompt_args=["--", "{prompt}"])
    _, argument = agent._prompt_arguments(b"\xff{cwd}", cwd="/work")
    assert os.fsencode(argument) == b"\xff{cwd}"
