"""Which processes belong to an attempt, and in what order they are asked to end."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from undaunted.agents.cgroup import Cgroup
from undaunted.agents.process_table import ProcessEntry, ProcessTable
from undaunted.agents.process_tree import ProcessTree

ROOT = 100


@dataclass
class Machine:
    """A machine's processes, as a table that a test fills."""

    entries: dict[int, ProcessEntry] = field(default_factory=dict)
    marks: dict[int, str] = field(default_factory=dict)
    sent: list[tuple[int, int]] = field(default_factory=list)
    deaf: bool = False

    def add(
        self, pid: int, *, parent: int = 1, session: int = 1, mark: str = "", started: float = 0
    ) -> None:
        self.entries[pid] = ProcessEntry(pid, parent, session, started, f"p{pid}")
        if mark:
            self.marks[pid] = mark

    def tree(self, mark: str = "tok", group: Cgroup | None = None) -> ProcessTree:
        table = ProcessTable(lambda: dict(self.entries), lambda pid, _: self.marks.get(pid))
        return ProcessTree(ROOT, mark, table=table, cgroup=group, send=self.send)

    def send(self, pid: int, number: int) -> None:
        self.sent.append((pid, number))
        if number == signal.SIGKILL and not self.deaf:
            del self.entries[pid]


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.add(1)
    machine.add(50, mark="other")
    machine.add(ROOT, parent=50, session=ROOT)
    return machine


def pids(tree: ProcessTree) -> list[int]:
    return [entry.pid for entry in tree.look()]


def test_strangers_are_not_of_the_tree(machine: Machine) -> None:
    """The parent, the system and another attempt's processes are none of ours."""
    assert pids(machine.tree()) == [ROOT]


def test_children_are_found_in_any_order(machine: Machine) -> None:
    """A descendant belongs whether it is listed before or after its parent."""
    machine.add(200, parent=ROOT, session=200)
    machine.add(90, parent=200, session=90)
    machine.add(300, parent=90, session=300)
    assert pids(machine.tree()) == [90, ROOT, 200, 300]


def test_an_orphan_is_found_by_its_session(machine: Machine) -> None:
    """A process that lost its parent but not its session belongs."""
    machine.add(200, session=ROOT)
    assert pids(machine.tree()) == [ROOT, 200]


@pytest.mark.parametrize("mark", ["tok", "tok/inner", "tok/inner/most"])
def test_an_orphan_is_found_by_its_mark(machine: Machine, mark: str) -> None:
    """A process that lost parent and session belongs by its mark, also a nested one."""
    machine.add(200, session=200, mark=mark)
    assert pids(machine.tree()) == [ROOT, 200]


@pytest.mark.parametrize("mark", ["token", "to", "x/tok", "TOK"])
def test_a_similar_mark_is_another(machine: Machine, mark: str) -> None:
    """Only the whole mark counts."""
    machine.add(200, session=200, mark=mark)
    assert pids(machine.tree()) == [ROOT]


def test_without_a_mark_only_family_counts(machine: Machine) -> None:
    """An empty mark matches nothing, an empty value least of all."""
    machine.add(200, session=200)
    machine.marks[200] = ""
    assert pids(machine.tree(mark="")) == [ROOT]


def test_what_belonged_once_belongs_for_ever(machine: Machine) -> None:
    """A descendant seen while it had its parent is still known as an orphan."""
    machine.add(200, parent=ROOT, session=200)
    tree = machine.tree()
    tree.look()
    del machine.entries[ROOT]
    machine.add(200, parent=1, session=200)
    assert pids(tree) == [200]


def test_a_pid_used_again_is_a_stranger(machine: Machine) -> None:
    """Another process with a known pid does not belong."""
    machine.add(200, parent=ROOT, session=200)
    tree = machine.tree()
    tree.look()
    machine.add(200, parent=1, session=200, started=7)
    assert pids(tree) == [ROOT]


def test_a_session_whose_number_is_used_again_is_a_strangers(machine: Machine) -> None:
    """Once another process has the child's number, a session of that number is not ours."""
    tree = machine.tree()
    tree.look()
    machine.add(ROOT, session=ROOT, started=7)
    machine.add(200, session=ROOT)
    assert pids(tree) == []


