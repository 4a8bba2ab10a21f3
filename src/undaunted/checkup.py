"""What `doctor` finds of one login of an agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from undaunted.agents.agent import Availability, Inspection
from undaunted.agents.credentials import Credential
from undaunted.health import AgentHealth
from undaunted.tasks import TaskRecord, TaskState

__all__ = ["Checkup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """One login of an agent, looked at.

    Attributes:
        key: `agent`, or `agent/account`.
        availability: Whether it could be started, and where it is.
        credential: What it would log in with; None where nothing was found.
        health: Its breaker.
        inspection: What its program says of itself; None if it can't be started.
        probe: The task by which its model was asked; None if it was not.
    """

    key: str
    availability: Availability
    credential: Credential | None
    health: AgentHealth
    inspection: Inspection | None = None
    probe: TaskRecord | None = None

    @property
    def ready(self) -> bool:
        """Whether a task could be done by it now, as far as was looked."""
        if self.probe is not None:
            return self.probe.state is TaskState.SUCCEEDED
        return self.may_be_asked and self.credential is not None

    @property
    def may_be_asked(self) -> bool:
        """Whether nothing that is known speaks against it but, it may be, a missing login."""
        return (
            self.availability.usable
            and not self.health.closed_reason
            and (self.inspection is None or not self.inspection.problem)
        )

    def notes(self) -> Iterator[str]:
        """What a person should know, the worst first."""
        if not self.availability.usable:
            yield self.availability.reason
            return
        if self.probe is not None and self.probe.error_message:
            yield f"the probe failed: {self.probe.error_message}"
        elif self.probe is not None:
            return
        if self.health.closed_reason:
            yield f"its circuit breaker is open: {self.health.closed_reason}"
        if self.credential is None:
            yield "no credential was found in its usual places: log in with it, or set its key"
        elif self.credential.withheld:
            names = ", ".join(self.credential.withheld)
            yield f"{names} is kept from it, so that {self.credential.source} is used"
        if self.inspection is not None:
            yield from _of_program(self.inspection)


def _of_program(found: Inspection) -> Iterator[str]:
    tested = found.tested_version
    if found.problem:
        yield f"its program can't be asked: {found.problem}"
    elif found.version_state == "other_major":
        yield f"version {found.version} is of another major than the tested {tested}: try it first"
    elif found.version_state in {"newer", "older"}:
        yield f"version {found.version} is {found.version_state} than the tested {tested}"
    elif found.version_state == "unknown":
        yield f"it does not say its version; {tested} was tested"
    if found.missing_flags:
        yield f"its help does not name {', '.join(found.missing_flags)}, which undaunted uses"
