"""Understanding an agent's output: fed line by line while it runs, concluded when it has ended."""

from __future__ import annotations

import json
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast

from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.reset_times import MAX_AHEAD
from undaunted.agents.rules import Evidence, RuleSet, one_line
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import PermissionDenial, Usage

__all__ = [
    "Ending",
    "JsonObject",
    "OutputReader",
    "as_object",
    "as_text",
    "instant",
    "number",
    "objects_in",
    "whole_number",
]

JsonObject = dict[str, object]


def _signals(*names: str) -> frozenset[signal.Signals]:
    """Those of `names` that this platform has: Windows, which can only explain runs, lacks some."""
    return frozenset(s for s in signal.Signals if s.name in names)


# Somebody asked the process to end: a person, a shutdown, a supervisor. No fault of the agent.
_ASKED_TO_END = _signals("SIGTERM", "SIGINT", "SIGHUP")

_decode: Callable[[str], tuple[object, int]] = json.JSONDecoder().raw_decode

# Larger ones lose digits as JSON numbers; nothing that an agent counts comes near.
_LARGEST_NUMBER = 2**53

_AS_EXIT_CODE = {
    128 + number: number for number in _ASKED_TO_END | _signals("SIGABRT", "SIGKILL", "SIGSEGV")
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended and what is kept of its output.

    Attributes:
        exit_code: Its exit status, negative for a signal; None if nobody saw it end.
        stdout: What is kept of stdout.
        stderr: What is kept of stderr.
        text_mode: The agent was run without a structured output format: stdout is the answer.
    """

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    text_mode: bool = False

    @property
    def signal(self) -> signal.Signals | None:
        """The signal that ended the process; None if it ended by itself.

        A shell's `128 + n` counts for the signals that end processes in practice only: gemini's
        exit codes (an HTTP status modulo 256) lie in the same range.
        """
        if self.exit_code is None or self.exit_code >= 0:
            return _AS_EXIT_CODE.get(self.exit_code or 0)
        try:
            return signal.Signals(-self.exit_code)
        except ValueError:
            return None


@dataclass(slots=True)
class OutputReader(ABC):
    """What has been understood of one run so far. One reader reads one run."""

    session_id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    inner_retries: int = 0
    denials: list[PermissionDenial] = field(default_factory=list)
    errors: list[Evidence] = field(default_factory=list)
    """Error events, in the order in which they were printed."""

    @property
    @abstractmethod
    def rules(self) -> RuleSet:
        """The agent's failure rules."""

    @abstractmethod
    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one JSON object of stdout; returns what is worth showing at once."""

    @abstractmethod
    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""

    @abstractmethod
    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""

    @abstractmethod
    def evidence(self, ending: Ending) -> Iterable[Evidence]:
        """What speaks of a failure, strongest first."""

    def feed(self, line: bytes) -> RunNotice | None:
        """Takes in one line of stdout; what is no JSON object is left to `Ending.stdout`.

        Decoding by hand spares what `json.loads` does for every line: guessing among the encodings,
        looking for white space around it. A line costs a third less.
        """
        text = line.strip()
        if not text.startswith((b"{", b"[")):
            return None
        try:
            value, end = _decode(decoded := text.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):  # the latter: nested thousands deep
            return None
        if end != len(decoded):
            return None  # more than one value
        if isinstance(value, dict):
            return self.feed_event(cast("JsonObject", value))
        notice = None
        for event in objects_in(value):
            notice = self.feed_event(event) or notice
        return notice

    def feed_stderr(self, line: bytes) -> RunNotice | None:  # noqa: ARG002 - most say nothing there
        """Takes in one line of stderr; most agents say nothing there that can't wait."""
        return None

    def refuses_session(self, ending: Ending) -> bool:
        """Whether the run failed because the session that it was to continue can't be."""
        return any(self.rules.refuses_session(piece.text) for piece in self.evidence(ending))

    def conclude(
        self,
        ending: Ending,
        *,
        now: datetime,
        tz: tzinfo | None = None,
        max_ahead: timedelta = MAX_AHEAD,
    ) -> AgentResult:
        """How the run ended, by the evidence in its fixed order.

        Args:
            ending: The process's end.
            now: The instant of that end; aware.
            tz: The zone of times that name none; None is the machine's own.
            max_ahead: Ends of limits further away than this are not believed.
        """
        content = self.answer(ending)
        failure = None
        if content is None:
            pieces = list(self.evidence(ending))
            if ending.signal is not None:
                # What a killed process happened to print on the way (retry notices, say) does not
                # explain its end; what it stated as its result or error does.
                pieces = [p for p in pieces if p.source.endswith("event")]
            failure = self.rules.classify(
                pieces, now=now, tz=tz, max_ahead=max_ahead
            ) or _unexplained(ending, pieces)
            content = self.partial_answer()
        return self.result(content, failure, ending.exit_code)

    def result(
        self, content: str | None, failure: Failure | None, exit_code: int | None = None
    ) -> AgentResult:
        """What was understood so far, as the result of the run."""
        return AgentResult(
            content=content,
            failure=failure,
            agent_session_id=self.session_id,
            model=self.model,
            usage=self.usage,
            cost_usd=self.cost_usd,
            exit_code=exit_code,
            inner_retries=self.inner_retries,
            permission_denials=tuple(self.denials),
        )


def _unexplained(ending: Ending, pieces: Sequence[Evidence]) -> Failure:
    """A failure that no rule explains: by the way the process ended, then by what it said."""
    exited = f"exit code: {ending.exit_code}"
    if (number := ending.signal) is not None:
        asked = number in _ASKED_TO_END
        kind = FailureKind.INTERRUPTED if asked else FailureKind.CRASHED
        return Failure(kind, f"ended by {number.name} before it had a result", exited)
    said = next((p for p in pieces if p.text.strip()), None)
    if said is not None:
        return Failure(
            FailureKind.UNKNOWN, one_line(said.text, 500), f"{said.source}: no rule knows this text"
        )
    if ending.exit_code == 0:
        message = "ended with exit code 0 but without a result"
        return Failure(FailureKind.BROKEN_RESPONSE, message, exited)
    last_line = next((ln for ln in reversed(ending.stderr.splitlines()) if ln.strip()), None)
    words = f": {one_line(last_line, 300)}" if last_line else " and said nothing"
    return Failure(FailureKind.CRASHED, f"ended with exit code {ending.exit_code}{words}", exited)


def objects_in(value: object) -> list[JsonObject]:
    """The JSON objects that `value` is or lists."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return [cast("JsonObject", v) for v in values if isinstance(v, dict)]


def as_object(value: object) -> JsonObject:
    """`value` if it is a JSON object, else an empty one: nothing an agent prints is trusted."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def whole_number(value: object) -> int | None:
    """`value` as an int, or None if it is no `number`."""
    found = number(value)
    return None if found is None else int(found)


def number(value: object) -> float | None:
    """`value` if it is a number of at most 2^53 in size, else None.

    True and false are no numbers; neither are NaN and the infinities, which `json` takes for some.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= _LARGEST_NUMBER else None


def instant(value: object) -> datetime | None:
    """The instant that `value`, in Unix seconds, stands for; None if it stands for none."""
    seconds = number(value)
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # outside the calendar: milliseconds, say
