"""The documents' code runs, their sessions print what is shown, and the examples work."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

from documents import DOCUMENTS, Step, blocks, steps
from needs import ROOT
from undaunted.tasks import AgentName

# What a session may run: nothing that could start a real agent.
HARMLESS = re.compile(
    r"\bundaunted (?:--help|--version|explain|config|run (?=.*(?:--rehearsal|--plan|--help)))"
)
SESSIONS = [
    pytest.param(steps(block), id=f"{path.relative_to(ROOT)}:{block.line}")
    for path in DOCUMENTS
    for block in blocks(path, "console")
]
WITH_PYTHON = [path for path in DOCUMENTS if blocks(path, "python")]

LIMIT_S = 120  # generous: the machine may be busy; nothing here takes more than a few seconds


@pytest.fixture
def desk(throw_away_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, where `undaunted` is the one under test and no real agent is found."""
    desk = throw_away_home / "project"
    settings = throw_away_home / "config" / "undaunted" / "undaunted.toml"
    desk.mkdir()
    settings.parent.mkdir(parents=True)
    monkeypatch.chdir(desk)
    monkeypatch.setenv("UNDAUNTED_CONFIG_DIR", str(settings.parent))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return desk


def no_agents() -> None:
    """Makes the agents' programs such as are nowhere."""
    use_program("no-such-program")


def use_program(program: str) -> None:
    """Makes `program` the one that is run for both agents."""
    lines = [f"agents.{agent}.command = {json.dumps([program])}" for agent in ("claude", "gemini")]
    file = Path(os.environ["UNDAUNTED_CONFIG_DIR"], "undaunted.toml")
    file.write_text("\n".join(lines) + "\n")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def shell(command: str) -> tuple[str, int]:
    """What a person sees of a command, both streams in one, and its exit status."""
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return result.stdout, result.returncode


def steady(text: str) -> str:
    """`text` with what differs from run to run replaced: clock times, durations, ids."""
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "TIME", text)
    text = re.sub(r"\b\d+(?:\.\d+)?(?:ms|s|m|h)(?: \d+(?:s|m))?\b", "LONG", text)
    return re.sub(r"\btask [0-9a-f]{8}\b", "task ID", text)


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_is_as_shown(session: list[Step], desk: Path) -> None:
    """Each command ends with the status that is documented, and prints what is shown."""
    for step in session:
        assert HARMLESS.search(step.command), f"write as `sh` what is not to be run: {step.command}"
        output, status = shell(step.command)
        assert status == step.status, output
        if step.output:
            assert steady(output) == steady(step.output)


@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_run(path: Path, desk: Path) -> None:
    """A document's blocks run one after another, `await` anywhere, as in `python -m asyncio`."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in blocks(path, "python"):
            lines = "\n" * (block.line - 1)  # so that an error names the document's line
            code = compile(lines + block.text, str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            work = FunctionType(code, namespace)()
            if work is not None:  # it awaits something
                runner.run(work)


def test_the_pipeline_example() -> None:
    """It fails twice, says so, and gets the answer."""
    result = run(sys.executable, str(ROOT / "examples" / "library_pipeline.py"))
    assert result.returncode == 0, result.stderr
    first, second, third = result.stdout.splitlines()
    assert first.startswith("call 1: connection lost; again in ")
    assert second.startswith("call 2: connection lost; again in ")
    assert third == "call 3: the answer to 'life, the universe and everything' is 42"


def test_the_orchestrator_example_without_agents(desk: Path) -> None:
    """It ends with 1 and says of each agent why not."""
    no_agents()
    result = run(sys.executable, str(ROOT / "examples" / "orchestrator.py"), "hello")
    assert result.returncode == 1
    first, *others = result.stderr.splitlines()
    assert first == "no agent can take it now:"
    assert [line.split(":")[0].strip() for line in others] == [*AgentName]
    assert all(line.endswith("is not on PATH") for line in others)


def test_the_orchestrator_example_with_an_agent(desk: Path) -> None:
    """It prints which agent answered, and its answer."""
    answer = {"type": "result", "subtype": "success", "is_error": False, "result": "hello, you"}
    program = desk / "agent"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdin.read()\nprint({json.dumps(answer)!r})\n"
    )
    program.chmod(0o700)
    use_program(str(program))
    result = run(sys.executable, str(ROOT / "examples" / "orchestrator.py"), "hello")
    assert (result.returncode, result.stdout) == (0, "claude says:\nhello, you\n"), result.stderr


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        ("--rehearsal --quiet", 0, "answered: see answer.md"),
        ("--agents nobody", 2, "somebody has to look at this runner"),
        ("--permissions read", 69, "somebody has to look at this runner"),
    ],
)
def test_the_ci_example(
    flags: str, status: int, says: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hands on the exit status and says what it means; the answer is in the file."""
    no_agents()
    monkeypatch.setenv("UNDAUNTED_FLAGS", flags)
    result = run(str(ROOT / "examples" / "run_in_ci.sh"), "Review the last commit")
    assert result.returncode == status, result.stderr
    assert result.stdout.startswith(says)
    written = desk / "answer.md"
    assert (
        ("Review the last commit" in written.read_text()) if status == 0 else not written.exists()
    )
