"""Which processes belong to an attempt, and in what order they are asked to end."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

import pytest

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

    def tree(self, mark: str = "tok") -> ProcessTree:
        table = ProcessTable(lambda: dict(self.entries), lambda pid, _: self.marks.get(pid))
        return ProcessTree(ROOT, mark, table=table, send=self.send)

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
