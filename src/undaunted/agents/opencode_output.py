"""What opencode prints (`run --format json`, `default`) and what it means.

Recorded with 1.18.33. A run is a row of steps, each one request to the model, and nothing says that
it is over: the last step's finish reason does. A request that fails is tried again five times, of
which only the log on stderr tells, and its exit code is 0 also for a run without an answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from undaunted.agents.agent import RunNotice
from undaunted.agents.provider_rules import PROVIDER_GENERAL, PROVIDER_SPECIFIC
from undaunted.agents.reader import (
    Ending,
    JsonObject,
    OutputReader,
    as_object,
    as_text,
    instant,
    number,
    whole_number,
)
from undaunted.agents.reset_fields import reset_in_fields
from undaunted.agents.rules import Evidence, RuleSet, TextRule, one_line
from undaunted.failures import FailureKind
from undaunted.tasks import PermissionDenial, Usage

__all__ = ["OPENCODE_RULES", "OpencodeReader"]

K = FailureKind

# Answers that end without a reason, one after another, until the run is ended: enough to pass over
# a hiccup, few enough to cost little. Left alone the program was seen to ask 206 times in 90 s.
_BROKEN_STEPS_MAX = 5

# The program's own words and those of its model service (Zen, Go); those of the other providers
# follow, since the program hands them on.
OPENCODE_RULES = RuleSet(
    specific=(
        TextRule(K.NOT_INSTALLED, r"postinstall script was not run"),
        TextRule(K.INTERRUPTED, r"MessageAbortedError|\bAbortError\b|operation was aborted\W*$"),
        TextRule(K.LIMIT_REACHED, r"OutputLengthError|finish reason length"),
        TextRule(
            K.CONTEXT_TOO_LONG,
            r"ContextOverflowError|too large to compact|request (?:body|entity) (?:is )?too large"
            r"|reduce the length of|longer than the model's context|context length is only"
            r"|(?:maximum|max) (?:prompt|input|allowed input) length|available context size"
            r"|exceeds? context limit|more than max tokens allowed"
            r"|(?:model )?token limit exceeded|exceeded model token",
        ),
        TextRule(K.CONTENT_POLICY, r"ContentFilterError|\binvalid_prompt\b"),
        TextRule(
            K.RATE_LIMITED,
            r"quota\b[^\n]{0,200}retry in \d[\d.]*m?s\b|resource has been exhausted"
            r"|per.minute rate limit|request rate limit|rate increased too quickly",
        ),
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"(?:Free|Go|Black|Subscription)UsageLimitError|free usage (?:exceeded|limit)"
            r"|subscription quota exceeded|requests: quota exceeded"
            r"|(?:5.hour|weekly|monthly|daily) (?:usage )?limit (?:is )?(?:reached|exceeded)",
        ),
        TextRule(
            K.BILLING,
            r"\bCreditsError\b|insufficient (?:account )?balance|no payment method"
            r"|(?:Monthly|User)LimitError|free promotion has ended"
            r"|your chatgpt plan, upgrade|(?:not enough|more) credits",
        ),
        # The model service says 401 of a model that it doesn't have, 503 of one that is busy.
        TextRule(
            K.OVERLOADED,
            r"(?:model|endpoint) is unavailable|temporarily unavailable|failover_exhausted",
        ),
        TextRule(
            K.NOT_FOUND,
            r"ModelNotFoundError|\bModelError\b|ModelUnavailableError|ProviderNotFoundError"
            r"|\bmodel (?:not found|unavailable): |model (?:\S+ )?is (?:not supported|disabled)"
            r"|no (?:models?|(?:allowed )?providers?) (?:is |are )?available|variant unavailable"
            r"|\bmodel\b[^\n]{0,60}(?:not exist or your|not available)",
        ),
        TextRule(
            K.PERMISSION,
            r"rejected permission|auto-rejecting|rule which prevents you|\bRegionError\b"
            r"|ModelAccessError|blocked by (?:the )?upstream|workspace has been blocked"
            r"|endpoint is forbidden|access paused|explicit opt.in"
            r"|does not have (?:access|permission)",
        ),
        TextRule(
            K.AUTH,
            r"ProviderAuthError|\bAuthError\b|LoadAPIKeyError|missing api key|api key is missing"
            r"|token refresh|opencode (?:auth|providers) login|re-?run login"
            r"|only authorized for use with|can only be used from within opencode"
            r"|re-?authenticate\b|token (?:has |is )?expired"
            r"|could not load credentials|credential provider failed|missing credentials",
        ),
        TextRule(
            K.MISCONFIGURED,
            r"not valid JSON\(C\)|configuration is invalid|failed to initialize provider"
            r"|failed to load remote config|rename the directory|^opencode run \[message"
            r"|Provider\w*InitError|\bConfig\w+Error|NpmInstallFailed|no provider factory"
            r"|missing required argument|agent (?:\S+ )?not found|default agent \S+ (?:is|not)"
            r"|command not found: \""
            r"|(?:^|error: )file not found:|failed to change directory|PermissionDenied: FileSys"
            r"|\bE(?:ACCES|ROFS|NOSPC)\b|no space left|--[\w-]+ (?:requires|cannot be used)",
        ),
        TextRule(K.INVALID_REQUEST, r"must provide a message", blames_task=True),
        # Another opencode of the same person is writing.
        TextRule(
            K.CRASHED,
            r"database is locked|^(?:Error: Unexpected error\s+)?failed query:|\bSQLITE_\w+"
            r"|bun has crashed|session \S+ is busy|waiting for lock|out of memory|\bEMFILE\b"
            r"|(?:undefined|null) is not an object",
        ),
        TextRule(
            K.BROKEN_RESPONSE,
            r"json parsing failed|invalid json response|type validation failed|SSE read timed out"
            r"|no output generated|empty response body|decompression failed"
            r"|failed to process (?:successful|error) response"
            r"|part \S+ not found$|finish reason (?:error|unknown)|\bterminated$",
        ),
        TextRule(
            K.NETWORK,
            r"cannot connect to api|socket connection was closed|connection reset by server"
            r"|headers timed out|operation timed out|aborted due to timeout|typo in the url"
            r"|unable to (?:verify|get) \S+ (?:\S+ )?certificate|self.signed certificate"
            r"|finish_reason: network_error|upstream connect error|reset before headers",
        ),
        *PROVIDER_SPECIFIC,
    ),
    general=(
        TextRule(
            K.SERVER_ERROR,
            r"server had an error|upstream request failed|provider returned error|bad gateway"
            r"|gateway time-?out|(?<!unexpected )server error",
        ),
        *PROVIDER_GENERAL,
        TextRule(
            K.INVALID_REQUEST,
            r"AI_(?:InvalidPrompt|InvalidArgument|UnsupportedFunctionality)Error"
            r"|\btool_(?:use|result)\b|(?:unsupported|invalid) (?:value|parameter|schema)",
        ),
        # Its own server failed before any model was asked. As a rule it does not know the model.
        TextRule(K.NOT_FOUND, r"unexpected server error|(?:^|: )not found$"),
    ),
    lost_session=r"session not found|session \S+ is busy",
)

_UNEXPLAINED = "Unexpected server error"
_NAMES_THAT_SAY_NOTHING = frozenset({"APIError", "Error", "UnknownError", "error"})
_DENIED = re.compile(r"rejected permission|rule which prevents you", re.IGNORECASE)

# timestamp=... level=INFO run=0e3b36f3 message="stream error" session.id=ses_1 small=false ...
_LOG_LINE = re.compile(
    r'timestamp=\S+ level=(?P<level>[A-Z]+) (?:run=\S+ )?message=(?P<message>"[^"]*"|\S+)'
)
_SESSION = re.compile(r" session\.id=(\S+)")
_MODEL = re.compile(r" providerID=(\S+) modelID=(\S+)")
_CAUSE = re.compile(r' error(?:\.error(?:\.message)?)?=("(?:[^"\\]|\\.)*"|\S+)')

# Said of a chunk in the middle of an answer; what the provider meant by it stands in it.
_VALUE = re.compile(r"type validation failed: value: (\{.*)", re.IGNORECASE | re.DOTALL)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_NOISE = re.compile(r"^(?:timestamp=|> |! +agent ).*$\n?", re.MULTILINE)
# `401 {"type":...`, `HTTP 503:`, `"statusCode":429`, `failed with status 503`, `API error (429)`
_STATUS_IN_TEXT = re.compile(
    r"^(?:Error: )?(\d{3}) [{A-Z]|\bHTTP (\d{3})\b|status(?:Code)?\W{1,3}(\d{3})\b"
    r"|API error \((\d{3})\)|request failed: \[(\d{3})\]",
    re.IGNORECASE,
)


@dataclass(slots=True)
class OpencodeReader(OutputReader):
    """Reads one run of `opencode run`."""

    _saw_events: bool = False
    _step: list[str] = field(default_factory=list)
    _said: str = ""
    _finish: str = ""
    _answered: bool = False
    _used_tools: bool = False
    _broken_steps: int = 0
    _unexplained: str = ""
    _causes: list[str] = field(default_factory=list)
    _first_tries: set[str] = field(default_factory=set)
    _failed_tries: dict[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> RuleSet:
        """The agent's failure rules."""
        return OPENCODE_RULES

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event of the stream."""
        handle = self._handlers.get(as_text(event.get("type")))
        if handle is None:
            return None
        self._saw_events = True
        notice = handle(self, event)
        return notice or self._known_as(as_text(event.get("sessionID")))

    def _known_as(self, session_id: str) -> RunNotice | None:
        if self.session_id is not None or not session_id:
            return None
        self.session_id = session_id
        return RunNotice("session", session_id)

    def _step_start(self, _: JsonObject) -> None:
        self._step.clear()
        self._answered = self._used_tools = False

    def _text(self, event: JsonObject) -> None:
        self._step.append(as_text(as_object(event.get("part")).get("text")))
        self._said = "\n".join(self._step) or self._said

    def _tool_use(self, event: JsonObject) -> RunNotice:
        self._used_tools = True
        part = as_object(event.get("part"))
        state, tool = as_object(part.get("state")), as_text(part.get("tool"))
        if _DENIED.search(as_text(state.get("error"))):
            self.denials.append(PermissionDenial(tool, _asked_for(as_object(state.get("input")))))
        return RunNotice("tool", tool)

    def _step_finish(self, event: JsonObject) -> RunNotice | None:
        part = as_object(event.get("part"))
        self._finish = as_text(part.get("reason"))
        # A step that used tools is followed by another, whatever its reason.
        self._answered = self._finish in {"stop", "other"} and not self._used_tools
        tokens = as_object(part.get("tokens"))
        used = Usage(
            whole_number(tokens.get("input")),
            whole_number(tokens.get("output")),
            whole_number(as_object(tokens.get("cache")).get("read")),
        )
        self.usage = used if self.usage is None else self.usage + used
        if (cost_usd := number(part.get("cost"))) is not None:
            self.cost_usd = (self.cost_usd or 0) + cost_usd
        return self._broken_off() if self._finish == "unknown" else None

    def _broken_off(self) -> RunNotice | None:
        """Gives up on an answer that breaks off: left alone the program asks for ever."""
        if self._used_tools:
            return None
        self._broken_steps += 1
        if self._broken_steps < _BROKEN_STEPS_MAX:
            return None
        text = f"{self._broken_steps} answers ended early, with finish reason unknown"
        return RunNotice("inner_retry", text, math.inf)

    def _error(self, event: JsonObject) -> None:
        self._answered = False
        error = as_object(event.get("error"))
        name, data = as_text(error.get("name")), as_object(error.get("data"))
        # Without data it is a provider's own error, handed on as it came.
        message = as_text(data.get("message")) or as_text(error.get("message"))
        if message.startswith(_UNEXPLAINED):
            self._unexplained = message
            return
        body = _body(data.get("responseBody")) if data else error
        named = [name, *(as_text(body.get(key)) for key in ("type", "code", "status"))]
        codes = ", ".join(
            dict.fromkeys(n for n in named if n not in {"", *_NAMES_THAT_SAY_NOTHING})
        )
        text = f"{message} ({codes})" if codes else message
        found = _spoken("error event", text, whole_number(data.get("statusCode")))
        resets_at = _resets_at(event, body, as_object(data.get("responseHeaders")))
        self.errors.append(Evidence(found.source, found.text, found.status, resets_at))

    _handlers: ClassVar[Mapping[str, Callable[[OpencodeReader, JsonObject], RunNotice | None]]] = {
        "error": _error,
        "step_finish": _step_finish,
        "step_start": _step_start,
        "text": _text,
        "tool_use": _tool_use,
    }

    def feed_stderr(self, line: bytes) -> RunNotice | None:
        """Takes in one line of the log.

        A step logs `process` once and `stream` before each try, the first one included.
        """
        text = line.decode(errors="replace")
        if (log := _LOG_LINE.match(text)) is None:
            return None
        session = found[1] if (found := _SESSION.search(text)) else ""
        match log["level"], log["message"].strip('"'):
            case "INFO", "process":
                self._first_tries.add(session)
                self._failed_tries.pop(session, None)
                # Earlier than any event, and all that there is of a run that gets no answer.
                return self._known_as(session)
            case "INFO", "stream" if " small=true" not in text:
                return self._try(session, text)
            case "ERROR", "stream error":
                self._failed_tries[session] = _cause(text)
            case "ERROR", "failed" if " ref=" in text:
                self._causes.append(_cause(text))
            case _:
                pass
        return None

    def _try(self, session: str, text: str) -> RunNotice | None:
        if self.model is None and (found := _MODEL.search(text)):
            self.model = f"{found[1]}/{found[2]}"
        if session in self._first_tries:
            self._first_tries.remove(session)
            return None
        self.inner_retries += 1
        cause = self._failed_tries.pop(session, "") or "the answer was cut off"
        return RunNotice("inner_retry", one_line(cause, 160))

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        if self._answered:
            # A model that was not asked, or gave nothing back, has not answered.
            spoke = self._step or (self.usage is not None and self.usage.output_tokens)
            return "\n".join(self._step) if spoke else None
        if ending.text_mode and ending.exit_code == 0 and not self._saw_events:
            return ending.stdout.strip() or None
        return None

    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""
        return self._said or None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        yield from reversed(self.errors)
        for cause in reversed(self._causes):
            yield Evidence("log", cause)
        printed = _NOISE.sub("", _COLOURS.sub("", ending.stderr)).strip()
        yield _spoken("stderr", printed)
        if self._unexplained:
            yield Evidence("error event", self._unexplained)
        if self._finish not in {"", "stop", "tool-calls"}:
            yield Evidence("result event", f"the last step has finish reason {self._finish}")
        if self._saw_events and self.denials:
            yield Evidence("result event", f"rejected permission to use {self.denials[-1].tool}")
        # In text mode stdout holds the model's words; errors go to stderr where there are any.
        if not self._saw_events and not printed:
            yield _spoken("stdout", ending.stdout)


def _spoken(source: str, text: str, status: int | None = None) -> Evidence:
    if quoted := _VALUE.search(text):
        text = _error_in(quoted[1]) or text
    if status is None and (found := _STATUS_IN_TEXT.search(text)):
        status = int(next(group for group in found.groups() if group))
    return Evidence(source, text, status)


def _error_in(value: str) -> str:
    """The error object that a chunk of the answer was, as JSON; empty for a chunk that was none."""
    try:
        chunk, _ = json.JSONDecoder().raw_decode(value)
    except (ValueError, RecursionError):
        return ""  # cut short
    error = as_object(as_object(chunk).get("error"))
    return json.dumps(error, ensure_ascii=False) if error else ""


def _body(text: object) -> JsonObject:
    """The error object in a provider's answer; what kind it is may stand above it."""
    try:
        body = as_object(json.loads(as_text(text)))
    except (ValueError, RecursionError):
        return {}  # a page for people, or nothing
    return {**body, **as_object(body.get("error"))}


def _resets_at(event: JsonObject, body: JsonObject, headers: JsonObject) -> datetime | None:
    """When the limit ends that the provider named in its answer's body or headers."""
    if (stated := instant(body.get("resets_at"))) is not None:
        return stated
    printed_at = instant((number(event.get("timestamp")) or 0) / 1000)
    if printed_at is None:
        return None
    # A router hands on its providers' headers in the body.
    handed_on = as_object(as_object(body.get("metadata")).get("headers"))
    return reset_in_fields({**body, **handed_on, **headers}, now=printed_at)


def _cause(log_line: str) -> str:
    found = _CAUSE.search(log_line)
    return found[1].strip('"').removeprefix("AI_APICallError: ") if found else ""


def _asked_for(tool_input: JsonObject) -> str:
    for key in ("command", "filePath", "url", "path", "pattern"):
        if value := as_text(tool_input.get(key)):
            return one_line(value, 200)
    return ""
