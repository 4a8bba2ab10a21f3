"""What Codex prints (`exec --json`, `exec`) and what it means.

Recorded with 0.169.0 against a provider of our own. What OpenAI's own service says is taken from
the program's texts and from public issues: nobody could record it.

A failure is a `turn.failed` event: words, with a status in them for some. `error` events stand for
retries too, and `error` items for mere warnings, in successful runs as well. What the sandbox or
the person's rules refuse is told on stderr, if at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from undaunted.agents.agent import RunNotice
from undaunted.agents.provider_rules import PROVIDER_GENERAL, PROVIDER_SPECIFIC
from undaunted.agents.reader import (
    Ending,
    JsonObject,
    OutputReader,
    as_object,
    as_text,
    whole_number,
)
from undaunted.agents.rules import Evidence, RuleSet, TextRule, one_line
from undaunted.failures import FailureKind
from undaunted.tasks import PermissionDenial, Usage

__all__ = ["CODEX_RULES", "CodexReader"]

K = FailureKind

# The program's own words and ChatGPT's; a provider's follow, since the program hands them on.
CODEX_RULES = RuleSet(
    specific=(
        TextRule(
            K.LIMIT_REACHED,
            r"\bbudget reached\b|reason: max_output_tokens|agent thread limit reached",
        ),
        TextRule(K.INTERRUPTED, r"\bturn (?:was )?(?:aborted|interrupted)\b|interrupted \(ctrl-c"),
        TextRule(
            K.CONTENT_POLICY,
            r"\b(?:cyber|bio|misalignment)_policy\b|misalignment policy|\binvalid_prompt\b"
            r"|possible (?:cybersecurity|biological) risk|flagged for potentially"
            r"|access to this content for safety|inference hook denied|by the content policy",
        ),
        TextRule(
            K.CONTEXT_TOO_LONG,
            r"\binput_too_large\b|string_above_max_length|exceeds the maximum length of \d",
        ),
        # Offers credits too; but it comes back by itself.
        TextRule(
            K.QUOTA_EXHAUSTED,
            r"\byou\S{0,3} hit your usage limit"
            r"|\b(?:5h|5[ -]hour|weekly|monthly) (?:usage )?limit\b",
        ),
        TextRule(
            K.BILLING,
            r"use codex with your chatgpt plan|usage_not_included|organization_spend_limit"
            r"|workspace credit limit|_credits_depleted|deactivated_workspace"
            r"|account is not active",
        ),
        # Outranks the status of the page: nobody's key was looked at.
        TextRule(K.NETWORK, r"blocked by cloudflare|enable javascript and cookies"),
        TextRule(K.PERMISSION, r"must be verified to use|access program (?:is )?not enabled"),
        TextRule(
            K.MISCONFIGURED,
            r"error (?:loading (?:config|rules|default config)|finding codex home|parsing -c)"
            r"|model provider `[^`]{0,200}` not found|built-in provider"
            r"|newer version of codex|builder error|relative url without a base"
            r"|invalid value '[^'\n]{0,200}' for '|unrecognized subcommand"
            r"|a value is required for '|required arguments were not provided"
            r"|cannot be (?:used|combined) with|not supported with `codex"
            r"|failed to (?:load configuration|initialize (?:in-process|sqlite|(?:local )?state))"
            r"|mcp servers failed to initialize|default oss provider|oss setup failed"
            r"|codex-linux-sandbox|already has an active writer|\bos error (?:13|28|30)\b",
        ),
        TextRule(
            K.NOT_FOUND,
            r"not exist or you do not have access|no thread with id|thread/resume failed",
        ),
        TextRule(
            K.AUTH,
            r"missing environment variable|missing (?:bearer|scopes)|\bcodex login\b"
            r"|(?:chatgpt|api key|openai) login is required|token_(?:expired|invalidated|revoked)"
            r"|account_deactivated|api key (?:has been |is )?(?:revoked|expired|disabled)"
            r"|must be a member of an organization|session has (?:ended|expired)"
            r"|security token|bedrock [\w ]{0,20}auth is missing",
        ),
        TextRule(K.INVALID_REQUEST, r"no prompt provided", blames_task=True),
        TextRule(K.CRASHED, r"agent loop died|\bpanicked at\b"),
        TextRule(K.NOT_INSTALLED, r"missing optional dependency @openai/"),
        TextRule(K.OVERLOADED, r"capacity (?:is )?unavailable|\bslow_down\b"),
        TextRule(
            K.SERVER_ERROR,
            r"occurred while processing (?:your|the) request|server had an error"
            r"|response\.failed event",
        ),
        # Behind "stream disconnected before completion" stands what happened.
        TextRule(
            K.RATE_LIMITED, r"\brate limit (?:is )?(?:reached|exceeded)(?![^\n]{0,200}per day)"
        ),
        TextRule(
            K.NETWORK,
            r"\bnetwork error\b|waiting for network|connection failed: |error sending request"
            r"|\bdns error\b|failed to lookup address|tls handshake|operation timed out"
            r"|timeout waiting for child|\bos error 1(?:01|04|10|11|13)\b",
        ),
        *PROVIDER_SPECIFIC,
    ),
    general=(
        TextRule(
            K.BROKEN_RESPONSE,
            r"error decoding response body|error while reading the server response"
            r"|expected value at line \d",
        ),
        TextRule(
            K.INVALID_REQUEST,
            r"\binvalid image\b|image poisoning|not valid utf-8|unsupported[_ ](?:parameter|value)"
            r"|array_above_max_length|could not be verified",
        ),
        *PROVIDER_GENERAL,
    ),
    # The last one: a key that can't read what another key's model had thought.
    lost_session=r"thread/resume failed|unexpected argument '|encrypted content \S+ could not be",
)

# "unexpected status 403 Forbidden", "last status: 429", "(status 403", and in a body "status":400.
_STATUS_IN_TEXT = re.compile(r"\bstatus(?:_code)?[\"':= ]{1,4}([45]\d\d)\b", re.IGNORECASE)
# Its words must not be taken for the provider's.
_ADDRESS = re.compile(r", url: \S+")
_RETRY = "Reconnecting... "
_OFFLINE = "Reconnecting... waiting for network"
# Said at once, after 5, 10, 20 and 40 seconds, and from then on once a minute, for ever. Retries
# that are waited for: as many as of the other kinds.
_OFFLINE_MAX_RETRIES = 2
# Lines of stderr that speak of no failure: its start, its log, a tool's or an MCP server's trouble.
_NOISE = re.compile(
    r"(?i:warning: )|MCP client for |Reading (?:additional input|prompt) from stdin"
    r"|\d{4}-\d\d-\d\dT|\s*$"
)
# Without --json stderr shows the whole conversation, and marks the program's own errors.
_CONVERSATION = re.compile(r"^OpenAI Codex v\d", re.MULTILINE)
_OWN_ERROR = re.compile(r"^ERROR: (?!Reconnecting)([^\n]+)", re.MULTILINE)
# Of the log on stderr: a call that was not made, because the sandbox or a rule does not allow it.
_DENIED = re.compile(
    r"tools::router: error=(?:patch rejected: (?P<patch>[^;\n]+)"
    r"|exec_command failed: [^`\n]{0,80}(?P<command>`[^\n]{1,4000}?` rejected: [^\"\\\n]+))"
)
_NO_TOOLS = frozenset({"agent_message", "error", "plan", "reasoning", "todo_list"})


@dataclass(slots=True)
class CodexReader(OutputReader):
    """Reads one run of `codex exec`."""

    _last_text: str | None = None
    _used_tools: bool = False
    _completed: bool = False
    _failure: str = ""
    _offline: int = 0

    @property
    def rules(self) -> RuleSet:
        """The agent's failure rules."""
        return CODEX_RULES

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event of the stream."""
        handle = self._HANDLERS.get(as_text(event.get("type")))
        return handle(self, event) if handle else None

    def feed_stderr(self, line: bytes) -> RunNotice | None:
        """Takes in one line of stderr: there it tells what was denied."""
        text = line.decode(errors="replace")
        if found := _DENIED.search(text):
            tool = "apply_patch" if found["patch"] else "exec_command"
            detail = one_line(found["patch"] or found["command"], 200)
            self.denials.append(PermissionDenial(tool, detail))
        return self._retry(text.removeprefix("ERROR: ")) if text.startswith("ERROR: ") else None

    def _retry(self, message: str) -> RunNotice | None:
        if not message.startswith(_RETRY):
            return None
        self.inner_retries += 1
        self._offline += message.startswith(_OFFLINE)
        wait_s = math.inf if self._offline > _OFFLINE_MAX_RETRIES else None
        return RunNotice("inner_retry", one_line(message, 160), wait_s)

    def _thread_started(self, event: JsonObject) -> RunNotice:
        self.session_id = as_text(event.get("thread_id")) or None
        return RunNotice("session", self.session_id or "")

    def _turn_completed(self, event: JsonObject) -> None:
        self._completed = True
        usage = as_object(event.get("usage"))
        self.usage = Usage(
            whole_number(usage.get("input_tokens")),
            whole_number(usage.get("output_tokens")),
            whole_number(usage.get("cached_input_tokens")),
        )

    def _turn_failed(self, event: JsonObject) -> None:
        self._completed = False
        self._failure = as_text(as_object(event.get("error")).get("message"))

    def _error(self, event: JsonObject) -> RunNotice | None:
        message = as_text(event.get("message"))
        notice = self._retry(message)
        if notice is None and message:
            self.errors.append(_spoken("error event", message))
        return notice

    def _item_started(self, event: JsonObject) -> RunNotice | None:
        kind = as_text(as_object(event.get("item")).get("type"))
        return None if kind in _NO_TOOLS else RunNotice("tool", kind)

    def _item_completed(self, event: JsonObject) -> None:
        self._offline = 0
        item = as_object(event.get("item"))
        kind = as_text(item.get("type"))
        if kind == "agent_message":
            self._last_text = as_text(item.get("text"))
        self._used_tools |= kind not in _NO_TOOLS
        # A command that was started in the sandbox fails by itself at what it may not do.
        stopped = "Read-only file system" in as_text(item.get("aggregated_output"))
        if item.get("status") == "declined" or (item.get("status") == "failed" and stopped):
            what = as_text(item.get("command")) or as_text(item.get("tool"))
            self.denials.append(PermissionDenial(kind, one_line(what, 200)))

    _HANDLERS: ClassVar[Mapping[str, Callable[[CodexReader, JsonObject], RunNotice | None]]] = {
        "thread.started": _thread_started,
        "turn.completed": _turn_completed,
        "turn.failed": _turn_failed,
        "error": _error,
        "item.started": _item_started,
        "item.completed": _item_completed,
    }

    def answer(self, ending: Ending) -> str | None:
        """The finished answer, or None where the agent did not finish one."""
        if self._completed:
            # After work there need be no words; without either the model said nothing at all.
            return self._last_text or ("" if self._used_tools else None)
        if ending.text_mode and ending.exit_code == 0:
            return ending.stdout.strip() or None
        return None

    def partial_answer(self) -> str | None:
        """What there is of an answer that was not finished."""
        return self._last_text or None

    def evidence(self, ending: Ending) -> Iterator[Evidence]:
        """What speaks of a failure, strongest first."""
        yield _spoken("result event", self._failure)
        yield from reversed(self.errors)
        on_stderr = _complaint(ending.stderr)
        yield _spoken("stderr", on_stderr)
        if self.session_id is None and not on_stderr:
            yield _spoken("stdout", ending.stdout)


def _spoken(source: str, text: str) -> Evidence:
    found = _STATUS_IN_TEXT.search(text)
    return Evidence(source, _ADDRESS.sub("", text), int(found[1]) if found else None)


def _complaint(stderr: str) -> str:
    """What stderr says of a failure; empty where it only talks."""
    if own := _OWN_ERROR.findall(stderr):
        return str(own[-1])
    if _CONVERSATION.search(stderr):
        return ""
    return "\n".join(line for line in stderr.splitlines() if not _NOISE.match(line))
