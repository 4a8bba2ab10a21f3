"""Every script of the simulated agent, played by a real child process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from living import is_alive, marked
from undaunted.agents.agent import AgentRequest, AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.process import ProcessSpec, run_process
from undaunted.agents.simulated import SimulatedAgent
from undaunted.agents.simulated_script import (
    Answer,
    Complain,
    Crash,
    Die,
    Exit,
    Fail,
    Flood,
    Hang,
    LeaveBehind,
    LongLine,
    RetryInside,
    Say,
    Script,
    Sleep,
    WriteFile,
)
from undaunted.failures import Action, FailureKind
from undaunted.rehearsal.personas import rehearsal_agents
from undaunted.tasks import PermissionDenial, Usage


class Rehearsal:
    """Runs simulated agents in a folder and takes down what they say."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "work"
        self.cwd.mkdir()
        self.token = uuid4().hex
        self.notices: list[RunNotice] = []
        self.output = {"stdout": bytearray(), "stderr": bytearray()}
        self.context = CliContext(
            env={"PATH": os.environ["PATH"], "SECRET": "s"},
            data_folder=folder,
            run_process=run_process,
            now=lambda: datetime.now(UTC),
        )

    def request(self, **changes: Any) -> AgentRequest:
        """An attempt's order, generous unless changed."""
        values: dict[str, Any] = {
            "prompt": "Say hello",
            "cwd": str(self.cwd),
            "permissions": "edit",
            "model": None,
            "extra_args": (),
            "env_names": (),
            "agent_session_id": "00000000-0000-4000-8000-000000000001",
            "token": self.token,
            "timeout_s": 120.0,
            "idle_timeout_s": 120.0,
        }
        return AgentRequest(**(values | changes))

    def agent(self, *scripts: Script) -> SimulatedAgent:
        """An agent with these scripts."""
        first, *others = scripts
        return SimulatedAgent("sim", self.context, first, *others)

    async def run(self, agent: SimulatedAgent, **changes: Any) -> AgentResult:
        """One run of the agent."""
        return await agent.run(self.request(**changes), sink=self._sink, notify=self.notices.append)

    async def play(self, *script: Any, **changes: Any) -> AgentResult:
        """One run of an agent with one script."""
        return await self.run(self.agent(script), **changes)

    def _sink(self, stream: str, chunk: bytes) -> None:
        self.output[stream] += chunk


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """A rehearsal that leaves no process."""
    rehearsal = Rehearsal(tmp_path)
    yield rehearsal
    assert marked(rehearsal.token) == []


def kind_of(result: AgentResult) -> FailureKind:
    assert result.failure is not None, result
    return result.failure.kind


async def test_an_answer(rehearsal: Rehearsal) -> None:
    """A run that answers gives its text, session, model, usage and cost."""
    result = await rehearsal.play(
        Say("Well. "),
        Answer("You said: {prompt}", input_tokens=3, output_tokens=5, cost_usd=0.25),
        model="sim-large",
    )
    assert (result.content, result.failure) == ("You said: Say hello", None)
    assert result.agent_session_id == "00000000-0000-4000-8000-000000000001"
    assert (result.model, result.exit_code) == ("sim-large", 0)
    assert (result.usage, result.cost_usd) == (Usage(3, 5), 0.25)
    assert [notice.kind for notice in rehearsal.notices] == ["session", "text"]
    assert b"Well. " in rehearsal.output["stdout"]


@pytest.mark.parametrize(
    "prompt",
    ["--help", "/clear", "@/etc/hostname", "{prompt_start}", "ü\u2028\n\ud800", "long " * 60_000],
    ids=["option", "command", "file", "template", "unicode", "300,000 characters"],
)
async def test_a_prompt_is_text(rehearsal: Rehearsal, prompt: str) -> None:
    """Whatever a prompt looks like, it arrives as typed."""
    assert (await rehearsal.play(Answer("{prompt}"), prompt=prompt)).content == prompt


async def test_the_beginning_of_the_prompt_can_be_quoted(rehearsal: Rehearsal) -> None:
    """A text may quote the first line's beginning, whatever stands in it."""
    prompt = "{prompt} " + "x" * 100 + "\nsecond line"
    result = await rehearsal.play(Answer("<{prompt_start}>"), prompt=prompt)
    assert result.content == "<{prompt} " + "x" * 51 + ">"


