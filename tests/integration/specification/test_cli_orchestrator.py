"""`CLIOrchestrator` and `execute_task_safely` do what the specification says (S7, S8, S9)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from living import marked
from undaunted import (
    AgentName,
    AgentUnavailableError,
    CircuitState,
    CLIOrchestrator,
    NetworkError,
    Task,
    TaskExecutionError,
    TaskResponse,
    execute_task_safely,
)

# Stands in for both command lines: does what the file named by $STAND_IN says for its own name.
STAND_IN = """
import json, os, sys, time
name = os.path.basename(sys.argv[0])
plan = json.load(open(os.environ["CLAUDE_STAND_IN"]))[name]
sys.stdin.read()
with open(os.environ["CLAUDE_STAND_IN"] + "." + name, "a") as log:
    log.write("run\\n")
if plan["do"] == "hang":
    with open(os.environ["CLAUDE_STAND_IN"] + ".hangs", "w") as fifo:
        fifo.write(os.environ["UNDAUNTED_ATTEMPT"])
    time.sleep(3600)
if name == "claude":
    ok = plan["do"] == "answer"
    print(json.dumps({"type": "result", "subtype": "success", "is_error": not ok,
                      "api_error_status": plan.get("status"), "result": plan["text"]}))
else:
    ok = plan["do"] == "answer"
    print(json.dumps({"type": "message", "role": "assistant", "content": plan["text"]}))
    print(json.dumps({"type": "result", "status": "success" if ok else "error",
                      "error": {"message": plan["text"]}}))
sys.exit(0 if ok else 1)
"""


class Desk:
    """A person's desk with two stand-in command lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = folder / "plan.json"
        programs = folder / "bin"
        programs.mkdir()
        for name in ("claude", "gemini"):
            program = programs / name
            program.write_text(f"#!{sys.executable} -IS\n{STAND_IN}")
            program.chmod(0o755)
        self.env = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "UNDAUNTED_DATA_DIR": str(folder / "data"),
            "UNDAUNTED_CONFIG_DIR": str(folder / "config"),
            "UNDAUNTED_RETRY_BASE": "0.01",
            "CLAUDE_STAND_IN": str(self.plan),
        }

    def does(self, **plans: dict[str, object]) -> None:
        self.plan.write_text(json.dumps(plans))

    def runs(self, name: str) -> int:
        log = Path(f"{self.plan}.{name}")
        return log.read_text().count("run") if log.exists() else 0

    def orchestrator(self) -> CLIOrchestrator:
        return CLIOrchestrator(env=self.env)


GOOD = {"do": "answer", "text": "four"}
BUSY = {"do": "fail", "text": "API Error: 500 Internal server error", "status": 500}
NO_KEY = {"do": "fail", "text": "Invalid API key · Please run /login"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    # The stand-in's plan reaches gemini's environment too.
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "undaunted.toml").write_text('[env]\npass = ["CLAUDE_STAND_IN"]\n')
    monkeypatch.chdir(tmp_path)
    return desk


def test_the_defaults_of_the_document() -> None:
    """A breaker per agent with 5 failures and 60 s, 3 switches, 300 s."""
    orchestrator = CLIOrchestrator()
    assert (orchestrator.max_agent_switches, orchestrator.task_timeout) == (3, 300)
    breaker = orchestrator.circuit_breakers["claude"]
    assert (breaker.failure_threshold, breaker.timeout_duration) == (5, 60)
    assert breaker.state == CircuitState.CLOSED


async def test_the_primary_agent_answers(desk: Desk) -> None:
    """The response carries the task, the agent, the answer and the caller's session."""
    desk.does(claude=GOOD, gemini=GOOD)
    response = await desk.orchestrator().execute_task(Task(id="t-1", prompt="2+2?"), "session-7")
    assert isinstance(response, TaskResponse)
    assert (response.task_id, response.agent, response.content, response.session_id) == (
        "t-1",
        "claude",
        "four",
        "session-7",
    )
    assert response.timestamp.utcoffset() is not None


async def test_transient_failures_are_retried_before_the_switch(desk: Desk) -> None:
    """Classified first, a 500 is tried three times; then the fallback answers."""
    desk.does(claude=BUSY, gemini=GOOD)
    response = await desk.orchestrator().execute_task(Task(prompt="2+2?"), "s")
    assert response.agent == "gemini"
    assert (desk.runs("claude"), desk.runs("gemini")) == (3, 1)


async def test_the_breaker_counts_and_skips(desk: Desk) -> None:
    """After five failures the agent is passed over, and `circuit_breakers` shows it."""
    desk.does(claude=BUSY, gemini=GOOD)
    orchestrator = desk.orchestrator()
    for _ in range(3):
        await orchestrator.execute_task(Task(prompt="2+2?"), "s")
    assert desk.runs("claude") == 5
    assert orchestrator.circuit_breakers["claude"].state == CircuitState.OPEN
    assert await orchestrator._select_agent(Task(prompt="x")) is AgentName.GEMINI


