"""`undaunted run`: the answer on stdout, the story on stderr, the verdict as exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from integration.cli.shell import Doorbell, Shell, ended
from undaunted.cli.exit_codes import ExitCode
from undaunted.tasks import AgentName

TASK_FIELDS = [
    "schema_version", "task_id", "state", "agent", "account", "model", "content", "session_id",
    "agent_session_id", "workspace", "usage", "cost_usd", "switches", "created_at", "finished_at",
    "attempts", "error",
]  # fmt: skip
ATTEMPT_FIELDS = [
    "number", "agent", "account", "model", "token", "started_at", "duration_s", "outcome", "kind",
    "action", "message", "evidence", "exit_code", "retry_after_s", "resets_at", "inner_retries",
    "permission_denials", "usage", "cost_usd", "reason_chosen",
]  # fmt: skip


def test_a_rehearsal_answers_on_stdout_and_tells_on_stderr(shell: Shell) -> None:
    """The answer stands alone on stdout; each agent, failure and switch is told on stderr."""
    done = shell.run("run", "--rehearsal", "Say it's fine")
    assert done.returncode == ExitCode.DONE
    assert len(done.stdout.splitlines()) == 1
    assert "Say it's fine" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    told = done.stderr
    for part in ("sim-limited", "rate_limited", "sim-crashing", "crashed", "attempt 2 of 3"):
        assert part in told
    assert "done by sim-well: 4 attempts, 2 switches" in told
    assert told.rstrip().splitlines()[-1].strip() == """undaunted run 'Say it'"'"'s fine'"""


def test_a_rehearsal_shows_the_same_every_time(shell: Shell) -> None:
    """The breaker that one rehearsal opened does not keep the next from being limited again."""
    kinds = [
        [a["kind"] for a in shell.json("run", "--rehearsal", "Hello")["attempts"]] for _ in range(2)
    ]
    assert kinds == [["rate_limited", "crashed", "crashed", None]] * 2


def test_json_is_one_object_with_every_documented_field_in_order(shell: Shell) -> None:
    """`--json` prints one line; fields and order are the documented ones."""
    done = shell.run("run", "--rehearsal", "--json", "--session", "nightly", "Hello")
    assert done.returncode == ExitCode.DONE
    assert done.stdout.count("\n") == 1
    task = json.loads(done.stdout)
    assert list(task) == TASK_FIELDS
    assert [list(attempt) for attempt in task["attempts"]] == [ATTEMPT_FIELDS] * 4
    assert (task["state"], task["session_id"], task["error"]) == ("succeeded", "nightly", None)
    assert task["workspace"] == str(shell.folder)


def test_events_are_json_lines_that_end_with_the_task(shell: Shell) -> None:
    """`--events` prints what happens line by line, and the whole task last."""
    done = shell.run("run", "--rehearsal", "--events", "--quiet", "Hello")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    types = [event["type"] for event in events]
    assert types[0] == "task_accepted"
    assert types.count("attempt_started") == 4
    assert types[-2:] == ["task_succeeded", "task"]
    assert list(events[-1]["task"]) == TASK_FIELDS
    assert done.stderr == ""


def test_json_and_events_exclude_each_other(shell: Shell) -> None:
    """Both at once are refused."""
    done = shell.run("run", "--rehearsal", "--json", "--events", "Hello")
    assert done.returncode == ExitCode.USAGE
    assert "choose one" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (["run", "-"], "from a pipe: grüße\n", "from a pipe: grüße\n"),
        (["run"], "without a word", "without a word\n"),
        (["run", "--", "-x"], None, "-x\n"),
        (["run", "--", "--help"], None, "--help\n"),
        (["run", "-"], "--json", "--json\n"),
        (["run", "/clear @file"], None, "/clear @file\n"),
    ],
)
def test_a_prompt_arrives_as_typed(
    shell: Shell, arguments: list[str], stdin: str | None, expected: str
) -> None:
    """A prompt comes from the command line or stdin, whatever it begins with."""
    shell.fake(claude=["ask"])
    done = shell.run(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (ExitCode.DONE, expected)


def test_a_prompt_that_is_no_text_is_refused(shell: Shell) -> None:
    """Bytes that are no UTF-8 are the task's fault, and nothing is run."""
    done = shell.run("run", "-", stdin=b"caf\xe9")
    assert done.returncode == ExitCode.TASK_WRONG
    assert "UTF-8" in done.stderr


