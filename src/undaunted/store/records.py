"""What the store gives out beside the records of `undaunted.tasks`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import uuid4

__all__ = ["Stream", "TaskFailureRecord", "TranscriptChunk"]

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailureRecord:
    """The record of a failed task (S13).

    Attributes:
        id: A UUID; made when not given.
        task_id: The task that failed.
        error_message: Why, for a person.
        attempted_agents: Names of the agents that were tried, in order. The row keeps them as the
            specification's comma-separated text, so that a name holds no comma.
        duration_s: From the task's acceptance to its failure, in seconds.
        timestamp: When it failed: aware, UTC.
    """

    task_id: str
    error_message: str
    attempted_agents: tuple[str, ...]
    duration_s: float
    timestamp: datetime
    id: str = field(default_factory=lambda: str(uuid4()))

    def __post_init__(self) -> None:
        """Refuses a name that the comma-separated text could not give back."""
        if any("," in name or not name for name in self.attempted_agents):
            raise ValueError(f"an agent's name is empty or holds a comma: {self.attempted_agents}")


@dataclass(frozen=True, slots=True)
class TranscriptChunk:
    """Bytes that an attempt's process printed.

    Attributes:
        number: The attempt's number.
        seq: Place in the attempt's output over both streams, from 0 without gaps.
        stream: Where it was printed.
        data: The bytes as they came; a chunk may end in the middle of a character.
    """

    number: int
    seq: int
    stream: Stream
    data: bytes
