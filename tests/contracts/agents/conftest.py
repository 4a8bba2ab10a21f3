"""The agents that the contract is run on. One more agent is one more cast in `CASTS`.

A cast is a factory that makes an agent of the kind behave as the contract needs it: a simulated
agent by its script, a vendor's by a stand-in for its program that prints what the vendor's would.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest

from living import marked
from undaunted.agents.agent import Agent, AgentRequest
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.described import DescribedAgent
from undaunted.agents.process import run_process
from undaunted.agents.simulated import SimulatedAgent
from undaunted.agents.simulated_script import Answer, Crash, Hang, Say, Script
from undaunted.descriptions import Description

Behaviour = Literal["answers", "crashes", "hangs", "missing"]
"""`answers` repeats the prompt; `hangs` prints something first; `missing` is not installed."""

Cast = Callable[[Behaviour, CliContext], Agent]

_SCRIPTS: dict[Behaviour, Script] = {
    "answers": (Say("thinking"), Answer("{prompt}")),
    "crashes": (Crash(),),
    "hangs": (Say("thinking"), Hang()),
    "missing": (),
}


def simulated(behaviour: Behaviour, context: CliContext) -> Agent:
    """A simulated agent that behaves so."""
    with pytest.MonkeyPatch.context() as patch:
        if behaviour == "missing":
            patch.setattr(sys, "executable", "/no/such/python")
        return SimulatedAgent("simulated", context, _SCRIPTS[behaviour])


# What a described agent's program does; its prompt is the last argument, or all of stdin.
_PROGRAM = """
import json, sys, time
behaviour, *rest = sys.argv[1:]
if behaviour == "crashes":
    sys.exit(70)
prompt = rest[rest.index("--") + 1] if "--" in rest else sys.stdin.read()
if behaviour == "hangs":
    print("thinking", flush=True)
    time.sleep(3600)
print(json.dumps({"answer": prompt}) if "--json" in rest else prompt)
"""
_DESCRIBED = {
    "stdin": {"args": ["--json"], "output": "jsonl", "answer": {"path": "answer"}},
    "argument": {"prompt": "argument", "prompt_args": ["--", "{prompt}"]},
}


def described(behaviour: Behaviour, context: CliContext, *, prompt: str) -> Agent:
    """A described agent that behaves so, and gets its prompt so."""
    python = "/no/such/python" if behaviour == "missing" else sys.executable
    description = Description.model_validate(
        {
            "command": [python, "-I", "-S", "-c", _PROGRAM, behaviour],
            "permissions": {"read": ["--look"], "edit": ["--write"], "full": ["--all"]},
            **_DESCRIBED[prompt],
        }
    )
    return DescribedAgent("described", description, context)


CASTS: dict[str, Cast] = {
    "simulated": simulated,
    "described-stdin": partial(described, prompt="stdin"),
    "described-argument": partial(described, prompt="argument"),
}


@pytest.fixture
def context(tmp_path: Path) -> CliContext:
    """What the world gives to an agent."""
    return CliContext(
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UNLISTED": "secret"},
        data_folder=tmp_path,
        run_process=run_process,
        now=lambda: datetime.now(UTC),
    )


@pytest.fixture(params=CASTS.values(), ids=CASTS.keys())
def make_agent(request: pytest.FixtureRequest, context: CliContext) -> Callable[[Behaviour], Agent]:
    """Makes an agent of the kind under test."""
    cast: Cast = request.param
    return lambda behaviour: cast(behaviour, context)


@pytest.fixture
def make_request(tmp_path: Path) -> Iterator[Callable[..., AgentRequest]]:
    """Makes an attempt's order, generous unless changed; none of its processes may be left."""
    token = uuid4().hex

    def make(**changes: Any) -> AgentRequest:
        values: dict[str, Any] = {
            "prompt": "Say hello",
            "cwd": str(tmp_path),
            "permissions": "read",
            "model": None,
            "extra_args": (),
            "env_names": (),
            "agent_session_id": str(uuid4()),
            "token": token,
            "timeout_s": 120.0,
            "idle_timeout_s": 120.0,
        }
        return AgentRequest(**(values | changes))

    yield make
    assert marked(token) == []