async def test_all_failed(desk: Desk) -> None:
    """The error carries each agent's, and the attempted agents, as the document's text has it."""
    desk.does(claude=NO_KEY, gemini={"do": "fail", "text": "[API Error: fetch failed]"})
    with pytest.raises(TaskExecutionError, match=r"Attempted agents: claude, gemini$") as caught:
        await desk.orchestrator().execute_task(Task(prompt="2+2?"), "s")
    assert not isinstance(caught.value, AgentUnavailableError)
    assert sorted(caught.value.failures) == ["claude", "gemini"]
    assert "Invalid API key" in caught.value.failures["claude"]


async def test_nothing_installed(desk: Desk) -> None:
    """Without any command line the task is refused as unavailable."""
    desk.env["PATH"] = str(desk.folder)
    with pytest.raises(AgentUnavailableError, match="claude is not on PATH"):
        await desk.orchestrator().execute_task(Task(prompt="2+2?"), "s")


async def test_an_invalid_task(desk: Desk) -> None:
    """A task that is wrong itself is not tried."""
    desk.does(claude=GOOD, gemini=GOOD)
    with pytest.raises(TaskExecutionError, match="Invalid task configuration: the prompt is empty"):
        await desk.orchestrator().execute_task(Task(prompt="  "), "s")
    assert desk.runs("claude") == 0


async def test_selection(desk: Desk) -> None:
    """The choice is by order and availability; excluded agents are not chosen again."""
    desk.does(claude=GOOD, gemini=GOOD)
    orchestrator = desk.orchestrator()
    task = Task(prompt="x")
    assert await orchestrator._select_agent(task) is AgentName.CLAUDE
    fallback = await orchestrator._select_fallback_agent(task, excluded_agents=["claude"])
    assert fallback is AgentName.GEMINI
    with pytest.raises(AgentUnavailableError):
        await orchestrator._select_fallback_agent(task, excluded_agents=["claude", "gemini"])


async def test_a_breaker_opened_by_hand_keeps_its_agent_out(desk: Desk) -> None:
    """Code that isolates a breaker of the document's dictionary is obeyed."""
    desk.does(claude=GOOD, gemini=GOOD)
    orchestrator = desk.orchestrator()
    orchestrator.circuit_breakers["claude"].isolate()
    for _ in range(2):
        assert (await orchestrator.execute_task(Task(prompt="x"), "s")).agent == "gemini"
    assert desk.runs("claude") == 0
    orchestrator.circuit_breakers["claude"].reset()
    assert (await orchestrator.execute_task(Task(prompt="x"), "s")).agent == "claude"


async def test_a_mended_agent_is_taken_back(desk: Desk) -> None:
    """What a 401 closed is open again for this object too, once the key has changed."""
    desk.does(claude=NO_KEY, gemini=GOOD)
    desk.env["ANTHROPIC_API_KEY"] = "old"
    orchestrator = desk.orchestrator()
    assert (await orchestrator.execute_task(Task(prompt="x"), "s")).agent == "gemini"
    assert orchestrator.circuit_breakers["claude"].state == CircuitState.OPEN
    desk.does(claude=GOOD, gemini=GOOD)
    desk.env["ANTHROPIC_API_KEY"] = "new"
    assert (await orchestrator.execute_task(Task(prompt="x"), "s")).agent == "claude"
    assert orchestrator.circuit_breakers["claude"].state == CircuitState.CLOSED


async def test_cancelled_work_is_stopped(desk: Desk) -> None:
    """A timeout around a task ends the agent's processes before it is raised."""
    desk.does(claude={"do": "hang"}, gemini=GOOD)
    task = Task(prompt="x")
    fifo = Path(f"{desk.plan}.hangs")
    os.mkfifo(fifo)
    running = asyncio.create_task(desk.orchestrator().execute_task(task, "s"))
    token = await asyncio.to_thread(fifo.read_text)  # returns when the stand-in hangs
    assert len(marked(token)) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(token) == []


async def test_execute_task_safely_with_an_agent() -> None:
    """A network error is tried again, other errors are not."""
    calls: list[str] = []

    class Agent:
        async def execute(self, prompt: str) -> str:
            calls.append(prompt)
            if len(calls) < 2:
                raise NetworkError("lost")
            if len(calls) > 2:
                raise RuntimeError("bug")
            return "done"

    assert await execute_task_safely(Task(prompt="x"), agent=Agent()) == "done"
    with pytest.raises(RuntimeError):
        await execute_task_safely(Task(prompt="x"), agent=Agent())
    assert len(calls) == 3


async def test_execute_task_safely_with_the_default_agent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an agent the configured ones do the task."""
    desk.does(claude=GOOD, gemini=GOOD)
    for name, value in desk.env.items():
        monkeypatch.setenv(name, value)
    assert await execute_task_safely(Task(prompt="2+2?")) == "four"
