"""Real processes: what goes in, what comes out, and how they are ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from living import is_alive, marked
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.process import SpawnError, run_process
from undaunted.agents.process_table import ProcessEntry
from undaunted.agents.process_tree import ProcessTree
from undaunted.failures import FailureKind

# Far above what a test takes even on a busy machine; a run that waits for it has failed.
LONG_S = 60.0

PRINT_WORLD = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.getsid(0) == os.getpid(), sys.stdin.read()]))
"""
HANG = "import time; print('ready', flush=True); time.sleep(600)"
# os.write, because a signal handler may not print into a print that it interrupted.
REFUSE_TERM = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked\\n"))
os.write(1, b"ready\\n")
while True: time.sleep(600)
"""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# What goes in


async def test_arguments_arrive_as_they_are(stage: Any) -> None:
    """Arguments reach the command without a shell's reading, in its own session and folder."""
    spec = stage.spec(code=PRINT_WORLD)
    await stage.run(*spec.argv, "a b", "$HOME", "*", "--help", "")
    argv, cwd, leads_session, stdin = json.loads(stage.lines[0])
    assert argv == ["a b", "$HOME", "*", "--help", ""]
    assert cwd == str(stage.cwd)
    assert leads_session
    assert stdin == ""


async def test_the_environment_is_exactly_the_given_one(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of our own environment leaks into the command's."""
    monkeypatch.setenv("OUR_SECRET", "1")
    env = {"PATH": os.environ["PATH"], ATTEMPT_VARIABLE: stage.token, "A": "b=c\nd"}
    result = await stage.run("env", "-0", env=env)
    printed = dict(item.split("=", 1) for item in result.stdout.text.split("\0") if item)
    assert printed == env


async def test_large_stdin_arrives_whole(stage: Any) -> None:
    """A prompt far larger than a pipe's buffer arrives unchanged."""
    prompt = os.urandom(3_000_000)
    code = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    await stage.run(code=code, stdin=prompt)
    assert stage.lines == [hashlib.sha256(prompt).hexdigest().encode()]


@pytest.mark.parametrize("code", ["", "import os; os.close(0)", "import sys; sys.stdin.read(1)"])
async def test_a_command_need_not_read_its_stdin(stage: Any, code: str) -> None:
    """A command that exits with a megabyte of stdin unread ends like any other."""
    result = await stage.run(code=code, stdin=b"x" * 1_000_000)
    assert (result.exit_code, result.ended_by) == (0, "exit")


async def test_a_command_that_never_reads_can_be_ended(stage: Any) -> None:
    """Unread stdin does not keep a hanging command, or us, alive."""
    result = await stage.run(code=HANG, stdin=b"x" * 1_000_000, timeout_s=0.3, grace_s=LONG_S)
    assert result.ended_by == "timeout"
    assert result.duration_s < LONG_S


# What comes out


async def test_both_streams_are_read_at_once(stage: Any) -> None:
    """Floods on both streams neither block each other nor grow what is kept."""
    code = """
import os, threading
def flood(fd):
    for _ in range(200): os.write(fd, b"x" * 49_999 + b"\\n")
threads = [threading.Thread(target=flood, args=(fd,)) for fd in (1, 2)]
for t in threads: t.start()
for t in threads: t.join()
"""
    result = await stage.run(code=code, head_max_bytes=1000, tail_max_bytes=2000)
    for output in (result.stdout, result.stderr):
        assert output.total_bytes == 10_000_000
        assert (len(output.head), len(output.tail)) == (1000, 2000)
    assert len(stage.lines) == 200


async def test_the_sink_gets_every_byte(stage: Any) -> None:
    """The sink's chunks are each stream, whole and in order, bytes that are no text included."""
    chunks: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def sink(stream: str, chunk: bytes) -> None:
        chunks[stream] += chunk

    code = "import os; os.write(1, b'out\\xff\\n'); os.write(2, b'err'); os.write(1, b'more')"
    result = await run_process(stage.spec(code=code), sink=sink)
    assert chunks == {"stdout": b"out\xff\nmore", "stderr": b"err"}
    assert result.stdout.text == "out\ufffd\nmore"


async def test_lines_come_while_it_runs(stage: Any) -> None:
    """A line is delivered when it is printed, not when the command ends."""
    running = stage.start(code=HANG)
    assert await stage.line(0) == b"ready"
    assert not running.done()
    await stage.stop(running)


async def test_the_last_line_needs_no_newline(stage: Any) -> None:
    """A last line without a newline is delivered too."""
    await stage.run(code="print('one'); print('two', end='')")
    assert stage.lines == [b"one", b"two"]


async def test_a_line_too_long_is_skipped(stage: Any) -> None:
    """An oversize line is counted and left out; the lines around it are delivered."""
    result = await stage.run(
        code="print('one'); print('x' * 5_000_000); print('two')", line_max_bytes=1_000_000
    )
    assert stage.lines == [b"one", b"two"]
    assert result.oversize_lines == 1


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
async def test_the_exit_status_is_reported(stage: Any, code: str, exit_code: int) -> None:
    """An exit status is positive, a signal negative."""
    result = await stage.run(code=code)
    assert (result.exit_code, result.ended_by, result.left_behind) == (exit_code, "exit", ())


# Limits


async def test_a_timeout_ends_it(stage: Any) -> None:
    """A command that obeys TERM is gone at once, long before the grace is over."""
    result = await stage.run(code=HANG, timeout_s=0.3, grace_s=LONG_S)
    assert (result.ended_by, result.exit_code) == ("timeout", -signal.SIGTERM)
    assert result.duration_s < LONG_S


async def test_silence_ends_it(stage: Any) -> None:
    """A command that prints nothing for the idle timeout is ended for that."""
    result = await stage.run(code=HANG, idle_timeout_s=0.3, grace_s=LONG_S)
    assert (result.ended_by, result.exit_code) == ("idle_timeout", -signal.SIGTERM)


async def test_a_byte_on_stderr_is_a_sign_of_life(stage: Any) -> None:
    """A command that only dribbles on stderr outlives the idle timeout."""
    code = """
import sys, time
until = time.monotonic() + 3
while time.monotonic() < until: print(end=".", file=sys.stderr, flush=True); time.sleep(0.05)
"""
    result = await stage.run(code=code, idle_timeout_s=2.0)
    assert (result.ended_by, result.exit_code) == ("exit", 0)


async def test_a_stopped_command_is_ended(stage: Any) -> None:
    """A stopped process is made to go on, so that it takes its TERM without the grace."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    result = await stage.run(code=code, timeout_s=0.3, grace_s=LONG_S)
    assert result.exit_code == -signal.SIGTERM
    assert result.duration_s < LONG_S


async def test_what_ignores_term_is_killed(stage: Any) -> None:
    """A command that hears TERM and stays is killed after the grace."""
    running = stage.start(code=REFUSE_TERM, grace_s=0.3)
    await stage.line(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.lines == [b"ready", b"asked"]
    assert marked(stage.token) == []


# Descendants

SLEEP = "sleep 600"
HIDING = {
    "in a session of its own": f"setsid {SLEEP} & echo $!; wait",
    "as an orphan in a session of its own": f"(setsid {SLEEP} & echo $!); wait; {SLEEP}",
    "as an orphan with a cleared environment": f"(env -i {SLEEP} & echo $!); {SLEEP}",
    "in its own session, cleared, with a parent": f"env -i setsid {SLEEP} & echo $!; wait",
    "deaf, in a session of its own": f"(trap '' TERM; setsid {SLEEP} & echo $!); {SLEEP}",
}


@pytest.mark.parametrize("script", HIDING.values(), ids=HIDING.keys())
async def test_descendants_are_found_and_ended(stage: Any, script: str) -> None:
    """A descendant is ended with the command, wherever it hides."""
    running = stage.start("sh", "-c", script, grace_s=0.3)
    pid = int(await stage.line(0))
    assert is_alive(pid)
    await stage.stop(running)
    assert not is_alive(pid)


async def test_what_is_left_behind_is_ended(stage: Any) -> None:
    """A descendant that holds our pipe open after the end is named, ended, and not waited for."""
    result = await stage.run("sh", "-c", f"setsid {SLEEP} & echo $!", grace_s=LONG_S)
    assert (result.exit_code, result.ended_by) == (0, "exit")
    assert result.left_behind == ("sleep",)
    assert result.duration_s < LONG_S
    assert not is_alive(int(stage.lines[0]))


async def test_what_was_seen_once_is_not_lost(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process known by its parent alone is still known when the parent is gone."""
    seen: set[int] = set()
    news = asyncio.Event()
    look = ProcessTree.look

    def look_and_tell(tree: ProcessTree) -> list[ProcessEntry]:
        entries = look(tree)
        seen.update(entry.pid for entry in entries)
        news.set()
        return entries

    monkeypatch.setattr(ProcessTree, "look", look_and_tell)
    monkeypatch.setattr("undaunted.agents.process._LOOK_EVERY_S", 0.01)
    script = f"sh -c 'echo $$; env -i setsid {SLEEP} & echo $!; wait' & wait; {SLEEP}"
    running = stage.start("sh", "-c", script)
    parent, orphan = int(await stage.line(0)), int(await stage.line(1))
    while orphan not in seen:
        news.clear()
        await news.wait()
    os.kill(parent, signal.SIGKILL)
    await stage.stop(running)
    assert not is_alive(orphan)


async def test_what_escaped_holds_nobody_up(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that left no trace keeps our pipes open, and still we neither wait nor leak."""
    # The first look would see it with its parent if it came late enough.
    monkeypatch.setattr(ProcessTree, "gather", lambda _: [])
    files = open_files()
    script = f"(env -i setsid {SLEEP} <&3 & echo $!) 3<&0"
    result = await stage.run("sh", "-c", script, stdin=b"x" * 1_000_000)
    escaped = int(stage.lines[0])
    try:
        assert is_alive(escaped)
        assert (result.exit_code, result.ended_by, result.left_behind) == (0, "exit", ())
        assert result.duration_s < LONG_S
        assert open_files() == files
    finally:
        os.kill(escaped, signal.SIGKILL)


async def test_a_nested_attempt_is_ended_with_the_outer(stage: Any) -> None:
    """Processes of an undaunted inside the agent carry a longer mark and are found all the same."""
    script = f"(UNDAUNTED_ATTEMPT={stage.token}/inner setsid {SLEEP} & echo $!); {SLEEP}"
    running = stage.start("sh", "-c", script)
    pid = int(await stage.line(0))
    await stage.stop(running)
    assert not is_alive(pid)


async def test_another_attempt_is_left_alone(stage: Any) -> None:
    """Ending one attempt does not touch another that runs beside it."""
    other = type(stage)(stage.cwd)
    beside = other.start(code=HANG)
    await other.line(0)
    assert (await stage.run(code=HANG, timeout_s=0.3)).ended_by == "timeout"
    assert len(marked(other.token)) == 1
    await other.stop(beside)
    assert marked(other.token) == []


# Cancellation and faults


async def test_cancellation_leaves_nothing(stage: Any) -> None:
    """A cancelled run has ended everything when the cancellation comes through."""
    running = stage.start(code=HANG)
    await stage.line(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(stage.token) == []


async def test_a_second_cancellation_does_not_cut_it_short(stage: Any) -> None:
    """Cancelling again while the tree is being ended leaves nothing alive either."""
    running = stage.start(code=REFUSE_TERM, grace_s=0.5)
    await stage.line(0)
    running.cancel()
    assert await stage.line(1) == b"asked"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(stage.token) == []


@pytest.mark.parametrize("turns", range(6))
async def test_cancellation_at_the_start_leaves_nothing(stage: Any, turns: int) -> None:
    """However early the cancellation comes, no half-started command is left."""
    running = stage.start(code=HANG)
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(stage.token) == []


async def test_a_timeout_around_it_stays_a_timeout(stage: Any) -> None:
    """asyncio's own timeout around a run raises TimeoutError, after everything was ended."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await stage.run(code=HANG)
    assert marked(stage.token) == []


@pytest.mark.parametrize("taker", ["on_stdout_line", "sink"])
async def test_a_fault_of_the_callers_is_raised(stage: Any, taker: str) -> None:
    """An error in what takes the output ends the command and is raised unchanged."""
    fault = ZeroDivisionError("a parser's bug")

    def broken(*_: object) -> None:
        raise fault

    with pytest.raises(ZeroDivisionError) as raised:
        await run_process(stage.spec(code=HANG), **{taker: broken})
    assert raised.value is fault
    assert marked(stage.token) == []


def test_a_loop_that_is_torn_down_leaves_nothing(stage: Any) -> None:
    """When the event loop itself cancels every task, the command is killed all the same."""

    async def leave_it_running() -> None:
        stage.start(code=REFUSE_TERM, grace_s=LONG_S)
        await stage.line(0)

    asyncio.run(leave_it_running())
    assert stage.lines[0] == b"ready"


async def test_our_own_mark_is_refused(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command with this process's own mark is not started: ending it would end us."""
    monkeypatch.setenv(ATTEMPT_VARIABLE, f"{stage.token}/inner")
    with pytest.raises(ValueError, match="mark of this process"):
        await stage.run(code="")


# Starting


def _file(folder: Path, text: str, mode: int) -> str:
    file = folder / "program"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize(
    ("argv", "kind", "said"),
    [
        (("no-such-agent",), FailureKind.NOT_INSTALLED, "was not found"),
        (("/no/such/agent",), FailureKind.NOT_INSTALLED, "was not found"),
        (("sh", "x" * 200_000), FailureKind.INVALID_REQUEST, "too long"),
        (("sh", "a\0b"), FailureKind.INVALID_REQUEST, "null byte"),
    ],
    ids=["not on PATH", "no such file", "too long", "NUL"],
)
async def test_a_start_that_fails_says_why(
    stage: Any, argv: tuple[str, ...], kind: FailureKind, said: str
) -> None:
    """What can't be started raises SpawnError with its kind and a clear text."""
    with pytest.raises(SpawnError, match=said) as raised:
        await stage.run(*argv)
    assert (raised.value.kind, raised.value.blames_task) == (kind, False)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "may not be executed"),
        ("#!/no/such/interpreter\n", 0o755, "interpreter"),
        ("\x7fnot a program", 0o755, "no program for this machine"),
    ],
)
async def test_a_broken_program_is_misconfigured(
    stage: Any, text: str, mode: int, said: str
) -> None:
    """A program that is there and can't run is misconfigured, not missing."""
    with pytest.raises(SpawnError, match=said) as raised:
        await stage.run(_file(stage.cwd, text, mode))
    assert raised.value.kind is FailureKind.MISCONFIGURED


async def test_a_missing_folder_is_the_tasks_fault(stage: Any) -> None:
    """Without its working directory no command can start: the task is to blame."""
    with pytest.raises(SpawnError, match="working directory") as raised:
        await stage.run(code="", cwd=str(stage.cwd / "gone"))
    assert raised.value.kind is FailureKind.INVALID_REQUEST
    assert raised.value.blames_task