@pytest.mark.parametrize(
    ("fail", "action"),
    [
        (Fail(FailureKind.RATE_LIMITED, "slow down", retry_after_s=30), Action.RETRY),
        (Fail(FailureKind.RATE_LIMITED, "slow down", retry_after_s=900), Action.SWITCH),
        (Fail(FailureKind.AUTH, "no key"), Action.SWITCH),
        (Fail(FailureKind.SERVER_ERROR, "500"), Action.RETRY),
        (Fail(FailureKind.INVALID_REQUEST, "no", blames_task=True), Action.FAIL),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
async def test_a_stated_failure(rehearsal: Rehearsal, fail: Fail, action: Action) -> None:
    """A failure that the agent states has its kind, words and time."""
    result = await rehearsal.play(Say("so far"), fail)
    failure = result.failure
    assert failure is not None
    assert (failure.kind, failure.message) == (fail.kind, fail.message)
    assert failure.retry_after_s == fail.retry_after_s
    assert failure.action_within(60) is action
    assert (result.content, result.exit_code) == ("so far", 1)


async def test_a_quota_with_its_reset(rehearsal: Rehearsal) -> None:
    """An instant that the agent names is read as such."""
    resets_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    fail = Fail(FailureKind.QUOTA_EXHAUSTED, "weekly limit", resets_at=resets_at.isoformat())
    failure = (await rehearsal.play(fail)).failure
    assert failure is not None
    assert failure.resets_at == resets_at


async def test_a_crash(rehearsal: Rehearsal) -> None:
    """A traceback and exit status 1 are a crash."""
    result = await rehearsal.play(Complain("about to fall"), Crash("lost my footing"))
    assert (kind_of(result), result.exit_code) == (FailureKind.CRASHED, 1)
    assert b"about to fall" in rehearsal.output["stderr"]
    assert b"RuntimeError: lost my footing" in rehearsal.output["stderr"]


async def test_a_death_by_signal(rehearsal: Rehearsal) -> None:
    """A signal that nobody of ours sent is a crash."""
    result = await rehearsal.play(Die(signal.SIGKILL))
    assert (kind_of(result), result.exit_code) == (FailureKind.CRASHED, -signal.SIGKILL)


@pytest.mark.parametrize("script", [(Say("almost"), Exit()), (Say("almost"),)])
async def test_an_end_without_a_result(rehearsal: Rehearsal, script: Script) -> None:
    """Exit status 0 without a result is a broken response, with what there was of it."""
    result = await rehearsal.play(*script)
    assert (kind_of(result), result.content) == (FailureKind.BROKEN_RESPONSE, "almost")


@pytest.mark.parametrize(
    "limit", [{"timeout_s": 0.3}, {"idle_timeout_s": 0.3}], ids=["timeout", "idle timeout"]
)
async def test_a_hang_is_a_timeout(rehearsal: Rehearsal, limit: dict[str, float]) -> None:
    """A run that hangs is ended by our limit, and that is its failure."""
    assert kind_of(await rehearsal.play(Hang(), **limit)) is FailureKind.TIMEOUT


async def test_a_deaf_hang_is_ended_all_the_same(rehearsal: Rehearsal) -> None:
    """A run that hears TERM and ignores it is gone when its cancellation comes through."""
    lines: list[bytes] = []
    ready = asyncio.Event()

    def take(line: bytes) -> None:
        lines.append(line)
        if b"deaf" in line:
            ready.set()

    agent = rehearsal.agent((Hang(ignore_term=True),))
    agent.runs = 1
    spec = ProcessSpec(
        argv=(*agent._command, *agent.arguments(rehearsal.request())),
        env={"UNDAUNTED_ATTEMPT": rehearsal.token},
        cwd=str(rehearsal.cwd),
        timeout_s=120.0,
        idle_timeout_s=120.0,
        grace_s=0.3,
    )
    running = asyncio.create_task(run_process(spec, on_stdout_line=take))
    await ready.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert b"TERM" in lines[-1]
    assert marked(rehearsal.token) == []


async def test_what_it_leaves_behind_is_gone(rehearsal: Rehearsal) -> None:
    """An answer counts and comes soon, though a process of the agent's holds its output open."""
    result = await rehearsal.play(LeaveBehind(600), Answer("done"))
    assert result.content == "done"
    left = next(n for n in rehearsal.notices if n.kind == "tool")
    assert left.text == "leave_behind"
    pid = int(rehearsal.output["stdout"].split(b'"detail": "')[1].split(b'"')[0])
    assert not is_alive(pid)


async def test_noise_does_not_hide_the_answer(rehearsal: Rehearsal) -> None:
    """A flood, and a line too long to keep, come before an answer that is still found."""
    result = await rehearsal.play(
        Flood(2_000_001), LongLine(17 * 1024 * 1024), Sleep(0.01), Answer("found")
    )
    assert result.content == "found"
    assert len(rehearsal.output["stdout"]) > 2_000_001 + 17 * 1024 * 1024


@pytest.mark.parametrize(
    ("permissions", "path", "written"),
    [
        ("read", "inside.txt", False),
        ("edit", "inside.txt", True),
        ("edit", "../outside.txt", False),
        ("full", "../outside.txt", True),
    ],
)
async def test_permissions_hold(
    rehearsal: Rehearsal, permissions: str, path: str, written: bool
) -> None:
    """A file is written where that is allowed; elsewhere the denial is reported."""
    result = await rehearsal.play(
        WriteFile(path, "for {prompt}"), Answer("done"), permissions=permissions
    )
    file = rehearsal.cwd / path
    assert result.content == "done"
    if written:
        assert file.read_text() == "for Say hello"
        assert result.permission_denials == ()
    else:
        assert not file.exists()
        assert result.permission_denials == (PermissionDenial("write_file", path),)


async def test_inner_retries_are_no_failure(rehearsal: Rehearsal) -> None:
    """Retries that the agent makes by itself are counted and shown."""
    script = (RetryInside("overloaded"), RetryInside("overloaded", attempt=2), Answer("done"))
    result = await rehearsal.play(*script)
    assert (result.content, result.inner_retries) == ("done", 2)
    shown = [notice.text for notice in rehearsal.notices if notice.kind == "inner_retry"]
    assert shown == ["1 of 2: overloaded", "2 of 2: overloaded"]


async def test_each_run_plays_the_next_script(rehearsal: Rehearsal) -> None:
    """The scripts follow each other; the last one stays."""
    agent = rehearsal.agent((Crash(),), (Exit(),), (Answer("well"),))
    ends = [await rehearsal.run(agent) for _ in range(4)]
    assert [end.failure and end.failure.kind for end in ends] == [
        FailureKind.CRASHED,
        FailureKind.BROKEN_RESPONSE,
        None,
        None,
    ]
    assert agent.runs == 4


async def test_parallel_runs_take_scripts_of_their_own(rehearsal: Rehearsal) -> None:
    """Runs that begin at once play different scripts."""
    agent = rehearsal.agent((Answer("one"),), (Answer("two"),), (Answer("three"),))
    tokens = [f"{rehearsal.token}-{number}" for number in range(3)]
    ends = await asyncio.gather(*(rehearsal.run(agent, token=token) for token in tokens))
    assert [end.content for end in ends] == ["one", "two", "three"]


async def test_the_personas_do_what_their_names_say(rehearsal: Rehearsal) -> None:
    """One is limited for longer than a retry waits, one crashes, one answers the prompt."""
    limited, crashing, well = rehearsal_agents(rehearsal.context)
    assert [a.name for a in (limited, crashing, well)] == [
        "sim-limited",
        "sim-crashing",
        "sim-well",
    ]
    first = (await rehearsal.run(limited)).failure
    assert first is not None
    assert (first.kind, first.action_within(60)) == (FailureKind.RATE_LIMITED, Action.SWITCH)
    assert kind_of(await rehearsal.run(crashing)) is FailureKind.CRASHED
    answer = (await rehearsal.run(well)).content
    assert answer is not None
    assert "Say hello" in answer
