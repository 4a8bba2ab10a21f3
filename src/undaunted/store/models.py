"""The tables. No object of this module leaves the store: records do (`conversion`)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    Double,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from undaunted.store.types import UtcDateTime, WellFormedText
from undaunted.tasks import AttemptOutcome, TaskState

__all__ = [
    "AgentHealthModel",
    "AttemptModel",
    "Model",
    "StoredKeyModel",
    "TaskFailure",
    "TaskModel",
    "TranscriptModel",
]

# None is SQL's NULL: JSON's own `null` would be a value that `IS NULL` doesn't find.
_JSON = JSON(none_as_null=True)


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


def _words(enum: type[StrEnum]) -> Enum:
    """Text on every database, checked when it is read: PostgreSQL's enums are hard to extend."""
    return Enum(enum, native_enum=False, length=16, values_callable=_values)


class Model(DeclarativeBase):
    """What all tables share: names of constraints, and types per annotation."""

    # Without names, a migration could neither change nor drop a constraint later.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: WellFormedText(),
        float: Double(),
        datetime: UtcDateTime(),
        TaskState: _words(TaskState),
        AttemptOutcome: _words(AttemptOutcome),
    }


class TaskModel(Model):
    """`tasks.TaskRecord`, and the token of the attempt whose result counts."""

    __tablename__ = "tasks"
    __table_args__ = (Index(None, "created_at", "id"), Index(None, "state"))

    id: Mapped[str] = mapped_column(primary_key=True)
    prompt: Mapped[str]
    cwd: Mapped[str | None]
    permissions: Mapped[str]
    agents: Mapped[list[str]] = mapped_column(_JSON)
    models: Mapped[dict[str, str]] = mapped_column(_JSON)
    agent_args: Mapped[dict[str, list[str]]] = mapped_column(_JSON)
    env_names: Mapped[list[str]] = mapped_column(_JSON)
    session_id: Mapped[str | None]
    timeout_s: Mapped[float]
    idle_timeout_s: Mapped[float]
    deadline_s: Mapped[float]
    max_wait_s: Mapped[float]
    max_attempts: Mapped[int]

    state: Mapped[TaskState]
    token: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    waiting_until: Mapped[datetime | None]
    agent: Mapped[str | None]
    account: Mapped[str | None]
    model: Mapped[str | None]
    content: Mapped[str | None]
    agent_session_id: Mapped[str | None]
    switches: Mapped[int] = mapped_column(default=0)
    error_kind: Mapped[str | None]
    error_code: Mapped[str | None]
    error_detail_code: Mapped[str | None]
    error_message: Mapped[str | None]
    retry_after_s: Mapped[float | None]

    # `raise`: an attempt that was not asked for is a bug to see, not a query to hide.
    attempts: Mapped[list[AttemptModel]] = relationship(
        order_by="AttemptModel.number", lazy="raise", viewonly=True
    )


class AttemptModel(Model):
    """`tasks.Attempt`; its row is there before its process starts."""

    __tablename__ = "attempts"

    task_id: Mapped[str] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    agent: Mapped[str]
    account: Mapped[str]
    model: Mapped[str | None]
    token: Mapped[str]
    started_at: Mapped[datetime]
    reason_chosen: Mapped[str]
    duration_s: Mapped[float | None]
    outcome: Mapped[AttemptOutcome | None]
    kind: Mapped[str | None]
    action: Mapped[str | None]
    message: Mapped[str | None]
    evidence: Mapped[str | None]
    exit_code: Mapped[int | None]
    retry_after_s: Mapped[float | None]
    resets_at: Mapped[datetime | None]
    inner_retries: Mapped[int]
    permission_denials: Mapped[list[dict[str, str]]] = mapped_column(_JSON)
    usage: Mapped[dict[str, int | None] | None] = mapped_column(_JSON)
    cost_usd: Mapped[float | None]
    agent_session_id: Mapped[str | None]
    command: Mapped[list[str]] = mapped_column(_JSON)


class TaskFailure(Model):
    """The specification's record of a failed task (S13), in its own column names."""

    __tablename__ = "task_failures"
    __table_args__ = (Index(None, "timestamp", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    error_message: Mapped[str]
    attempted_agents: Mapped[str]
    duration: Mapped[float]
    timestamp: Mapped[datetime]


class AgentHealthModel(Model):
    """`health_records.HealthRow`: one breaker and its figures; model "" is the agent's default."""

    __tablename__ = "agent_health"

    agent: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    failure_count: Mapped[int]
    opened_at: Mapped[datetime | None]
    open_until: Mapped[datetime | None]
    isolated: Mapped[bool]
    generation: Mapped[int]
    probe_token: Mapped[str | None]
    probe_until: Mapped[datetime | None]
    credential_mark: Mapped[str | None]
    last_kind: Mapped[str | None]
    last_message: Mapped[str | None]
    last_failure_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    attempts: Mapped[int]
    successes: Mapped[int]
    failures: Mapped[int]
    total_duration_s: Mapped[float]
    total_cost_usd: Mapped[float]
    updated_at: Mapped[datetime]


class StoredKeyModel(Model):
    """`key_store.KeyRow`: the key of one of an agent's logins; never in plain."""

    __tablename__ = "stored_keys"

    agent: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    variable: Mapped[str]
    token: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TranscriptModel(Model):
    """A chunk of what an attempt's process printed; `seq` counts over both streams."""

    __tablename__ = "transcripts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["task_id", "number"], ["attempts.task_id", "attempts.number"], ondelete="CASCADE"
        ),
    )

    task_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str]
    data: Mapped[bytes] = mapped_column(LargeBinary)