def test_a_session_that_a_member_leads_is_ours(machine: Machine) -> None:
    """An orphan without environment, in the session of a tool that is still there."""
    machine.add(200, session=200, mark="tok")
    machine.add(210, session=200)
    assert pids(machine.tree()) == [ROOT, 200, 210]


class Group(Cgroup):
    """A cgroup without a kernel: it knows who was moved into it."""

    def __init__(self, machine: Machine, *inside: int, refused: int = 0) -> None:
        super().__init__(Path("/nowhere"))
        self.inside = {*inside}
        self.refused = refused
        self.machine = machine

    def enter(self, pid: int) -> bool:
        if pid == self.refused:
            return False
        self.inside.add(pid)
        if pid == 200:  # it has forked in the meantime
            self.machine.add(201, parent=200, session=200)
        return True

    def pids(self) -> frozenset[int]:
        return frozenset(self.inside)

    def kill(self) -> None:
        for pid in self.inside:
            self.machine.send(pid, signal.SIGKILL)


def test_who_is_in_the_group_belongs(machine: Machine) -> None:
    """A process in the run's cgroup is the run's, whatever else it hides."""
    machine.add(200, session=200)
    machine.add(210, session=210)
    assert pids(machine.tree(group=Group(machine, ROOT, 200))) == [ROOT, 200]


def test_those_outside_are_gathered(machine: Machine) -> None:
    """What was started before the child was moved is moved too, and what that has started."""
    machine.add(200, parent=ROOT, session=200)
    group = Group(machine, ROOT)
    assert [e.pid for e in machine.tree(group=group).gather()] == [ROOT, 200, 201]
    assert group.inside == {ROOT, 200, 201}


def test_one_that_can_not_be_moved_is_asked_once(machine: Machine) -> None:
    """A process that stays outside is a member all the same, and nothing waits for it."""
    machine.add(300, parent=ROOT, session=300)
    group = Group(machine, ROOT, refused=300)
    assert [e.pid for e in machine.tree(group=group).gather()] == [ROOT, 300]


async def test_the_group_is_killed_after_the_grace(machine: Machine) -> None:
    """TERM goes to each; what is then left goes with the group."""
    machine.add(200, session=200)
    group = Group(machine, ROOT, 200)
    assert await machine.tree(group=group).end(grace_s=0) == []
    assert [number for _, number in machine.sent][-2:] == [signal.SIGKILL, signal.SIGKILL]
    assert len(machine.sent) == 6


async def test_the_end_is_asked_for_and_then_made(machine: Machine) -> None:
    """TERM (and CONT, for what is stopped) go first, KILL to what is left."""
    machine.add(200, parent=ROOT)
    assert await machine.tree().end(grace_s=0) == []
    assert machine.sent == [
        (ROOT, signal.SIGTERM),
        (ROOT, signal.SIGCONT),
        (200, signal.SIGTERM),
        (200, signal.SIGCONT),
        (ROOT, signal.SIGKILL),
        (200, signal.SIGKILL),
    ]


async def test_what_can_not_be_ended_is_reported(machine: Machine) -> None:
    """A process that survives KILL is named after a bounded wait, not waited for."""
    machine.deaf = True
    survivors = await machine.tree().end(grace_s=0, kill_wait_s=0)
    assert [entry.pid for entry in survivors] == [ROOT]


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
async def test_a_signal_that_can_not_be_sent_is_no_fault(
    machine: Machine, error: type[OSError]
) -> None:
    """A process that just ended, or is another user's, keeps no other from being ended."""

    def send(pid: int, number: int) -> None:
        if pid == 200:
            raise error
        machine.send(pid, number)

    machine.add(200, parent=ROOT)
    tree = machine.tree()
    tree._send = send
    survivors = await tree.end(grace_s=0, kill_wait_s=0)
    assert (ROOT, signal.SIGKILL) in machine.sent
    assert [entry.pid for entry in survivors][-1] == 200


async def test_a_tree_that_is_gone_costs_nothing(machine: Machine) -> None:
    """Nothing is signalled where nothing is alive."""
    del machine.entries[ROOT]
    assert await machine.tree().end(grace_s=60) == []
    assert machine.sent == []
