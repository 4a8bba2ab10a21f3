"""The agents' circuit breakers, kept in the store and shared by every process on it.

The rules are `resilience.CircuitBreaker`'s; each decision restores one from its row, asks it, and
writes it back, in one transaction. What a failure does to the breaker is its kind's row in the
table of `failures.py`: it counts, it opens the breaker until a stated time, or until a person (or
a changed credential) closes it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ParamSpec, Protocol, TypeVar

from undaunted import breaker_rows
from undaunted.durations import format_duration
from undaunted.errors import StoreError
from undaunted.failures import AttemptFailedError, Failure, FailureKind, KindRule
from undaunted.health_records import HealthKey, HealthRow
from undaunted.resilience.breaker.breaker import CircuitBreaker
from undaunted.resilience.breaker.snapshot import CircuitState
from undaunted.resilience.clock import Clock
from undaunted.resilience.errors import CircuitOpenError
from undaunted.resilience.policy import Policy
from undaunted.tasks import agent_key
from undaunted.uninterrupted import uninterrupted

__all__ = ["AgentHealth", "Figures", "Health", "HealthRows"]

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# An opened breaker is seen by every process within this time.
_SHARED_WITHIN_S = 1.0

# Of a quota's return: at most this, and at most this share of the time until then.
_RESET_JITTER = timedelta(seconds=30)
_RESET_JITTER_SHARE = 0.05

Figures = Callable[[], tuple[float | None, float | None]]
"""Gives duration in seconds and cost in US dollars of the attempt that just ended."""

OnAdmit = Callable[[bool], None]
"""Told of each attempt that is let in: whether one failure that counts would open the breaker."""

OnOpen = Callable[[str, datetime | None], None]
"""Told why a breaker opened, and until when (None: until a person closes it)."""


class HealthRows(Protocol):
    """What is needed of the store."""

    async def health(self) -> dict[HealthKey, HealthRow]:
        """Every row there is."""
        ...

    def health_update(self, key: HealthKey) -> AbstractAsyncContextManager[HealthRow]:
        """One transaction on one row: what is changed in it is written."""
        ...

    async def delete_health(self, agent: str | None = None, account: str | None = None) -> int:
        """Forgets the rows of an agent, of one login, or of all; returns how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """One breaker as it stands at an instant.

    Attributes:
        state: Closed, open or half open; an open breaker whose time has come is half open.
        closed_reason: Why it lets nobody through now; empty if it lets somebody through.
        back_at: When it lets a probe through, where that is known.
        probe_due: The next attempt is the probe.
        row: All that is kept.
    """

    state: CircuitState = CircuitState.CLOSED
    closed_reason: str = ""
    back_at: datetime | None = None
    probe_due: bool = False
    row: HealthRow | None = None

    def unless_changed(self, credential_mark: str) -> AgentHealth:
        """This health, or a fresh one if the breaker was opened with another credential."""
        return AgentHealth() if breaker_rows.outdated(self.row, credential_mark) else self


