"""What the rehearsal model API remembers of a request: enough to test with, and never a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from undaunted.rehearsal.wire import Message

__all__ = ["RecordedRequest"]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it reached the API.

    Headers and the query string are where clients put their keys: neither is kept.

    Attributes:
        method: The HTTP method.
        path: The path without its query string.
        received_at: When the request had been read (aware, UTC).
        body_bytes: Size of the body, in bytes.
        is_model_request: It asked the model for an answer. Pre-flights, token counts, unknown
            paths and requests that can't be read did not.
        model: The model it named; None where it is no model request.
        stream: Whether it asked for a stream.
        prompt_parts: The texts of the last user message that has any, in order. Agents put their
            own context into parts before the prompt.
        messages: The conversation that it carried, the prompt included: see `Message`.
        fault: The text form of the fault it met: `ok` for none.
    """

    method: str
    path: str
    received_at: datetime
    body_bytes: int
    is_model_request: bool = False
    model: str | None = None
    stream: bool = False
    prompt_parts: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    fault: str = "ok"

    @property
    def prompt(self) -> str:
        """The user's prompt as it arrived: the last of `prompt_parts`, or nothing."""
        return self.prompt_parts[-1] if self.prompt_parts else ""
