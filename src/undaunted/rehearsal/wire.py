"""What the rehearsal needs to know of a model API's wire format; one module speaks each format."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.faults import Fault

__all__ = [
    "ErrorReply",
    "Message",
    "ModelRequest",
    "Role",
    "UnreadableRequestError",
    "WireFormat",
    "estimate_tokens",
    "halves",
    "next_month",
    "server_sent_event",
    "text_pieces",
]

_MAX_PIECES = 100


class UnreadableRequestError(ValueError):
    """A request whose body does not have the format's shape."""


Role = Literal["user", "assistant", "tool"]
"""Who said something: the user, the model, or a tool with its result."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said before, whatever the format calls its sides.

    Attributes:
        role: Who said it.
        text: What was said; several parts are joined by line breaks.
    """

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to the model, whatever the format it came in.

    Attributes:
        model: The model's name.
        stream: Whether the answer is to be streamed.
        prompt_parts: The texts of the last user message that has any.
        messages: The conversation as far as it is text, in order, results of tools included. Calls
            of tools and the agents' own instructions (system, developer) are left out.
        tool_names: The tools that the request offers.
        tool_results: How many results of tool calls the conversation holds.
        input_tokens: A rough count of what was sent.
        schema: The JSON schema that the answer must fit, where one is asked for.
    """

    model: str
    stream: bool
    prompt_parts: tuple[str, ...]
    messages: tuple[Message, ...]
    tool_names: tuple[str, ...]
    tool_results: int
    input_tokens: int
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error as the API would send it: a JSON body, and headers beside those of every answer."""

    body: Mapping[str, object]
    headers: Mapping[str, str]


class WireFormat(Protocol):
    """How one model API reads requests and writes answers. A module can be one."""

    def read(self, path_params: Mapping[str, str], body: bytes) -> ModelRequest:
        """The request.

        Raises:
            UnreadableRequestError: The body does not have the format's shape.
        """
        ...

    def error(self, fault: Fault, number: int, now: datetime) -> ErrorReply:
        """The error that `fault`, one with a status, stands for.

        Args:
            fault: The fault.
            number: The model request's number, from 1, for ids.
            now: The present instant, for texts that name a time to come.
        """
        ...

    def message(self, request: ModelRequest, turn: Turn, number: int) -> Mapping[str, object]:
        """The whole answer as one JSON object."""
        ...

    def events(self, request: ModelRequest, turn: Turn, number: int) -> Sequence[bytes]:
        """The answer as a stream.

        The first half (rounded down) does not hold the end of the answer and, unless that is
        empty, holds a piece of it: there it can be cut.
        """
        ...

    def error_event(self) -> bytes:
        """An error as an event in a stream: the model is overloaded."""
        ...


def server_sent_event(data: Mapping[str, object], *, name: str | None = None) -> bytes:
    """One event of a stream, `data` as JSON on one line (WHATWG HTML, server-sent events)."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def text_pieces(text: str) -> list[str]:
    """`text` in the pieces in which it is streamed; joined they are the text again.

    A piece is a word, or as many words as keep the pieces at `_MAX_PIECES`: a long text as one
    event a word would be mostly framing.
    """
    words = re.findall(r"\s*\S+|\s+", text)
    size = math.ceil(len(words) / _MAX_PIECES) or 1
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)]


def halves(text: str) -> tuple[str, str]:
    """`text` in two pieces, so that there is a place to cut the arguments of a tool call."""
    middle = len(text) // 2
    return text[:middle], text[middle:]


def estimate_tokens(size: int) -> int:
    """Tokens in a text of `size` characters: a quarter, which is near the truth for English."""
    return max(1, size // 4)


def next_month(now: datetime) -> datetime:
    """The first instant (UTC) of the month after `now`, when monthly limits end."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