def test_flags_reach_the_agent_and_the_task(shell: Shell) -> None:
    """Arguments, model, permissions, variables and limits arrive where they belong."""
    shell.fake(claude=["arguments"])
    shell.env |= {"MY_OWN": "1", "NOT_MINE": "1"}
    done = shell.run(
        "run", "--agents", "claude", "--model", "claude=opus", "--agent-arg=--foo",
        "--agent-arg", "claude=--max-turns", "--agent-arg", "a=b", "--agent-arg", "gemini=no",
        "--permissions", "read", "--env", "MY_OWN", "Hello",
    )  # fmt: skip
    assert done.returncode == ExitCode.DONE, done.stderr
    seen = json.loads(done.stdout)
    assert {"--foo", "a=b", "--max-turns"} == set(seen["arguments"][-3:])
    assert seen["arguments"][seen["arguments"].index("--model") + 1] == "opus"
    assert "no" not in seen["arguments"]
    assert "MY_OWN" in seen["variables"]
    assert "NOT_MINE" not in seen["variables"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--agents", "clyde", "Hello"], "known are claude, gemini"),
        (["--agents", "claude,claude", "Hello"], "twice"),
        (["--env", "NOT_SET_ANYWHERE", "Hello"], "not set in your environment"),
    ],
)
def test_wrong_usage_accepts_no_task(shell: Shell, arguments: list[str], hint: str) -> None:
    """A wrong name ends with exit status 2, a text that helps, no traceback, and no task."""
    done = shell.run("run", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert shell.json("tasks") == []


def test_with_json_a_task_that_is_refused_is_json_too(shell: Shell) -> None:
    """What keeps a task from being accepted is S16's error body on stdout."""
    done = shell.run("run", "--json", "  ")
    assert done.returncode == ExitCode.TASK_WRONG
    body = json.loads(done.stdout)
    assert (body["error_code"], body["details"]["field"]) == ("VALIDATION_ERROR", "prompt")
    assert body["details"]["message"] in done.stderr


def test_all_agents_failed(shell: Shell) -> None:
    """Exit 1: each agent's failure, the meaning of the status and the next command are told."""
    shell.fake(claude=["crash"])
    done = shell.run("run", "--quiet", "--attempts", "2", "Hello")
    assert (done.returncode, done.stdout) == (ExitCode.ALL_FAILED, "")
    task = shell.json("tasks")[0]
    assert "claude  2 attempts, crashed" in done.stderr
    assert "exit status 1: all agents failed" in done.stderr
    assert f"undaunted show {task['task_id'][:8]}" in done.stderr
    assert task["state"] == "failed"


def test_a_failed_task_is_printed_as_json(shell: Shell) -> None:
    """`--json` prints the task's object for a failure as well."""
    shell.fake(claude=["crash"])
    done = shell.run("run", "--json", "--attempts", "1", "Hello")
    assert done.returncode == ExitCode.ALL_FAILED
    task = json.loads(done.stdout)
    assert list(task) == TASK_FIELDS
    assert task["error"]["details"]["code"] == "ALL_AGENTS_FAILED"


def test_the_deadline_passes(shell: Shell, doorbell: Doorbell) -> None:
    """Exit 124: a hanging agent is ended when the task's time is up."""
    shell.fake(claude=["hang", str(doorbell.path)])
    process = shell.start("run", "--deadline", "1s", "Hello")
    doorbell.pid()
    _, told = process.communicate(timeout=60)
    assert process.returncode == ExitCode.DEADLINE
    assert b"the deadline of 1s passed" in told


def test_an_agent_comes_back_at_a_known_time(shell: Shell) -> None:
    """Exit 75: the only agent is out of quota, and when it is back is told."""
    back_at = int(time.time()) + 7200
    shell.fake(claude=["error", "429", f"Claude AI usage limit reached|{back_at}"])
    done = shell.run("run", "Hello")
    assert done.returncode == ExitCode.COME_BACK
    # Up to half a minute later, so that not everybody comes on the full hour.
    clocks = {time.strftime("%H:%M:%S", time.localtime(back_at + s)) for s in range(31)}
    told = re.findall(r"(\d\d:\d\d:\d\d) \(in (?:2h|1h 59m)\)", done.stderr)
    assert told
    assert set(told) <= clocks
    assert "come back at" in done.stderr
    assert "circuit breaker open until" in done.stderr


def test_no_agent_is_usable(shell: Shell) -> None:
    """Exit 69: nothing is installed, and each agent's reason is told."""
    done = shell.run("run", "Hello", env={"PATH": "/nonexistent"})
    assert done.returncode == ExitCode.NONE_USABLE
    for agent in AgentName:
        assert re.search(rf"{agent} +not tried: {agent} is not on PATH", done.stderr)


def test_a_store_that_cannot_be_used(shell: Shell, tmp_path: Path) -> None:
    """Exit 70 with the reason, and no traceback, when the data folder can't be made."""
    (tmp_path / "file").write_text("")
    shell.env["UNDAUNTED_DATA_DIR"] = str(tmp_path / "file" / "data")
    done = shell.run("run", "--rehearsal", "Hello")
    assert done.returncode == ExitCode.OUR_FAULT
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_settings_file(shell: Shell) -> None:
    """Exit 2: the file, the setting and what would do are named."""
    shell.configure('timeot = "10m"\n')
    done = shell.run("run", "Hello")
    assert done.returncode == ExitCode.USAGE
    assert "unknown setting timeot" in done.stderr
    assert "undaunted.toml" in done.stderr
    assert "did you mean timeout?" in done.stderr


def test_a_plan_runs_nothing(shell: Shell) -> None:
    """`--plan` shows who would be tried and why, and accepts no task."""
    shell.fake(claude=["crash"])
    done = shell.run("run", "--plan", "--agents", "gemini,claude", "Hello", env={"PATH": "/none"})
    assert done.returncode == ExitCode.DONE
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["AGENT", "TRIED", "WHY"]
    assert lines[1].split()[:3] == ["1", "gemini", "no"]
    assert lines[2].split()[:3] == ["2", "claude", "yes"]
    assert "--permission-mode" in lines[2]
    steps = shell.json("run", "--plan", "Hello")
    assert list(steps[0]) == ["agent", "tried", "reason", "model", "permission_flags"]
    assert shell.json("tasks") == []


def test_the_answer_goes_into_a_file(shell: Shell) -> None:
    """`--output` replaces the file's content, keeps its mode, and leaves stdout empty."""
    shell.fake(claude=["answer", "in a file"])
    target = shell.folder / "answer.txt"
    target.write_text("older")
    target.chmod(0o640)
    done = shell.run("run", "--quiet", "--output", "answer.txt", "Hello")
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.DONE, "", "")
    assert target.read_text() == "in a file\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(shell.folder.iterdir()) == [target]