class Health:
    """Looks after the breakers of all agents.

    Args:
        rows: Where they are kept.
        clock: Where time comes from.
        failure_threshold: Consecutive failures that count and open a breaker.
        open_s: How long it stays open then, in seconds.
        new_id: Gives a fresh id, for the claim of a probe.
        uniform: Uniform numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        rows: HealthRows,
        *,
        clock: Clock,
        failure_threshold: int,
        open_s: float,
        new_id: Callable[[], str],
        uniform: Callable[[], float],
    ) -> None:
        self._uniform = uniform
        self._rows = rows
        self.clock = clock
        self._failure_threshold = failure_threshold
        self._open_s = open_s
        self._new_id = new_id

    async def report(self) -> dict[HealthKey, AgentHealth]:
        """Every breaker that has a row, as it stands now, in the order of the keys."""
        return {key: self._look(key, row) for key, row in (await self._rows.health()).items()}

    async def reset(self, agent: str | None = None, account: str | None = None) -> int:
        """Closes an agent's or a login's breakers, or all, and forgets their figures.

        Returns:
            How many there were.
        """
        return await self._rows.delete_health(agent, account)

    def breaker(
        self,
        key: HealthKey,
        *,
        credential_mark: str,
        lease_s: float,
        figures: Figures,
        on_admit: OnAdmit,
        on_open: OnOpen,
        known: AgentHealth | None = None,
    ) -> Policy:
        """The policy that runs an attempt under the breaker of `key`.

        Args:
            key: Whose breaker.
            known: The breaker as it was read this moment; the first attempt asks no second time.
            credential_mark: The agent's present credential.
            lease_s: How long a probe's claim holds if its claimant never comes back, in seconds.
            figures: Of the attempt that just ended.
            on_admit: Told of each attempt that is let in.
            on_open: Told when the attempt opened the breaker.
        """
        return _SharedBreaker(
            self,
            key,
            credential_mark=credential_mark,
            lease_s=lease_s,
            figures=figures,
            on_admit=on_admit,
            on_open=on_open,
            known=known,
        )

    async def admit(
        self,
        key: HealthKey,
        credential_mark: str,
        lease_s: float,
        known: AgentHealth | None = None,
    ) -> Admission:
        """Lets an attempt through, as the probe if one is due.

        Raises:
            CircuitOpenError: The breaker lets nobody through; says until when.
        """
        row = known.row if known else (await self._rows.health()).get(key)
        if row is None or (row.state == CircuitState.CLOSED and not row.isolated):
            # The common case reads only; whoever opens the breaker in this instant is seen by the
            # next attempt.
            failures = row.failure_count if row else 0
            last_chance = failures + 1 >= self._failure_threshold
            return Admission(row.generation if row else 0, last_chance=last_chance)
        async with self._rows.health_update(key) as row:
            if breaker_rows.outdated(row, credential_mark):
                breaker_rows.close(row)
                return Admission(row.generation, last_chance=self._failure_threshold == 1)
            seen = self._look(key, row)
            if seen.closed_reason:
                raise _refusal(key, seen, self.clock.now())
            breaker = self._breaker_of(row)
            breaker.acquire()
            breaker_rows.store(breaker, row)
            if breaker.state is CircuitState.CLOSED:
                last_chance = row.failure_count + 1 >= self._failure_threshold
                return Admission(row.generation, last_chance=last_chance)
            row.probe_token = self._new_id()
            row.probe_until = self.clock.now() + timedelta(seconds=lease_s)
            return Admission(row.generation, row.probe_token, last_chance=True)

    async def settle(
        self,
        key: HealthKey,
        admission: Admission,
        failure: Failure | None,
        *,
        credential_mark: str,
        figures: tuple[float | None, float | None],
    ) -> AgentHealth | None:
        """Writes down how an admitted attempt ended.

        Returns:
            The breaker as it stands now if this attempt opened it, else None.
        """
        async with self._rows.health_update(key) as row:
            breaker_rows.count(row, failure, figures, self.clock.now())
            breaker = self._breaker_of(row)
            was_open, generation = breaker.state is CircuitState.OPEN, row.generation
            if self._is_current(row, admission):
                permit = breaker.acquire()
                if failure is None:
                    permit.success()
                elif failure.counts_for_breaker:
                    permit.failure()
                else:
                    permit.release()
            if failure is not None:
                self._apply_limit(breaker, failure)
            breaker_rows.store(breaker, row)
            if (
                admission.probe_token == row.probe_token
                or breaker.state is not CircuitState.HALF_OPEN
            ):
                row.probe_token = row.probe_until = None  # else it is another attempt's claim
            opened = breaker.state is CircuitState.OPEN and not was_open
            if breaker.state is not CircuitState.OPEN:
                row.credential_mark = None
            elif row.generation != generation:  # else somebody else opened it
                row.credential_mark = credential_mark
            return self._look(key, row) if opened else None

    async def give_back(self, key: HealthKey, admission: Admission) -> None:
        """Frees the probe's place of an attempt that says nothing of the agent."""
        if admission.probe_token is None:
            return
        async with self._rows.health_update(key) as row:
            if row.probe_token == admission.probe_token:
                row.probe_token = row.probe_until = None

    def _apply_limit(self, breaker: CircuitBreaker, failure: Failure) -> None:
        rule = failure.rule
        if not rule.closes_agent:
            return
        if rule.needs_person:
            breaker.isolate()
        elif failure.resets_at is not None:
            breaker.open_until_at(failure.resets_at + self._jitter(failure.resets_at, rule))
        elif rule.default_closed_s is not None:
            breaker.open_for(rule.default_closed_s)

    def _jitter(self, resets_at: datetime, rule: KindRule) -> timedelta:
        """What a quota's return is put off by, so that not everybody comes on the full hour."""
        if rule.default_closed_s is None:
            return timedelta()  # a rate limit: its time is for this one caller
        wait = max(resets_at - self.clock.now(), timedelta())
        return self._uniform() * min(_RESET_JITTER, wait * _RESET_JITTER_SHARE)

    def _is_current(self, row: HealthRow, admission: Admission) -> bool:
        if admission.probe_token is not None:
            return row.probe_token == admission.probe_token
        return row.generation == admission.generation and row.state == CircuitState.CLOSED

    def _look(self, key: HealthKey, row: HealthRow) -> AgentHealth:
        breaker = self._breaker_of(row)
        state = breaker.state
        now = self.clock.now()
        reason, back_at = "", None
        if row.isolated:
            login = agent_key(key.agent, key.account)
            reason = f"{breaker_rows.why(row)}; mend it, then: undaunted agents reset {login}"
        elif state is CircuitState.OPEN:
            back_at = breaker.open_until
            left_s = (back_at - now).total_seconds() if back_at else 0.0
            reason = f"{breaker_rows.why(row)}; back in {format_duration(max(0.0, left_s))}"
        elif state is CircuitState.HALF_OPEN and row.probe_until and row.probe_until > now:
            reason, back_at = "another run probes it now", row.probe_until
        probe_due = state is CircuitState.HALF_OPEN and not reason
        return AgentHealth(state, reason, back_at, probe_due, row)

    def _breaker_of(self, row: HealthRow) -> CircuitBreaker:
        breaker = CircuitBreaker(self._failure_threshold, self._open_s, clock=self.clock)
        breaker.restore(breaker_rows.snapshot_of(row))
        limited = row.last_kind == FailureKind.RATE_LIMITED
        tripped = row.failure_count >= self._failure_threshold
        if breaker.state is CircuitState.HALF_OPEN and limited and not tripped:
            # Its time was stated and has come: nothing has to be probed, and nobody refused.
            breaker.reset()
        return breaker


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave for one attempt.

    Attributes:
        generation: The breaker's as of now.
        probe_token: The claim of the probe; None for an attempt that is none.
        last_chance: One failure that counts opens the breaker.
    """

    generation: int
    probe_token: str | None = None
    last_chance: bool = False


class _SharedBreaker(Policy):
    """A breaker of the store as a policy."""

    def __init__(
        self,
        health: Health,
        key: HealthKey,
        *,
        credential_mark: str,
        lease_s: float,
        figures: Figures,
        on_admit: OnAdmit,
        on_open: OnOpen,
        known: AgentHealth | None,
    ) -> None:
        self._on_admit = on_admit
        self._known = known
        self._known_since_s = health.clock.monotonic()
        self._health = health
        self._key = key
        self._credential_mark = credential_mark
        self._lease_s = lease_s
        self._figures = figures
        self._on_open = on_open

    def bind(self, inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        """Returns a function that runs `inner`, or raises CircuitOpenError without running it."""

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            admission = await self._health.admit(
                self._key, self._credential_mark, self._lease_s, self._take_known()
            )
            self._on_admit(admission.last_chance)
            try:
                result = await inner(*args, **kwargs)
            except AttemptFailedError as error:
                await self._settle(admission, error.failure)
                raise
            except BaseException:
                # Cancelled, or a fault of ours: it says nothing of the agent.
                with contextlib.suppress(StoreError):  # then the claim ends with its lease
                    await uninterrupted(self._health.give_back(self._key, admission))
                raise
            try:
                await self._settle(admission, None)
            except StoreError as error:
                # A figure is worth less than an answer, which is in hand.
                _log.warning("the success of %s was not counted: %s", self._key, error)
            return result

        return call

    def _take_known(self) -> AgentHealth | None:
        """What was read with the choice, for one attempt that follows within a second."""
        known, self._known = self._known, None
        age_s = self._health.clock.monotonic() - self._known_since_s
        return known if age_s < _SHARED_WITHIN_S else None

    async def _settle(self, admission: Admission, failure: Failure | None) -> None:
        opened = await uninterrupted(
            self._health.settle(
                self._key,
                admission,
                failure,
                credential_mark=self._credential_mark,
                figures=self._figures(),
            )
        )
        if opened is not None and opened.row is not None:
            self._on_open(breaker_rows.why(opened.row), opened.back_at)


def _refusal(key: HealthKey, seen: AgentHealth, now: datetime) -> CircuitOpenError:
    return CircuitOpenError(
        f"{key}: {seen.closed_reason}",
        retry_after_s=(seen.back_at - now).total_seconds() if seen.back_at else None,
        open_until=seen.back_at,
        isolated=bool(seen.row and seen.row.isolated),
    )
