"""Which processes the guard takes for a run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from undaunted.agents.guard import Process, Run, of_run

ROOT = (100, 7)


def run(**known: object) -> Run:
    values = {"mark": "tok", "cgroup": None, "scratch": None, "root": ROOT, "members": []}
    return Run(**(values | known))  # type: ignore[typeddict-item]  # any of them


def table(*rows: tuple[int, int, int]) -> dict[int, Process]:
    """A machine of these (pid, parent, session), beside others' processes."""
    others = [(1, 0, 1), (50, 1, 50), (60, 50, 50)]
    return {p: Process(p, parent, session, start=7) for p, parent, session in [*others, *rows]}


def test_the_root_brings_its_descendants_and_its_session() -> None:
    """Children in any order, whatever their session; orphans in the root's session."""
    machine = table((100, 50, 100), (300, 90, 300), (90, 100, 90), (400, 1, 100))
    assert of_run(run(members=[ROOT]), machine, {}) == {90, 100, 300, 400}


def test_an_orphan_in_the_session_of_a_dead_root_is_found() -> None:
    """The session has the root's number as long as somebody lives in it."""
    assert of_run(run(), table((400, 1, 100)), {}) == {400}


def test_another_session_of_that_number_is_left_alone() -> None:
    """Once the root's number is another process's, so is its session."""
    machine = table((400, 1, 100))
    machine[100] = Process(100, 1, 100, start=8)
    assert of_run(run(), machine, {}) == set()


@pytest.mark.parametrize(
    ("mark", "found"), [("tok", True), ("tok/inner", True), ("token", False), ("x/tok", False)]
)
def test_the_whole_mark_counts(mark: str, *, found: bool) -> None:
    """The run's own mark and what is nested in it, nothing that merely looks like it."""
    pids = of_run(run(root=None), table((200, 1, 200)), {200: mark})
    assert pids == ({200} if found else set())


def test_without_a_mark_nobody_is_marked() -> None:
    """A run without a mark does not claim those that have an empty one."""
    assert of_run(run(mark="", root=None), table((200, 1, 200)), {200: ""}) == set()


def test_the_session_of_a_marked_leader_is_the_runs() -> None:
    """Found by its mark, a process brings what it left in its session with no environment."""
    machine = table((200, 1, 200), (210, 1, 200))
    assert of_run(run(root=None), machine, {200: "tok"}) == {200, 210}


def test_what_undaunted_saw_is_known() -> None:
    """A member is found by its pid and its start, and not when another has its pid."""
    machine = table((200, 1, 200), (201, 1, 201))
    assert of_run(run(members=[(200, 7), (201, 6)]), machine, {}) == {200}


def test_what_was_found_once_is_found_again() -> None:
    """A child is known for good, also as an orphan with nothing else to tell it by."""
    guarded = run(members=[ROOT])
    of_run(guarded, table((100, 50, 100), (200, 100, 200)), {})
    assert of_run(guarded, table((200, 1, 200)), {}) == {200}


def test_all_in_the_cgroup_is_the_runs(tmp_path: Path) -> None:
    """Members of the group and of groups below it, which may be many or gone."""
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "cgroup.procs").write_text("200\n999\n")
    (below / "cgroup.procs").write_text("201\n")
    machine = table((200, 1, 200), (201, 1, 201))
    assert of_run(run(root=None, cgroup=str(tmp_path)), machine, {}) == {200, 201}
    assert of_run(run(root=None, cgroup=str(tmp_path / "gone")), machine, {}) == set()
