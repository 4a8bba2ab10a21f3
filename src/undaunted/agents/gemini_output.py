"""What Gemini CLI prints (`-o stream-json`, `json`, `text`) and what it means.

Recorded with 0.61.0. Its exit code is the HTTP status modulo 256 in the structured formats (and 0
for a broken stream or a 512), so it is the last evidence; in `json` an error is a JSON object at
the end of stderr, with stdout empty; `result.error.type` is always "unknown".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from undaunted.agents.agent import RunNotice
from undaunted.agents.gemini_stderr import last_error_object, own_lines, retry_notice
from undaunted.agents.provider_rules import PROVIDER_GENERAL, PROVIDER_SPECIFIC
from undaunted.agents.reader import (
    Ending,
    JsonObject,
    OutputReader,
    as_object,
    as_text,
    objects_in,
    whole_number,
)
from undaunted.agents.rules import PROGRAM_RULES, Evidence, RuleSet, TextRule, one_line
from undaunted.failures import FailureKind
from undaunted.tasks import PermissionDenial, Usage

__all__ = ["GEMINI_RULES", "GeminiReader"]

K = FailureKind

GEMINI_RULES = RuleSet(
    specific=(
        TextRule(
            K.AUTH,
            r"api[_ ]key[_ ](?:not valid|invalid|expired|not found)|invalid api key|UNAUTHENTICATED"
            r"|(?:invalid|set an) auth method|auth type is|validation ?required"
            r"|GEMINI_API_KEY environment variable|manual authorization|auth\w+ timed out"
            r"|authentication (?:failed|required|error|cancelled|consent)|invalid_grant"
            r"|cancelled authentication|failed to (?:login|authenticate)|re-?authenticat"
            r"|insufficient authentication|oauth (?:error|callback|state)"
            r"|IneligibleTier|UNSUPPORTED_CLIENT|TOS_VIOLATION|ACCESS_TOKEN_\w+|SERVICE_DISABLED"
            r"|credentials are not valid|could not load the default credentials|please log ?in"
            r"|setting the GOOGLE_CLOUD_PROJECT|using vertex ai, you must|is not eligible for"
            r"|verify your account|complete verification|account has been (?:suspended|disabled)"
            r"|has not been used in project|failed to sign in|named user on your organization"
            r"|reported as leaked|unregistered callers|license not found|have a valid license"
            r"|SUBSCRIPTION_REQUIRED|invalid_rapt|\breauth\b|default credentials were not found"
            r"|unable to find credentials"
            r"|no authentication method|expired or revoked|has been disabled in this account",
        ),
        TextRule(
            K.CONTENT_POLICY,
            r"recitation|copyright filter|blocked (?:by|due to|because)|PROHIBITED_CONTENT"
            r"|safety (?:filter|setting|reason)|finishReason\W+SAFETY"
            r"|stopped due to (?:image safety|prohibited|blocklist|sensitive|forbidden)"
            r"|\bSPII\b|blockReason",
        ),
        TextRule(
            K.CONTEXT_TOO_LONG,
            r"input token count|token count .{0,80} exceeds"
            r"|exceed\w* the (?:maximum number of tokens|token limit|context)"
            r"|payload size exceeds|context window (?:will )?overflow|prompt is too long"
            r"|truncated due to token limit|(?:remaining|exceed\w* the model'?s) context window",
        ),
        TextRule(
            K.LIMIT_REACHED,
            r"max(?:imum)? session turns|loop (?:was )?detected|truncated due to max_tokens"
            r"|agent execution stopped",
        ),
        TextRule(
            K.OVERLOADED,
            r"MODEL_CAPACITY_EX\w+|no capacity available|overloaded|experiencing high demand",
        ),
        TextRule(
            K.BILLING,
            r"billing (?:is not|has not been|account)|enable billing|billing to be enabled"
            r"|BILLING_DISABLED"
            r"|payment required|spending cap|credits are depleted|INSUFFICIENT_G1_CREDITS",
        ),
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"daily quota|per ?day|TerminalQuotaError|QUOTA_EXHAUSTED|quota will reset after"
            r"(?=[^.]{0,40}\d+h)|daily (?:\S+ )?(?:quota )?limit|usage limit reached"
            # A quota of nothing: the plan does not have this model.
            r"|\blimit: ?0(?![\d.])",
        ),
        TextRule(
            K.RATE_LIMITED,
            r"retry (?:in|after) \d|RATE_LIMIT_EXCEEDED|RetryableQuotaError|per ?minute"
            r"|resource has been exhausted|quota will reset after|exhausted your capacity"
            r"|quota limitations in place|rate limit exceeded|retryDelay",
        ),
        TextRule(K.QUOTA_EXHAUSTED, r"exceeded your current quota"),
        TextRule(
            K.PERMISSION,
            r"PERMISSION_DENIED|not running in a trusted directory|folder is not trusted"
            r"|allowed in trusted folders|location is not supported|does not have permission"
            r"|^permission [^\n]{0,80}denied on resource|disabled by your (?:organization )?admin",
        ),
        TextRule(
            K.NOT_FOUND,
            r"is not found for api version|ModelNotFoundError|error resuming session"
            r"|no previous sessions|model .{0,80}not found|\bNOT_FOUND\b"
            r"|requested entity was not found|invalid session identifier",
        ),
        TextRule(
            K.MISCONFIGURED,
            r"fix the configuration file|unknown arguments?:|invalid values:|not enough arguments"
            r"|failed to save project registry|missing required argument"
            r"|sandbox (?:image|command)|GEMINI_SANDBOX|invalid settings|invalid configuration"
            r"|error in \S*settings\.json|cannot use both|flag cannot be used|start in yolo mode"
            r"|invalid custom base url|directory does not exist|error starting session"
            r"|invalid regular expression flags|ReferenceError: \w+ is not defined",
        ),
        TextRule(K.INVALID_REQUEST, r"no input provided", blames_task=True),
        TextRule(
            K.BROKEN_RESPONSE,
            r"model stream (?:ended|was invalid)|INVALID_STREAM|invalid (?:stream|chunk)"
            r"|empty (?:text )?response|no final response"
            r"|incomplete json|unexpected (?:token|end of|tool call)|not valid json|failed to parse"
            r"|malformed|no response text|finish reason|premature close|\[API Error: terminated\]"
            r"|TypeError: terminated|^terminated$",
        ),
        TextRule(
            K.NETWORK,
            r"fetch failed|\bE(?:CONN\w+|NOTFOUND|TIMEDOUT|AI_AGAIN|PIPE|HOSTUNREACH|NETUNREACH)\b"
            r"|socket hang up|network error|connection (?:error|refused|reset)|DEADLINE_EXCEEDED"
            r"|socket disconnected|first certificate|issuer certificate|deadline expired"
            r"|(?:request|network) time(?:d )?out|operation timed out"
            r"|unable to connect to the server",
        ),
        TextRule(
            K.INTERRUPTED,
            r"(?:operation|request) (?:was )?(?:cancelled|aborted)|aborted a request"
            r"|FatalCancellationError",
        ),
    ),
    general=(
        TextRule(
            K.RATE_LIMITED,
            r"RESOURCE_EXHAUSTED|request a quota increase|too many requests|quota exceeded",
        ),
        TextRule(K.OVERLOADED, r"\bUNAVAILABLE\b|currently unavailable"),
        TextRule(K.SERVER_ERROR, r"\bINTERNAL\b|internal error|encountered a temporary error"),
        TextRule(
            K.INVALID_REQUEST,
            r"INVALID_ARGUMENT|FAILED_PRECONDITION|request contains an invalid argument",
        ),
        TextRule(K.MISCONFIGURED, r"EACCES|permission denied|EROFS|ENOSPC"),
        # Behind the network and the status: the login may have failed for either.
        TextRule(K.AUTH, r"error authenticating"),
        *PROGRAM_RULES,
    ),
    # A run that failed in its first turn leaves a session in which there is nothing to continue.
    fallback=(*PROVIDER_SPECIFIC, *PROVIDER_GENERAL),
    lost_session=r"error resuming session|session id \S+ already exists",
)

_OWN_EXIT_CODES = {
    41: (K.AUTH, "authentication"),
    42: (K.INVALID_REQUEST, "input"),
    44: (K.MISCONFIGURED, "sandbox"),
    52: (K.MISCONFIGURED, "configuration"),
    53: (K.LIMIT_REACHED, "turn limit"),
    54: (K.UNKNOWN, "fatal tool error"),
    55: (K.PERMISSION, "untrusted folder"),
}
_STATUS_OF_EXIT_CODE = {
    status % 256: status
    for status in (400, 401, 402, 403, 404, 408, 413, 429, 500, 501, 502, 503, 504, 529)
}
_STATUS_IN_TEXT = re.compile(r'"code\\*"\s*:\s*(\d{3})\b|\bstatus:? (\d{3})\b')
# Of a tool's error: the call was not made because it may not be, not because it went wrong.
_DENIED = re.compile(
    r"denied|not (?:allowed|permitted)|policy|not found in registry|not in workspace"
)
_REPORT_AT = re.compile(r"Full report available at: \S+\s*")


@dataclass(slots=True)
class GeminiReader(OutputReader):
    """Reads one run of `gemini`."""

    _result: JsonObject | None = None
    _document: JsonObject | None = None
    _parts: list[str] = field(default_factory=list)
    _said: str = ""
    _tools: dict[str, JsonObject] = field(default_factory=dict)

    @property
    def rules(self) -> RuleSet:
        """The agent's failure rules."""
        return GEMINI_RULES

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event of the stream; anything else waits for the end."""
        match event.get("type"):
            case "init":
                self.session_id = as_text(event.get("session_id")) or self.session_id
                self.model = as_text(event.get("model")) or self.model
                return RunNotice("session", self.session_id or "")
            case "message" if event.get("role") == "assistant":
                self._parts.append(as_text(event.get("content")))
            case "tool_use":
                return self._tool_use(event)
            case "tool_result":
                self._tool_result(event)
            case "error":
                self.errors.append(_spoken("error event", as_text(event.get("message"))))
            case "result":
                self._result = event
                self._read_stats(as_object(event.get("stats")))
            case _:
                pass
        return None

    def feed_stderr(self, line: bytes) -> RunNotice | None:
        """Takes in one line of stderr: there the CLI tells of its own retries."""
        text = line.decode(errors="replace")
        notice = retry_notice(text)
        self.inner_retries += notice is not None
        return notice

    def _tool_use(self, event: JsonObject) -> RunNotice:
        # The answer is what is said after the last tool; what came before was on the way.
        self._said = "".join(self._parts) or self._said
        self._parts.clear()
        self._tools[as_text(event.get("tool_id"))] = event
        return RunNotice("tool", as_text(event.get("tool_name")))

    def _tool_result(self, event: JsonObject) -> None:
        error = as_object(event.get("error"))
        said = as_text(error.get("message")) or as_text(event.get("output"))
        if event.get("status") == "success" or not _DENIED.search(said):
            return
        use = self._tools.get(as_text(event.get("tool_id")), {})
        name = as_text(use.get("tool_name")) or "tool"
        self.denials.append(PermissionDenial(name, one_line(said, 200)))

    def _read_stats(self, stats: JsonObject) -> None:
        if "input_tokens" in stats:
            self.usage = Usage(
                whole_number(stats.get("input_tokens")),
                whole_number(stats.get("output_tokens")),
                whole_number(stats.get("cached")),
            )
            return
        total: Usage | None = None
        for model in as_object(stats.get("models")).values():
            tokens = as_object(as_object(model).get("tokens"))
            one = Usage(
                whole_number(tokens.get("prompt")),
                whole_number(tokens.get("candidates")),
                whole_number(tokens.get("cached")),
            )
            total = one if total is None else total + one
        self.usage = total or self.usage

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        if self._result is not None:
            if self._result.get("status") != "success":
                return None
            return self._worked_out("".join(self._parts) or self._said)
        document = self._read_document(ending)
        if document is not None:
            if document.get("error") is not None:
                return None
            response = document.get("response")
            return self._worked_out(response) if isinstance(response, str) else None
        if ending.text_mode and ending.exit_code == 0 and "[ERROR]" not in ending.stderr:
            return ending.stdout.strip() or None
        return None

    def _worked_out(self, answer: str) -> str | None:
        """`answer`, unless it is empty because no model was asked, whatever the status says.

        With settings that it can't use the program asks nobody and reports a success.
        """
        asked = self._tools or (self.usage is not None and self.usage.output_tokens)
        return answer if answer or asked else None

    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""
        in_document = as_text((self._document or {}).get("response"))
        return "".join(self._parts) or self._said or in_document or None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        if self._result is not None:
            error = as_object(self._result.get("error"))
            yield _spoken("result event", as_text(error.get("message")))
        document = self._read_document(ending)
        if document is not None:
            yield _error_object("result event", as_object(document.get("error")))
        yield from reversed(self.errors)
        if (on_stderr := last_error_object(ending.stderr)) is not None:
            yield _error_object("error event", on_stderr)
        on_stderr_too = _REPORT_AT.sub("", "\n".join(own_lines(ending.stderr)))
        yield _spoken("stderr", on_stderr_too)
        # In text mode stdout holds the model's words; errors go to stderr where there are any.
        structured = self._result is not None or document is not None or self.session_id is not None
        if not structured and not on_stderr_too.strip():
            yield _spoken("stdout", ending.stdout)
        if ending.exit_code in _OWN_EXIT_CODES:
            kind, what = _OWN_EXIT_CODES[ending.exit_code]
            yield Evidence("exit code", f"exit code {ending.exit_code}: {what}", _AS_STATUS[kind])
        elif status := _STATUS_OF_EXIT_CODE.get(ending.exit_code or 0):
            yield Evidence("exit code", f"exit code {ending.exit_code}", status)

    def _read_document(self, ending: Ending) -> JsonObject | None:
        """The one JSON document of `-o json`, where stdout is one."""
        if self._document is None and ending.stdout.lstrip().startswith("{"):
            try:
                value: object = json.loads(ending.stdout)
            except (ValueError, RecursionError):
                return None  # the stream format, or cut short: its lines were read already
            found = next(iter(objects_in(value)), None)
            if found is not None and "type" not in found:
                self._document = found
                self.session_id = as_text(found.get("session_id")) or self.session_id
                self._read_stats(as_object(found.get("stats")))
        return self._document


# `RuleSet` reads kinds from statuses; the CLI's own exit codes are given one that stands for them.
_AS_STATUS = {
    K.AUTH: 401,
    K.INVALID_REQUEST: 400,
    K.LIMIT_REACHED: None,
    K.MISCONFIGURED: None,
    K.PERMISSION: 403,
    K.UNKNOWN: None,
}


def _spoken(source: str, text: str) -> Evidence:
    found = _STATUS_IN_TEXT.search(text)
    return Evidence(source, text, int(found[1] or found[2]) if found else None)


def _error_object(source: str, error: JsonObject) -> Evidence:
    spoken = _spoken(source, as_text(error.get("message")))
    code = whole_number(error.get("code"))
    known = spoken.status or (code if code is not None and code >= 400 else None)
    kind = as_text(error.get("type"))
    named = kind if kind not in {"", "Error", "unknown"} else ""
    return Evidence(source, f"{named} {spoken.text}".strip(), known)
