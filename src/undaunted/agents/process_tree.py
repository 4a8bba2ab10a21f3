"""Finds the processes that came of one child, wherever they went, and ends them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping

from undaunted.agents.cgroup import Cgroup
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.process_table import ProcessEntry, ProcessTable

__all__ = ["KILL_WAIT_S", "ProcessTree", "carries_mark"]

KILL_WAIT_S = 5.0
"""How long SIGKILL may take. The kernel is done in milliseconds, unless the process is stuck inside
it (state D: a dead network disk) or belongs to another user: waiting longer helps neither."""

# Between two looks at a tree that is ending: it starts short, since most obey in milliseconds.
_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05


def carries_mark(value: str | None, mark: str) -> bool:
    """Whether a process with this UNDAUNTED_ATTEMPT is of the attempt `mark`, or nested in it."""
    return value is not None and (value == mark or value.startswith(f"{mark}/"))


class ProcessTree:
    """A child and all that came of it.

    At a look, a process belongs to the tree when it is the child, its parent or the leader of its
    session belongs, its session is the child's, its environment carries the attempt's mark, or it
    is in the run's cgroup; once it belongs, it always does. So a tool in a session of its own is
    found though its parent died (agents leave such tools running when they are ended), and a nested
    undaunted's processes are.

    Not found without a cgroup is a process that left the session, cleared its environment and lost
    its parent, all between two looks.

    Args:
        pid: The child's process id; it leads a session of its own.
        mark: The child's value of UNDAUNTED_ATTEMPT; "" where it has none.
        table: How to look at the machine's processes.
        cgroup: The run's own, if it has one.
        send: Sends a signal to a process id.
    """

    def __init__(
        self,
        pid: int,
        mark: str,
        *,
        table: ProcessTable,
        cgroup: Cgroup | None = None,
        send: Callable[[int, int], None] = os.kill,
    ) -> None:
        self._pid = pid
        self._mark = mark
        self._table = table
        self._cgroup = cgroup
        self._send = send
        # As of the last look; None before the first, when the child is known by its pid alone.
        self._members: frozenset[tuple[int, float]] | None = None

    def look(self) -> list[ProcessEntry]:
        """Returns the tree's living processes and remembers them.

        The answer holds for a moment only: signals have to follow at once, before another process
        can get the same pid.
        """
        inside = self._cgroup.pids() if self._cgroup else frozenset[int]()
        living = self._table.read()
        session = self._session(living)
        own = {
            pid
            for pid, entry in living.items()
            if pid in inside or entry.session_id == session or self._belongs(entry)
        }
        # A child may stand before its parent: repeated until no new one is found.
        found = own
        while found:
            found = {
                e.pid for e in living.values() if e.parent_pid in found or e.session_id in found
            } - own
            own |= found
        members = [living[pid] for pid in sorted(own)]
        # Those that are gone since the last look don't come back: an identity is nobody else's.
        self._members = frozenset(member.identity for member in members)
        return members

    def gather(self) -> list[ProcessEntry]:
        """Moves into the cgroup what the child started before it was moved there; then a look.

        What is being forked meanwhile is found in the next round, until there is nothing outside.
        """
        members = self.look()
        tried: set[int] = set()
        while self._cgroup and (
            strays := {entry.pid for entry in members} - self._cgroup.pids() - tried
        ):
            tried |= strays  # one that can't be moved is still found as it is without a cgroup
            for pid in strays:
                self._cgroup.enter(pid)
            members = self.look()
        return members

    async def end(self, *, grace_s: float, kill_wait_s: float = KILL_WAIT_S) -> list[ProcessEntry]:
        """Asks every process to end (TERM), ends it after the grace (KILL), returns what is left.

        Returns as soon as nothing is alive: a tree that obeys does not cost the grace.

        Args:
            grace_s: Seconds between TERM and KILL.
            kill_wait_s: Seconds to wait for KILL to have worked.
        """
        # A stopped process gets its TERM only when it goes on.
        if not await self._tell(signal.SIGTERM, signal.SIGCONT, within_s=grace_s):
            return []
        if self._cgroup:
            self._cgroup.kill()
        return await self._tell(signal.SIGKILL, within_s=kill_wait_s)

    def kill_known(self) -> None:
        """Sends KILL to the members of the last look, for when no further look is possible.

        Without a look another process could have got a number since; that takes the kernel
        thousands of new ones within seconds.
        """
        for pid, _ in self._members or {(self._pid, 0.0)}:
            self._signal(pid, (signal.SIGKILL,))

    def _session(self, living: Mapping[int, ProcessEntry]) -> int | None:
        """The child's session, while that is its number: afterwards another may bear it."""
        leader = living.get(self._pid)
        if leader is None or self._members is None or leader.identity in self._members:
            return self._pid
        return None

    def _belongs(self, entry: ProcessEntry) -> bool:
        if self._members is None:
            if entry.pid == self._pid:
                return True  # the first look: later its number may be another's
        elif entry.identity in self._members:
            return True
        return bool(self._mark) and carries_mark(
            self._table.variable(entry.pid, ATTEMPT_VARIABLE), self._mark
        )

    async def _tell(self, *signals: signal.Signals, within_s: float) -> list[ProcessEntry]:
        """Sends the signals once to each process, also to those that appear meanwhile."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + within_s
        pause_s = _FIRST_PAUSE_S
        told: set[tuple[int, float]] = set()
        while alive := self.look():
            for entry in alive:
                if entry.identity not in told:
                    told.add(entry.identity)
                    self._signal(entry.pid, signals)
            if loop.time() >= give_up_at:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return alive

    def _signal(self, pid: int, signals: tuple[signal.Signals, ...]) -> None:
        for number in signals:
            try:
                self._send(pid, number)
            except ProcessLookupError:
                return  # it ended since the look
            except PermissionError:
                return  # another user's (sudo): it stays, and the caller reports it
