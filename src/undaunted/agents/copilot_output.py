"""What GitHub Copilot CLI prints (`--output-format json`, `text`) and what it means.

Recorded with 1.0.102 against providers of the person's own. What GitHub's own service says is taken
from the program's event schema and texts and from public issues: nobody could record it.

A failure is a `session.error` event. It names an HTTP status where it has one; of a quota, a
payment and a broken connection it says `query` alike, so its words decide. Exit code 0 and a result
without an error also stand behind a run that a signal ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from undaunted.agents.agent import RunNotice
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
from undaunted.agents.rules import Evidence, RuleSet, TextRule, one_line
from undaunted.failures import FailureKind
from undaunted.tasks import PermissionDenial

__all__ = ["COPILOT_RULES", "CopilotReader"]

K = FailureKind

# The program's and GitHub's own words; a provider's follow, since the program hands them on.
COPILOT_RULES = RuleSet(
    specific=(
        TextRule(
            K.LIMIT_REACHED,
            r"autopilot_credit_limit|(?:session|response) limits exhausted|session_quota_exceeded"
            r"|spending limit for this session",
        ),
        TextRule(
            K.INTERRUPTED,
            r"^aborted\b|after disposal has started"
            r"|terminated by signal SIG(?:TERM|INT|HUP)\b",
        ),
        # A token that could not be looked at for the network's sake may be as good as ever, and one
        # that ran out in mid-session is renewed by the next run.
        TextRule(K.NETWORK, r"network fetch failed|sign-?in: fetch failed"),
        TextRule(K.SERVER_ERROR, r"session token expired and the request could not be retried"),
        TextRule(
            K.CONTEXT_TOO_LONG,
            r"model_max_prompt_tokens_exceeded|prompt token count of \d+ exceeds"
            r"|model's (?:prompt budget|context limit)|context window is full"
            r"|request is too large to send|rejected the prompt as too long"
            r"|(?:payload|request body) (?:is )?too large|compaction_static_context_blocked",
        ),
        TextRule(
            K.CONTENT_POLICY,
            r"responsible ai service|response (?:was|got) (?:blocked|filtered)"
            r"|matched public code|content policy refusal|blocked by content filter"
            r"|misalignment_polic",
        ),
        TextRule(
            K.BILLING,
            r"billing_not_configured|multiple github copilot licenses"
            r"|default billing entity has not been selected",
        ),
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"\b(?:quota_exceeded|additional_spend_limit_reached|user_weekly_rate_limited)\b"
            r"|you have no quota|\bquota exceeded\. upgrade"
            r"|(?:exceeded|exhausted) your premium (?:request|model)"
            r"|(?:weekly|session|monthly) rate limit|\b5[ -]hour session limit"
            r"|run out of your (?:included )?ai credits|reached your credit limit"
            r"|credit limit reached|additional usage limit|paid premium requests are disabled",
        ),
        TextRule(
            K.RATE_LIMITED,
            r"\b(?:user_(?:global|model)|integration)_rate_limited\b|exceeded your copilot token"
            r"|agent_mode_limit_exceeded"
            r"|(?:hit|reached|exceeded) (?:a|the|your) (?:\w+ )?rate limit|been rate-limited"
            r"|request was rate-limited|rate limit exceeded",
        ),
        TextRule(
            K.PERMISSION,
            r"not authorized to use this copilot feature|access denied by (?:copilot )?policy"
            r"|copilot managed policy|copilot will not start until|prompt blocked by hook"
            r"|policy_blocked|feature_flag_blocked|allow access to these paths\?"
            r"|sign-?in restriction",
        ),
        TextRule(
            K.AUTH,
            r"no authentication information found|token found but could not be validated"
            r"|\(pat\) does not have|copilot requests permission|classic personal access token"
            r"|not licensed to use copilot|trials have been temporarily paused"
            r"|bad credentials|authenticatetoken|authori[sz]ation error\b"
            r"|credentials may be expired|requires signing in with|token expired"
            r"|may need to run /login|you must be logged in|please run /login"
            r"|error during sign-?in",
        ),
        TextRule(
            K.NOT_FOUND,
            r"model_not_supported|requested model is not supported|resource not found on provider"
            r"|model \S+ (?:from --model flag )?is not (?:available|supported)"
            r"|model is not available for|no (?:supported )?models? available"
            r"|no session, task, or name matched|no session or task matched",
        ),
        TextRule(
            K.MISCONFIGURED,
            r"requires? an explicit model|requires a local model provider|not a valid uuid"
            r"|invalid command format|invalid value \S{1,200} for \W?--\w|unexpected argument '"
            r"|cannot be used (?:with|until you update)|client_version_deprecated"
            r"|provider transport \S+ requires|cannot change working directory"
            r"|\b(?:EROFS|ENOSPC)\b|os error (?:13|28|30)\b",
        ),
        TextRule(K.INVALID_REQUEST, r"no prompt provided", blames_task=True),
        TextRule(K.NOT_INSTALLED, r"no platform package found|\bGLIBC\w*_[\d.]+' not found"),
        TextRule(K.CRASHED, r"was terminated by signal|\bpanicked at\b"),
        TextRule(
            K.BROKEN_RESPONSE,
            r"without sending any chunks|missing finish_reason|no response was returned"
            r"|stream (?:ended|completed) without|failed to (?:finalize|parse|accumulate|reduce)"
            r" [\w -]{0,40}stream|unexpected event order|http response exceeds the"
            r"|content \(received an empty",
        ),
        TextRule(
            K.NETWORK,
            r"failed native model http request|native model http stream timed out|\bgoaway\b"
            r"|peer closed connection|could not connect to (?:local model )?provider"
            r"|failed to lookup address|(?:\"|: )connection error\.?|failed: terminated$",
        ),
        *PROVIDER_SPECIFIC,
    ),
    general=(
        TextRule(
            K.RATE_LIMITED,
            r"\brate_limit\b|(?:please )?(?:try again|wait|retry)(?: in| after)? \d+ (?:sec|min)",
        ),
        TextRule(K.AUTH, r"\((?:authentication|authorization)\b|\b(?:sign_in|switch_account)\b"),
        TextRule(
            K.SERVER_ERROR,
            r"last error: unknown error|due to a server error|transient api error"
            r"|experiencing issues|failed to get response from the ai model",
        ),
        TextRule(K.MISCONFIGURED, r"EACCES"),
        *PROVIDER_GENERAL,
    ),
    statuses={499: K.NETWORK},  # the client's side closed the connection
    lost_session=r"no session, task, or name matched|session may have been deleted"
    r"|found but could not be loaded|in use by another process",
)

# "402 You have no quota", "CAPIError: 503 {...", "Failed to list models: 403".
_STATUS_IN_TEXT = re.compile(
    r"(?:^\W{0,3}|\b(?:CAPIError|error|failed|models):\s*|\bfailed with status )([45]\d\d)\b",
    re.IGNORECASE | re.MULTILINE,
)
# The summary at the end of a run in text mode.
_SUMMARY = re.compile(
    r"^(?:Changes|Duration|Requests|Tokens|AI Credits|Resume|Usage) {2,}[^\n]*$", re.MULTILINE
)
# Types of error that say nothing of what went wrong.
_SAYS_NOTHING = frozenset({"", "query", "execution", "unknown"})
# The program goes on after these; newer versions tell the failure of the run apart.
_PASSING = frozenset({"hook", "model_call"})
_FATAL_WARNINGS = frozenset({"compaction_static_context_blocked", "policy_blocked"})


@dataclass(slots=True)
class CopilotReader(OutputReader):
    """Reads one run of `copilot`."""

    _result: JsonObject | None = None
    _saw_events: bool = False
    _text: str = ""
    _deltas: list[str] = field(default_factory=list)
    _asks_for_tools: bool = False
    _model_answered: bool = False
    _aborted: bool = False
    _call_failure: str = ""
    _passing: list[Evidence] = field(default_factory=list)
    _tools: dict[str, JsonObject] = field(default_factory=dict)

    @property
    def rules(self) -> RuleSet:
        """The agent's failure rules."""
        return COPILOT_RULES

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event of the stream."""
        kind, data = as_text(event.get("type")), as_object(event.get("data"))
        self._saw_events = self._saw_events or "data" in event
        if kind == "result":
            self._result = event
            self.session_id = as_text(event.get("sessionId")) or self.session_id
        if event.get("agentId") or data.get("parentToolCallId"):
            return None  # a subagent's words are not the answer, nor its troubles the run's
        self.model = as_text(data.get("model")) or self.model
        handle = self._handlers.get(kind)
        return handle(self, data) if handle else None

    def _delta(self, data: JsonObject) -> None:
        self._deltas.append(as_text(data.get("deltaContent")))

    def _message(self, data: JsonObject) -> None:
        self._deltas.clear()
        self._text = as_text(data.get("content")) or self._text
        self._asks_for_tools = bool(objects_in(data.get("toolRequests")))

    def _task_complete(self, data: JsonObject) -> None:
        self._text = as_text(data.get("summary")) or self._text
        self._asks_for_tools = data.get("success") is False

    def _call_failed(self, data: JsonObject) -> None:
        status = whole_number(data.get("statusCode"))
        message = as_text(data.get("errorMessage"))
        self._call_failure = f"{status} {message}" if status else message

    def _call_settled(self, data: JsonObject) -> None:
        self._model_answered = data.get("result") == "success"

    def _retry(self, data: JsonObject) -> RunNotice:
        self._deltas.clear()
        self.inner_retries += 1
        said = f"{as_text(data.get('reason')) or 'error'}: {self._call_failure}"
        return RunNotice("inner_retry", one_line(said, 160))

    def _tool_start(self, data: JsonObject) -> RunNotice:
        self._tools[as_text(data.get("toolCallId"))] = data
        return RunNotice("tool", as_text(data.get("toolName")))

    def _tool_complete(self, data: JsonObject) -> None:
        start = self._tools.pop(as_text(data.get("toolCallId")), {})
        if as_text(as_object(data.get("error")).get("code")) in {"denied", "rejected"}:
            name = as_text(start.get("toolName")) or "tool"
            asked = as_object(start.get("arguments"))
            self.denials.append(PermissionDenial(name, _asked_for(asked)))

    def _error(self, data: JsonObject) -> None:
        kind = as_text(data.get("errorType"))
        names = ("errorCode", "providerErrorType", "remediation")
        codes = [kind] if kind not in _SAYS_NOTHING else []
        codes += [code for name in names if (code := as_text(data.get(name)))]
        text = as_text(data.get("message")) + (f" ({', '.join(codes)})" if codes else "")
        status = whole_number(data.get("statusCode"))
        if kind in _PASSING:
            self._passing.append(_spoken(kind, text, status))
        else:
            self.errors.append(_spoken("error event", text, status))

    def _warning(self, data: JsonObject) -> None:
        kind = as_text(data.get("warningType"))
        if kind in _FATAL_WARNINGS:
            text = f"{as_text(data.get('message'))} ({kind})"
            self.errors.append(Evidence("error event", text))

    def _abort(self, data: JsonObject) -> None:
        self._aborted = True
        self.errors.append(Evidence("error event", f"aborted: {as_text(data.get('reason'))}"))

    def _idle(self, data: JsonObject) -> None:
        if data.get("aborted") is True and not self._aborted:
            self._abort(data)

    _handlers: ClassVar[Mapping[str, Callable[[CopilotReader, JsonObject], RunNotice | None]]] = {
        "abort": _abort,
        "assistant.idle": _idle,
        "assistant.message": _message,
        "assistant.message_delta": _delta,
        "assistant.turn_retry": _retry,
        "model.call_failure": _call_failed,
        "model.call_final_result": _call_settled,
        "session.error": _error,
        "session.task_complete": _task_complete,
        "session.warning": _warning,
        "tool.execution_complete": _tool_complete,
        "tool.execution_start": _tool_start,
    }

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        if self._result is not None:
            if self._result.get("exitCode") != 0 or self._aborted or self._asks_for_tools:
                return None
            # A transcript that was cut may lack the words of a model that did answer.
            return self._text if self._text or self._model_answered else None
        if ending.text_mode and ending.exit_code == 0:
            return ending.stdout.strip() or None
        return None

    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""
        return "".join(self._deltas) or self._text or None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        yield from reversed(self.errors)
        on_stderr = _spoken("stderr", ending.stderr)
        yield on_stderr
        yield from reversed(self._passing)
        # In text mode stdout holds the model's words; errors go to stderr where there are any.
        if not self._saw_events and not on_stderr.text.strip():
            yield _spoken("stdout", ending.stdout)


def _spoken(source: str, text: str, status: int | None = None) -> Evidence:
    said = _SUMMARY.sub("", text)
    if status is None and (found := _STATUS_IN_TEXT.search(said)):
        status = int(found[1])
    return Evidence(source, said, status)


def _asked_for(arguments: JsonObject) -> str:
    for key in ("command", "path", "url"):
        if value := as_text(arguments.get(key)):
            return one_line(value, 200)
    return ""
