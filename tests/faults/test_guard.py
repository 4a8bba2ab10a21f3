"""undaunted is killed in mid-run: its guard ends what was running, and then itself."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from living import is_alive

# Far above the second between TERM and KILL, also on a busy machine.
LONG_S = 60.0

SLEEP = "sleep 600"
TREES = {
    "a plain child": f"{SLEEP} & echo $!; wait",
    "an orphan in a session of its own": f"(setsid {SLEEP} & echo $!); {SLEEP}",
    "an orphan with a cleared environment": f"(env -i {SLEEP} & echo $!); {SLEEP}",
    "in its own session, cleared, with a parent": f"env -i setsid {SLEEP} & echo $!; wait",
    "a nested undaunted's": (
        f"(UNDAUNTED_ATTEMPT=$UNDAUNTED_ATTEMPT/inner setsid {SLEEP} & echo $!); {SLEEP}"
    ),
    # As gemini's launcher, with a worker that is as deaf.
    "a launcher that ignores signals": (
        f"trap '' TERM INT HUP; (trap '' TERM; {SLEEP} & echo $!; wait) & wait"
    ),
    # As copilot's: the launcher dies of the signal, the worker stays.
    "a worker that its launcher leaves behind": f"(trap '' TERM; {SLEEP} & echo $!; wait) & wait",
    "a child that is stopped": f"{SLEEP} & echo $!; kill -STOP $!; wait",
}
# It reads its prompt first, as every agent does: by then it is in its cgroup.
HIDDEN = f"read prompt; (env -i setsid {SLEEP} & echo $!); {SLEEP}"


def end_of(pid: int) -> int:
    """A file that is readable once the process has ended, also when it is no child of ours."""
    return os.pidfd_open(pid)


def wait_for(ends: Sequence[int]) -> bool:
    """Waits until all of these processes have ended; whether they did in time."""
    done = all(select.select([end], [], [], LONG_S)[0] for end in ends)
    for end in ends:
        os.close(end)
    return done


class Parent:
    """The program `guarded_parent.py`, in a session of its own."""

    def __init__(self, *scripts: str, cgroups: bool = False, fork: bool = False) -> None:
        wanted = {"scripts": scripts, "cgroups": cgroups, "fork": fork}
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("guarded_parent.py")),
                json.dumps(wanted),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def told(self) -> dict[str, Any]:
        """The next line of a command, with the pid of the guard."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it ended early"
        return json.loads(line)  # type: ignore[no-any-return]  # what guarded_parent.py prints

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Starts parents; what is left of them and of what they ran is killed at the end."""
    parents: list[Parent] = []

    def start(*scripts: str, **settings: bool) -> Parent:
        parents.append(Parent(*scripts, **settings))
        return parents[-1]

    yield start
    for parent in parents:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.process.pid, signal.SIGKILL)  # with its copies, which hold our pipes
        parent.process.communicate()


BOTH = pytest.mark.parametrize(
    "cgroups", [False, pytest.param(True, marks=pytest.mark.cgroups)], ids=["no cgroups", "cgroups"]
)


@BOTH
@pytest.mark.parametrize("script", TREES.values(), ids=TREES.keys())
def test_a_killed_undaunted_leaves_nothing(start: Any, script: str, *, cgroups: bool) -> None:
    """kill -9 of the parent: the command's processes end, and the guard after them."""
    parent = start(script, cgroups=cgroups)
    told = parent.told()
    ends = [end_of(int(told["line"])), end_of(told["guard"])]
    parent.process.kill()
    assert wait_for(ends)