def test_a_failure_leaves_the_file_as_it_was(shell: Shell) -> None:
    """Without an answer `--output` writes nothing."""
    shell.fake(claude=["crash"])
    target = shell.folder / "answer.txt"
    target.write_text("older")
    done = shell.run("run", "--attempts", "1", "--output", str(target), "Hello")
    assert done.returncode == ExitCode.ALL_FAILED
    assert target.read_text() == "older"


def test_a_device_is_written_to_and_not_replaced(shell: Shell) -> None:
    """`--output /dev/stderr` writes there."""
    shell.fake(claude=["answer", "over there"])
    done = shell.run("run", "--quiet", "--output", "/dev/stderr", "Hello")
    assert (done.returncode, done.stdout) == (ExitCode.DONE, "")
    assert done.stderr == "over there\n"


def test_an_answer_keeps_its_control_characters_in_a_pipe(shell: Shell) -> None:
    """What is no terminal gets the answer as it is; the story is made harmless anyway."""
    shell.fake(claude=["answer", "\x1b[31mred\x1b[0m [bold]not markup[/bold]"])
    done = shell.run("run", "Hello")
    assert done.stdout == "\x1b[31mred\x1b[0m [bold]not markup[/bold]\n"
    shell.fake(claude=["error", "400", "\x1b]0;title\x07\x1b[2Jgone [/red]\r\nsecond line"])
    done = shell.run("run", "Hello")
    assert "\x1b" not in done.stderr
    assert "gone [/red] second line" in done.stderr


def test_a_reader_that_goes_away_is_no_error(shell: Shell) -> None:
    """With stdout closed early the task goes on to its end, and nothing is complained about."""
    process = shell.start("run", "--rehearsal", "--events", "--quiet", "Hello")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["type"] == "task_accepted"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == ExitCode.DONE
    assert shell.json("tasks", "--rehearsal")[0]["state"] == "succeeded"


def test_closed_streams_are_no_error(shell: Shell) -> None:
    """With no stdin, stdout or stderr at all the task is done, and the store is not written to."""
    command = shlex.join(shell.argv("run", "--rehearsal", "Hello"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {command} <&- >&- 2>&-"],
        env=shell.env,
        cwd=shell.folder,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.DONE
    assert shell.json("tasks", "--rehearsal")[0]["state"] == "succeeded"


@pytest.mark.slow
def test_eight_runs_on_one_store(shell: Shell) -> None:
    """Parallel runs on one data folder all end well."""
    processes = [shell.start("run", "--rehearsal", f"number {n}") for n in range(8)]
    told = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [ExitCode.DONE] * 8, told
    assert len({answer for answer, _ in told}) == 8
    assert len(shell.json("tasks", "--rehearsal")) == 8


def test_a_run_that_was_killed_is_told_of_by_the_next_command(
    shell: Shell, doorbell: Doorbell
) -> None:
    """After kill -9 in mid-attempt the task is failed as interrupted, with its attempt."""
    shell.fake(claude=["hang", str(doorbell.path)])
    process = shell.start("run", "Hello")
    with ended(doorbell.pid()):
        process.kill()
        process.wait()
        listed = shell.run("tasks")
        assert "was interrupted" in listed.stderr
        assert listed.stdout.splitlines()[1].split()[1] == "failed"
        task = shell.json("show", "last")
    assert task["state"] == "failed"
    assert [a["outcome"] for a in task["attempts"]] == ["interrupted"]
    assert shell.run("tasks").stderr == ""


def test_the_help_lists_every_exit_status(shell: Shell) -> None:
    """`run --help` says what each exit status means."""
    told = shell.run("run", "--help").stdout
    for code in ExitCode:
        assert f"{code.value}  {code.meaning}" in told


def test_a_prompt_is_asked_for_at_a_terminal(shell: Shell) -> None:
    """Without a prompt and with stdin a terminal nothing is waited for."""
    person, terminal = os.openpty()
    try:
        done = subprocess.run(
            shell.argv("run"),
            env=shell.env,
            cwd=shell.folder,
            stdin=terminal,
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(person)
        os.close(terminal)
    assert done.returncode == ExitCode.USAGE
    assert b"there is no prompt" in done.stderr
