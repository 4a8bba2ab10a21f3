"""Reads the output of an agent that a person described: text, one JSON document, or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.described_events import (
    first_document,
    holds,
    text_at,
    total_at,
    values_at,
)
from undaunted.agents.line_reader import LINE_MAX_BYTES
from undaunted.agents.provider_rules import PROVIDER_GENERAL, PROVIDER_SPECIFIC
from undaunted.agents.reader import Ending, JsonObject, OutputReader, instant, whole_number
from undaunted.agents.reset_times import MAX_AHEAD
from undaunted.agents.rules import Evidence, RuleSet, TextRule, one_line
from undaunted.descriptions import Description, ErrorPlace, RetryPlace, UsagePlaces
from undaunted.tasks import Usage

__all__ = ["DescribedReader"]

_NOTICE_MAX_CHARS = 160

# A session's id becomes an argument when the session is continued: it must not be an option, and
# nothing that a program could mistake for something else.
_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,199}")

# "HTTP 429", "status code: 502", "APIError: 529", "rejected (429)", '"code": 429'; an exit code is
# no status.
_STATUS_IN_TEXT = re.compile(
    r"(?:\bHTTP(?:/[\d.]+)?|\bstatus(?:_?code| code)?|Error|rejected|(?<!exit )(?<!exit_)\bcode)"
    r"\\*[\"']?\s*[:=]?\s*\(?([45]\d\d)\b",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class DescribedReader(OutputReader):
    """Reads one run of a described agent.

    A success has an answer, one of the described exit codes (or was ended by a signal after it had
    said that it was done), and no error since; where `done` is described, that was seen as well.
    """

    description: Description
    _rules: RuleSet = field(init=False)
    _pieces: list[str] = field(default_factory=list)
    _document: list[bytes] = field(default_factory=list)
    _document_bytes: int = 0
    _saw_events: bool = False
    _done: bool = False
    _failed: bool = False
    _failed_on_stderr: bool = False

    def __post_init__(self) -> None:
        self._rules = RuleSet(
            specific=(
                *(TextRule(r.kind, r.pattern, r.blames_task) for r in self.description.rules),
                *PROVIDER_SPECIFIC,
            ),
            general=PROVIDER_GENERAL,
            statuses=self.description.statuses,
            lost_session=self.description.resume.lost if self.description.resume else "",
        )

    @property
    def rules(self) -> RuleSet:
        """The described rules, then those for what every provider says."""
        return self._rules

    def feed(self, line: bytes) -> RunNotice | None:
        """Takes in one line of stdout."""
        match self.description.output:
            case "jsonl":
                # The name alone: a dataclass with slots is another class than the one defined here.
                return OutputReader.feed(self, line)
            case "json":
                self._keep(line)
                return None
            case "text":
                text = one_line(line.decode(errors="replace"), _NOTICE_MAX_CHARS)
                return RunNotice("text", text) if text else None

    def feed_stderr(self, line: bytes) -> RunNotice | None:
        """Takes in one line of stderr, where it may tell of its own retries or of its end."""
        text = line.decode(errors="replace")
        retry = self.description.inner_retry
        if retry is not None and retry.path is None and _says(retry, text):
            return self._retried(text)
        for error in self.description.error:
            if error.path is None and _says(error, text):
                self._failed_on_stderr = True
                self.errors.append(_spoken("stderr", text))
        return None

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event; a retry of its own is nothing else besides."""
        described = self.description
        retry = described.inner_retry
        if retry is not None and (text := _words(retry, event)) is not None:
            self._saw_events = True
            return self._retried(text)
        self._read_figures(event)
        session, piece = self._read_session(event), self._read_answer(event)
        if described.done and holds(event, described.done):
            self._saw_events = self._done = True
            self._failed = False
        for error in described.error:
            if (text := _words(error, event)) is not None:
                self._saw_events = self._failed = True
                self.errors.append(_stated(error, event, text))
        return session or piece

    def _keep(self, line: bytes) -> None:
        self._document_bytes += len(line) + 1
        self._document.append(line)
        if self._document_bytes > LINE_MAX_BYTES:
            self._document.clear()  # as for a line of that size: half a document is of no use

    def _retried(self, text: str) -> RunNotice:
        self.inner_retries += 1
        return RunNotice("inner_retry", one_line(text, _NOTICE_MAX_CHARS))

    def _read_session(self, event: JsonObject) -> RunNotice | None:
        place = self.description.session
        if self.session_id is not None or place is None or not holds(event, place.where):
            return None
        found = text_at(event, place.path) or ""
        if _SESSION_ID.fullmatch(found) is None:
            return None
        self._saw_events = True
        self.session_id = found
        return RunNotice("session", found)

    def _read_answer(self, event: JsonObject) -> RunNotice | None:
        place = self.description.answer
        if place is None or not holds(event, place.where):
            return None
        piece = text_at(event, place.path)
        if piece is None:
            return None
        self._saw_events = True
        self._failed = False
        if place.take == "last":
            self._pieces.clear()
        self._pieces.append(piece)
        return RunNotice("text", one_line(piece, _NOTICE_MAX_CHARS))

    def _read_figures(self, event: JsonObject) -> None:
        described = self.description
        if (place := described.model) is not None and holds(event, place.where):
            self.model = text_at(event, place.path) or self.model
        if (counts := described.usage) is not None and holds(event, counts.where):
            used = _usage(counts, event)
            if used != Usage():
                before = self.usage if counts.take == "all" else None
                self.usage = used if before is None else before + used
        if (price := described.cost) is not None and holds(event, price.where):
            cost = total_at(event, price.path)
            if cost is not None:
                self.cost_usd = cost + (self.cost_usd or 0 if price.take == "all" else 0)

    def conclude(
        self,
        ending: Ending,
        *,
        now: datetime,
        tz: tzinfo | None = None,
        max_ahead: timedelta = MAX_AHEAD,
    ) -> AgentResult:
        """How the run ended; see `OutputReader.conclude`."""
        for event in first_document(b"\n".join(self._document).decode(errors="replace")):
            self.feed_event(event)
        return OutputReader.conclude(self, ending, now=now, tz=tz, max_ahead=max_ahead)

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        succeeded = ending.exit_code in self.description.success_exit_codes
        if self._failed or self._failed_on_stderr:
            return None
        if self._is_text(ending):
            return (ending.stdout.strip() or None) if succeeded else None
        if self.description.done and not self._done:
            return None
        # What was finished stands, even if the program then would not end and had to be ended.
        succeeded = succeeded or (self._done and ending.signal is not None)
        return self.partial_answer() if succeeded else None

    def partial_answer(self) -> str | None:
        """What there is of an answer, finished or not."""
        return "".join(self._pieces) if self._pieces else None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        yield from reversed(self.errors)
        yield _spoken("stderr", ending.stderr)
        # Text is the model's, and errors are on stderr, where there are any.
        if not self._saw_events and not (self._is_text(ending) and ending.stderr.strip()):
            yield _spoken("stdout", ending.stdout)

    def _is_text(self, ending: Ending) -> bool:
        return self.description.output == "text" or (ending.text_mode and not self._saw_events)


def _says(place: RetryPlace, text: str) -> bool:
    return place.pattern is None or re.search(place.pattern, text, re.IGNORECASE) is not None


def _words(place: RetryPlace, event: JsonObject) -> str | None:
    """What `event` says at `place`; None where it says nothing, or something else."""
    if place.path is None or not holds(event, place.where):
        return None
    text = text_at(event, place.path, spell_out=True)
    return text if text is not None and _says(place, text) else None


def _stated(place: ErrorPlace, event: JsonObject, text: str) -> Evidence:
    spoken = _spoken("error event", text)
    status = whole_number(total_at(event, place.status))
    ends = values_at(event, place.resets_at) if place.resets_at else iter(())
    return Evidence("error event", text, status or spoken.status, instant(next(ends, None)))


def _spoken(source: str, text: str) -> Evidence:
    found = _STATUS_IN_TEXT.search(text)
    return Evidence(source, text, int(found[1]) if found else None)


def _usage(places: UsagePlaces, event: JsonObject) -> Usage:
    return Usage(
        whole_number(total_at(event, places.input)),
        whole_number(total_at(event, places.output)),
        whole_number(total_at(event, places.cached_input)),
    )