def test_what_a_killed_undaunted_left_lying_about(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own folder goes with it, but nothing that a link in it leads to."""
    scratch, other = tmp_path / "scratch", tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("not the run's")
    scratch.mkdir()
    (scratch / "link").symlink_to(other)
    monkeypatch.setenv("SCRATCH", str(scratch))
    parent = start(f"echo conversation > {scratch}/dump; {SLEEP} & echo $!; wait")
    told = parent.told()
    ends = [end_of(int(told["line"])), end_of(told["guard"])]
    parent.process.kill()
    assert wait_for(ends)
    assert not scratch.exists()
    assert (other / "file").exists()


@pytest.mark.cgroups
def test_a_cgroup_finds_what_hides(start: Any) -> None:
    """An orphan that left its session and cleared its environment is ended with its cgroup."""
    parent = start(HIDDEN, cgroups=True)
    told = parent.told()
    pid = int(told["line"])
    group = Path("/proc", told["line"], "cgroup").read_text()
    assert "/undaunted-" in group
    ends = [end_of(pid), end_of(told["guard"])]
    parent.process.kill()
    assert wait_for(ends)
    (folder,) = (line[3:] for line in group.splitlines() if line.startswith("0::"))
    assert not list(Path("/sys/fs/cgroup").rglob(folder.lstrip("/").rpartition("/")[2]))


def test_signals_to_the_group_do_not_reach_the_guard(start: Any) -> None:
    """A group that is killed as a whole leaves the guard, which ends the command."""
    parent = start(TREES["an orphan in a session of its own"])
    told = parent.told()
    ends = [end_of(int(told["line"])), end_of(told["guard"])]
    os.killpg(parent.process.pid, signal.SIGKILL)
    assert wait_for(ends)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_guard_stays_at_its_post(start: Any, number: signal.Signals) -> None:
    """A signal that ends other programs does not keep the guard from its work."""
    parent = start(TREES["a plain child"])
    told = parent.told()
    ends = [end_of(int(told["line"])), end_of(told["guard"])]
    os.kill(told["guard"], number)
    parent.process.kill()
    assert wait_for(ends)


def test_a_forked_copy_does_not_keep_the_guard_waiting(start: Any) -> None:
    """A copy of undaunted that holds the pipe open is no undaunted."""
    parent = start(TREES["a plain child"], TREES["a plain child"], fork=True)
    told = [parent.told()]
    parent.go_on()
    told.append(parent.told())
    copies = Path(f"/proc/{parent.process.pid}/task/{parent.process.pid}/children").read_text()
    ends = [end_of(int(t["line"])) for t in told] + [end_of(told[0]["guard"])]
    parent.process.kill()
    assert wait_for(ends)
    assert any(map(is_alive, map(int, copies.split()))), "the copy is what the test is about"


def test_a_dead_guard_is_replaced(start: Any) -> None:
    """The next run starts a new guard, which knows what runs already."""
    parent = start(TREES["a plain child"], TREES["a plain child"])
    first = parent.told()
    dead = end_of(first["guard"])
    os.kill(first["guard"], signal.SIGKILL)
    assert wait_for([dead])
    assert is_alive(int(first["line"]))
    parent.go_on()
    second = parent.told()
    assert second["guard"] != first["guard"]
    ends = [end_of(int(first["line"])), end_of(int(second["line"])), end_of(second["guard"])]
    parent.process.kill()
    assert wait_for(ends)


def test_an_orderly_end_ends_the_guard(start: Any) -> None:
    """The guard is gone when undaunted has ended by itself."""
    parent = start(TREES["a plain child"])
    told = parent.told()
    ends = [end_of(int(told["line"])), end_of(told["guard"])]
    parent.process.communicate()
    assert parent.process.returncode == 0
    assert wait_for(ends)


def test_the_guard_holds_nothing_open(start: Any) -> None:
    """No file of undaunted's but its own end of the pipe; its folder is the root."""
    parent = start(TREES["a plain child"])
    guard = Path("/proc", str(parent.told()["guard"]))
    undaunted = Path("/proc", str(parent.process.pid))
    held = {file.name: str(file.readlink()) for file in (guard / "fd").iterdir()}
    assert held.pop("0").startswith("pipe:")
    assert held.pop("1") == held.pop("2") == "/dev/null"
    shared = {*held.values()} & {str(file.readlink()) for file in (undaunted / "fd").iterdir()}
    assert [name for name in shared if not name.startswith("anon_inode:")] == []
    assert (guard / "cwd").readlink() == Path("/")
