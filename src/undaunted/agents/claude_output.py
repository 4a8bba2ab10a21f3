"""What Claude Code prints (`--output-format stream-json`, `json`, `text`) and what it means.

Recorded with 2.1.197. The result event is read first; `subtype: "success"` stands on API errors
too, so only `is_error` counts, and an answer that is the CLI's own error message (its last
assistant event carries `error`) is a failure whatever the result says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

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
    objects_in,
    whole_number,
)
from undaunted.agents.rules import PROGRAM_RULES, Evidence, RuleSet, TextRule
from undaunted.failures import FailureKind
from undaunted.tasks import PermissionDenial, Usage

__all__ = ["CLAUDE_RULES", "ClaudeReader"]

K = FailureKind

# Words that stand in paths, hosts and tool names as well ("billing", "payment", "/login") need
# company: a wrong `billing` or `auth` closes the agent until a person comes.
CLAUDE_RULES = RuleSet(
    specific=(
        TextRule(K.RATE_LIMITED, r"not your usage limit"),
        TextRule(
            K.NETWORK,
            r"temporary network issue|another claude code process is refreshing"
            r"|host_not_allowed|network allowlist",
        ),
        TextRule(K.LIMIT_REACHED, r"error_max_(?:turns|budget_usd|structured_output_retries)"),
        TextRule(
            K.LIMIT_REACHED,
            r"\b(?:max_turns|budget_exhausted)\b|max(?:imum)? turns|output token maximum"
            r"|maximum (?:number of turns|budget)|exceeded usd budget",
        ),
        TextRule(
            K.INTERRUPTED,
            r"\baborted_\w+|request (?:was aborted|interrupted by user)",
        ),
        TextRule(
            K.CONTEXT_TOO_LONG,
            r"prompt(?:_is_|_| is )too[ _]long|context limit reached|request too large"
            r"|request_too_large|exceed\w* (?:the )?(?:model'?s )?(?:maximum )?context"
            r"|conversation (?:is )?too long|context window|input is too long"
            r"|input length and `?max_tokens|cannot be compacted|maximum context length"
            r"|available context size|context exceeds|-token limit",
        ),
        TextRule(
            K.CONTENT_POLICY,
            r"violate (?:our|the) usage policy|usage polic(?:y|ies)\b|safeguards? flagged"
            r"|safety (?:measures that flagged|safeguard)|content filtering policy"
            r"|can't help with this|safety filter|stop reason: refusal|\[reasoning_extraction\]",
        ),
        # Money that comes back by itself is a quota: nobody has to be asked.
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"(?:spend limit|extra usage|usage credits?)\b[^\n]{0,60}\bresets \S+",
        ),
        TextRule(
            K.BILLING,
            r"credit balance|spend(?:ing)? limit|billing_error|your billing|payment[ _]required"
            r"|usage credits|extra usage|add funds|purchase credits"
            r"|insufficient (?:funds|credits?)|sufficient funds|payment failed|your payment method"
            r"|subscription has (?:expired|ended|lapsed)",
        ),
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"(?:hit|reached|used up) your (?:[^\s.]+ ){0,4}(?:limit|budget)\b"
            r"|\bused (?:all )?(?:of )?your (?:[^\s.]+ ){0,4}usage\b|your limit resets\b"
            r"|(?<!rate )(?:usage|session|weekly|daily|monthly|hour|opus|sonnet|haiku|fable) limit"
            r"(?: has been)? reached|\blimit reached\b[^\n]{0,20}\bresets\b"
            r"|usage_limit_reached|usage limits?\b.{0,200}regain access|api usage limits"
            r"|out of (?:extra )?usage"
            r"|usage limit is set to|usage allocation|n't include usage|tokens per day"
            r"|rate_limit_event rejected \w+",
        ),
        TextRule(
            K.NOT_FOUND,
            r"issue with the selected model|no conversation found|model_not_found"
            r"|model (?:\S+ )?not found|not a recognized model|failed to resume"
            r"|(?:opus|sonnet|haiku|fable|model \S+) is (?:not available|restricted)"
            r"|with 1m context is not available|organization'?s allowed models|default model\b"
            r"|model identifier is invalid|access to the model\b|confirm model \S+ with"
            r"|use case details have not been submitted",
        ),
        TextRule(
            K.AUTH,
            r"(?<![\w./-])/login\b(?![\w/-]|\.\w)|not (?:logged|signed) in"
            r"|(?:log ?in|session) expired|sign in again|invalid (?:\w+ |x-)?api[ -]key"
            r"|invalid auth token|not a valid api key|api key authentication|apikeyhelper"
            r"|oauth (?:token|session|authentication)|session token|security token"
            r"|authentication[ _](?:error|failed|required|method)|invalid authentication"
            r"|disabled organization|organization has (?:been )?disabled|disabled for your org\b"
            r"|enabled for (?:this|your) organization|oauth_org_not_allowed|scope requirement"
            r"|api key (?:has been )?revoked|api key not valid|token has (?:expired|been revoked)"
            r"|your account (?:is on hold|does not have access)|gateway sign-in"
            r"|accepts this session"
            r"|gateway refused the request|credentials expired|credential resolve"
            r"|could not load (?:\w+ ){0,3}credentials|invalid (?:bearer token|credentials|_?grant)"
            r"|token is expired|(?:access|refresh) token (?:not found|is invalid)|sso session"
            r"|could not refresh access token|credentials have been (?:revoked|expired)"
            r"|no application default credentials|unable to find credentials|save your login"
            r"|api key was rejected|sign-in timed out",
        ),
        TextRule(
            K.MISCONFIGURED,
            r"unknown option|invalid mcp configuration|settings file|allowed choices are"
            r"|root/sudo privileges|session id \S+ is already in use|error: option '"
            r"|argument list too long|invalid settings|missing required argument"
            r"|cannot use both|\brequires --\w|must be a valid uuid|--\w[\w-]* conflict"
            r"|--[\w-]+ (?:file not found|is not a valid)|invalid --\w|permission-prompt-tool"
            r"|custom_headers|invalid request header|header '[^']{0,200}' has invalid value"
            r"|cannot be parsed as a url|directory no longer exists|refusing to use it|ENOSPC"
            r"|claude code config|older than the minimum version|does not support this model"
            r"|invalid (?:proxy url|permission mode|json provided)|mcp config is not"
            r"|disabled by settings|needs an update|requires git-bash|no suitable shell"
            r"|\bCLAUDE_CODE_\w+ is (?:set|required)|--[\w-]+ (?:requires|takes) an? "
            r"|can't read (?:the (?:current directory|keyboard)|\.mcp\.json)|couldn't restart",
        ),
        TextRule(K.INVALID_REQUEST, r"input must be provided|only whitespace", blames_task=True),
        TextRule(
            K.BROKEN_RESPONSE,
            r"empty (?:or malformed )?response|failed to parse json|could not parse message"
            r"|mid-(?:response|stream)|may be incomplete|stream (?:ended|closed|interrupted)"
            r"|unexpected end of (?:json|stream)|no assistant message|no response from api"
            r"|response (?:stream )?(?:stopped|stalled|was malformed|never arrived|ended)"
            r"|unexpected token '|terminated early due to an api error"
            r"|content block (?:not found|already closed|is not)|stream event unreadable"
            r"|before a response was produced|while thinking|stream\w* response has content-type"
            r"|tool call could not be parsed|premature close|stream idle timeout"
            r"|^(?:API Error: )?(?:terminated|aborted)$",
        ),
        TextRule(
            K.OVERLOADED,
            r"overloaded|at capacity|high load|high demand|is temporarily unavailable"
            r"|all upstreams failed|ServiceUnavailableException|ModelNotReadyException",
        ),
        TextRule(
            K.NETWORK,
            r"unable to connect|can'?t reach the api|connection (?:error|refused|dropped|reset)"
            r"|connection (?:to the api was )?lost|connection ?refused|\bE(?:CONN\w+|NOTFOUND"
            r"|TIMEDOUT|AI_AGAIN|PIPE|HOSTUNREACH|NETUNREACH)\b|socket hang up|fetch failed"
            r"|(?:request|operation) timed out|check your internet|network error"
            r"|through your proxy|proxy refused|socket (?:is|connection was) closed"
            r"|ssl certificate|issuer certificate|dns resolution|could not resolve \w* ?host"
            r"|check your network|timed out after \w+ waiting for|proxy \S+ could not be reached"
            r"|connect to your organization's network",
        ),
    ),
    general=(
        TextRule(
            K.RATE_LIMITED,
            r"rate[ _]limit|request rejected \(429\)|too many (?:requests|tokens)"
            r"|concurrency limit|\bthrottl(?:ed|ing)",
        ),
        TextRule(K.AUTH, r"error=authentication_failed"),
        TextRule(K.BILLING, r"error=billing_error"),
        TextRule(K.NOT_FOUND, r"error=model_not_found"),
        TextRule(
            K.INVALID_REQUEST,
            r"error=invalid_request|image was too large|unable to resize image|pdftoppm"
            r"|\bpdf (?:is|too|file)\b|extra inputs are not permitted|should match pattern"
            r"|string should have"
            r"|not supported (?:for this model|when thinking)|thinking\.budget_tokens"
            r"|thinking block|must precede an|failed to decrypt|invalid encrypted_"
            r"|no messages returned|unknown command:|upstream rejected|image base64 size"
            r"|effort '[^']{1,20}' isn't available|stream-json input carried",
        ),
        TextRule(K.SERVER_ERROR, r"error=server_error|internal server error|server-side issue"),
        TextRule(K.PERMISSION, r"permission denied|EACCES|EPERM|not allowed"),
        TextRule(K.LIMIT_REACHED, r"error=max_output_tokens"),
        *PROGRAM_RULES,
    ),
    fallback=(*PROVIDER_SPECIFIC, *PROVIDER_GENERAL),
    lost_session=r"no conversation found|session id \S+ is already in use|failed to resume",
)

# "API Error: 529 Overloaded", "Request rejected (429)": the status in the CLI's own sentence.
_STATUS_IN_TEXT = re.compile(r"API Error: (?:Repeated )?(\d{3})\b|Request rejected \((\d{3})\)")


@dataclass(slots=True)
class ClaudeReader(OutputReader):
    """Reads one run of `claude -p`."""

    _result: JsonObject | None = None
    _last_text: str = ""
    _deltas: list[str] = field(default_factory=list)
    _answer_error: str = ""
    _limit_resets_at: datetime | None = None

    @property
    def rules(self) -> RuleSet:
        """The agent's failure rules."""
        return CLAUDE_RULES

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event of the stream."""
        self.session_id = as_text(event.get("session_id")) or self.session_id
        match event.get("type"):
            case "system":
                return self._system(event)
            case "stream_event":
                self._delta(as_object(event.get("event")))
            case "assistant":
                return self._assistant(event)
            case "rate_limit_event":
                self._rate_limit(as_object(event.get("rate_limit_info")))
            case "result":
                self._read_result(event)
            case _:
                pass
        return None

    def _system(self, event: JsonObject) -> RunNotice | None:
        if event.get("subtype") == "init":
            self.model = as_text(event.get("model")) or self.model
            return RunNotice("session", self.session_id or "")
        if event.get("subtype") != "api_retry":
            return None
        self.inner_retries += 1
        status = whole_number(event.get("error_status"))
        category = as_text(event.get("error"))
        delay_s = (whole_number(event.get("retry_delay_ms")) or 0) / 1000
        return RunNotice(
            "inner_retry",
            f"{category or 'error'}{f' {status}' if status else ''}, again in {delay_s:.1f} s",
            wait_s=delay_s,
        )

    def _delta(self, event: JsonObject) -> None:
        if event.get("type") == "message_start":
            self._deltas.clear()
        self._deltas.append(as_text(as_object(event.get("delta")).get("text")))

    def _assistant(self, event: JsonObject) -> RunNotice | None:
        if event.get("parent_tool_use_id"):
            return None  # a subagent's words are not the answer
        blocks = objects_in(as_object(event.get("message")).get("content"))
        text = "".join(as_text(b.get("text")) for b in blocks if b.get("type") == "text")
        self._last_text = text or self._last_text
        self._deltas.clear()
        self._answer_error = as_text(event.get("error"))
        if self._answer_error:
            self.errors.append(_spoken("error event", f"error={self._answer_error} {text}"))
            return None
        tools = [as_text(b.get("name")) for b in blocks if b.get("type") == "tool_use"]
        return RunNotice("tool", ", ".join(tools)) if tools else None

    def _rate_limit(self, info: JsonObject) -> None:
        if info.get("status") != "rejected":
            return
        self._limit_resets_at = instant(info.get("resetsAt"))
        window = as_text(info.get("rateLimitType"))
        text = f"rate_limit_event rejected {window}".strip()
        self.errors.append(Evidence("error event", text, 429, self._limit_resets_at))

    def _read_result(self, event: JsonObject) -> None:
        self._result = event
        usage = as_object(event.get("usage"))
        self.usage = Usage(
            whole_number(usage.get("input_tokens")),
            whole_number(usage.get("output_tokens")),
            whole_number(usage.get("cache_read_input_tokens")),
        )
        self.cost_usd = number(event.get("total_cost_usd"))
        self.denials = [
            PermissionDenial(as_text(d.get("tool_name")), _denied(as_object(d.get("tool_input"))))
            for d in objects_in(event.get("permission_denials"))
        ]

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        if self._result is None:
            if ending.text_mode and ending.exit_code == 0 and ending.stdout.strip():
                return ending.stdout.strip()
            return None
        if self._result.get("is_error") or self._result.get("subtype") != "success":
            return None
        text = self._result.get("result")
        if not isinstance(text, str) or (self._answer_error and text == self._last_text):
            return None
        return text

    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""
        if self._answer_error:
            return None
        return "".join(self._deltas) or self._last_text or None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        if self._result is not None:
            yield self._result_evidence(self._result)
        yield from reversed(self.errors)
        if ending.text_mode or self._result is None:
            yield _spoken("stdout", "" if self._saw_events else ending.stdout)
        yield _spoken("stderr", ending.stderr)

    @property
    def _saw_events(self) -> bool:
        return self.session_id is not None or bool(self.errors)

    def _result_evidence(self, result: JsonObject) -> Evidence:
        said = [as_text(result.get("result"))]
        errors = result.get("errors")
        said += [as_text(e) for e in errors] if isinstance(errors, list) else []
        if (subtype := as_text(result.get("subtype"))) not in {"success", ""}:
            said += [subtype, as_text(result.get("terminal_reason"))]
        text = " ".join(s for s in said if s)
        status = whole_number(result.get("api_error_status"))
        return _spoken("result event", text, status, self._limit_resets_at)


def _spoken(
    source: str, text: str, status: int | None = None, resets_at: datetime | None = None
) -> Evidence:
    if status is None and (found := _STATUS_IN_TEXT.search(text)):
        status = int(found[1] or found[2])
    return Evidence(source, text, status, resets_at)


def _denied(tool_input: JsonObject) -> str:
    for key in ("command", "file_path", "url", "path"):
        if value := as_text(tool_input.get(key)):
            return value
    return ""
