"""How far a description reaches: the streams of two real agents, read by nothing but settings.

The lines were recorded with codex 0.169.0 and opencode 1.18.33 against a stub of their model APIs;
parts of events that nobody looks at are left out.
"""

# ruff: noqa: E501 - recorded lines stay whole

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from undaunted.agents.agent import AgentResult
from undaunted.agents.described_output import DescribedReader
from undaunted.agents.reader import Ending
from undaunted.descriptions import Description
from undaunted.failures import FailureKind
from undaunted.tasks import Usage

NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)

CODEX = Description.model_validate(
    tomllib.loads(
        """
command = ["codex", "exec"]
args = ["--json", "--skip-git-repo-check"]
model_args = ["--model={model}"]
prompt_args = ["-"]
permissions.read = ["--sandbox", "read-only"]
permissions.edit = ["--sandbox", "workspace-write"]
permissions.full = ["--dangerously-bypass-approvals-and-sandbox"]

output = "jsonl"
answer = { where = { type = "item.completed", item.type = "agent_message" }, path = "item.text" }
done = { type = "turn.completed" }
session = { where = { type = "thread.started" }, path = "thread_id" }
error = { where = { type = "turn.failed" }, path = "error.message" }
inner_retry = { where = { type = "error" }, path = "message", pattern = "^Reconnecting" }
resume = { args = ["resume", "{session}"], lost = "no rollout found" }

[usage]
where = { type = "turn.completed" }
input = "usage.input_tokens"
cached_input = "usage.cached_input_tokens"
output = "usage.output_tokens"
"""
    )
)

OPENCODE = Description.model_validate(
    tomllib.loads(
        """
command = ["opencode", "run"]
args = ["--format", "json"]
model_args = ["--model={model}"]
permissions.full = ["--auto"]

output = "jsonl"
answer = { where = { type = "text" }, path = "part.text" }
done = { type = "step_finish", part.reason = "stop" }
session = { path = "sessionID" }
error = { where = { type = "error" }, path = "error.data.message", status = "error.data.statusCode" }
cost = { where = { type = "step_finish" }, path = "part.cost", take = "all" }
resume = { args = ["--session={session}"], lost = "session not found" }

[usage]
where = { type = "step_finish" }
input = "part.tokens.input"
cached_input = "part.tokens.cache.read"
output = "part.tokens.output"
take = "all"
"""
    )
)

CODEX_BEGINS = """\
{"type":"thread.started","thread_id":"01a208d5-6297-7733-991f-578158ab60aa"}
{"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata for `stub-model` not found. Defaulting to fallback metadata; this can degrade performance and cause issues."}}
{"type":"turn.started"}
"""
CODEX_ANSWERS = """\
{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"I look."}}
{"type":"item.started","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"","exit_code":null,"status":"in_progress"}}
{"type":"item.completed","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"hi\\n","exit_code":0,"status":"completed"}}
{"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"hello from stub"}}
{"type":"turn.completed","usage":{"input_tokens":24,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":14,"reasoning_output_tokens":0}}
"""
CODEX_RETRIES = """\
{"type":"error","message":"Reconnecting... 1/5 (exceeded retry limit, last status: 429 Too Many Requests)"}
{"type":"error","message":"Reconnecting... 2/5 (exceeded retry limit, last status: 429 Too Many Requests)"}
"""
CODEX_STDERR = "Reading additional input from stdin...\n"

OPENCODE_ANSWERS = """\
{"type":"step_start","timestamp":1795444802253,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"type":"step-start"}}
{"type":"text","timestamp":1795444802254,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"type":"text","text":"I look."}}
{"type":"tool_use","timestamp":1795444803994,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"type":"tool","tool":"bash","state":{"status":"completed","input":{"command":"echo hi"},"output":"hi\\n"}}}
{"type":"step_finish","timestamp":1795444803994,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"reason":"tool-calls","type":"step-finish","tokens":{"total":19,"input":12,"output":7,"reasoning":0,"cache":{"write":0,"read":0}},"cost":0.25}}
{"type":"step_start","timestamp":1795444804448,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"type":"step-start"}}
{"type":"text","timestamp":1795444804449,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"type":"text","text":"hello from stub"}}
"""
OPENCODE_FINISHES = """\
{"type":"step_finish","timestamp":1795444804449,"sessionID":"ses_df7269b3dffemm6FqKHtR0ikdA","part":{"reason":"stop","type":"step-finish","tokens":{"total":19,"input":12,"output":7,"reasoning":0,"cache":{"write":0,"read":0}},"cost":0.5}}
"""


def codex_fails(message: str) -> str:
    return f'{{"type":"error","message":"{message}"}}\n{{"type":"turn.failed","error":{{"message":"{message}"}}}}\n'


def opencode_fails(data: str) -> str:
    return f'{{"type":"error","timestamp":1795443988980,"sessionID":"ses_df73304b7ffeICf1X7K1hSVsPh","error":{{"name":"APIError","data":{{{data}}}}}}}\n'


def read(
    described: Description, stdout: str, *, exit_code: int = 0, stderr: str = ""
) -> AgentResult:
    reader = DescribedReader(description=described)
    for line in stdout.splitlines():
        reader.feed(line.encode())
    for line in stderr.splitlines():
        reader.feed_stderr(line.encode())
    return reader.conclude(Ending(exit_code, stdout, stderr), now=NOW, tz=UTC)


def test_codex_answers() -> None:
    """The last message is the answer; session and tokens come with it, and a warning is no error."""
    result = read(CODEX, CODEX_BEGINS + CODEX_ANSWERS, stderr=CODEX_STDERR)
    assert (result.content, result.failure) == ("hello from stub", None)
    assert result.agent_session_id == "01a208d5-6297-7733-991f-578158ab60aa"
    assert result.usage == Usage(24, 14, 0)


def test_codex_retries_by_itself() -> None:
    """Its own retries are counted, and an answer behind them counts."""
    result = read(CODEX, CODEX_BEGINS + CODEX_RETRIES + CODEX_ANSWERS)
    assert (result.content, result.inner_retries) == ("hello from stub", 2)


def test_codex_is_cut_off() -> None:
    """A turn that was never completed is a failure, whatever the exit code."""
    *cut, _ = CODEX_ANSWERS.splitlines()
    result = read(CODEX, CODEX_BEGINS + "\n".join(cut))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.BROKEN_RESPONSE
    assert result.content == "hello from stub"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("unexpected status 502 Bad Gateway: <html>, url: http://127.0.0.1/v1", "server_error"),
        ("Quota exceeded. Check your plan and billing details.", "quota_exhausted"),
        ("Codex ran out of room in the model's context window.", "context_too_long"),
        ("The model `stub-model` does not exist or you do not have access to it.", "not_found"),
        ("Selected model is at capacity. Please try a different model.", "overloaded"),
        ("stream disconnected before completion: Transport error", "broken_response"),
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate_limited"),
        (r"{\"error\": {\"message\": \"API key not valid (stub)\"}}", "auth"),
    ],
)
def test_codex_fails(message: str, kind: str) -> None:
    """Its errors are understood without a rule of its own."""
    stdout = CODEX_BEGINS + CODEX_RETRIES + codex_fails(message)
    result = read(CODEX, stdout, exit_code=1, stderr=CODEX_STDERR)
    assert result.failure is not None
    assert result.failure.kind == kind
    assert result.failure.evidence.startswith("error event")
    assert (result.content, result.inner_retries) == (None, 2)


def test_opencode_answers() -> None:
    """The last text is the answer; tokens and cost of all steps are added up."""
    result = read(OPENCODE, OPENCODE_ANSWERS + OPENCODE_FINISHES)
    assert (result.content, result.failure) == ("hello from stub", None)
    assert result.agent_session_id == "ses_df7269b3dffemm6FqKHtR0ikdA"
    assert (result.usage, result.cost_usd) == (Usage(24, 14, 0), 0.75)


def test_opencode_is_cut_off() -> None:
    """A stream without its last step is a failure."""
    result = read(OPENCODE, OPENCODE_ANSWERS)
    assert result.failure is not None
    assert result.failure.kind is FailureKind.BROKEN_RESPONSE


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ('"message":"Invalid value for \'input\' (stub).","statusCode":400', "invalid_request"),
        ('"message":"API key not valid (stub)","statusCode":400', "auth"),
        ('"message":"Billing hard limit has been reached","statusCode":400', "billing"),
        ('"message":"The server had an error. Sorry about that!","statusCode":500', "server_error"),
        ('"message":"The operation timed out."', "network"),
    ],
)
def test_opencode_fails(data: str, kind: str) -> None:
    """Its errors are understood by their words and their status."""
    result = read(OPENCODE, opencode_fails(data), exit_code=1)
    assert result.failure is not None
    assert result.failure.kind == kind


def test_opencode_says_when_a_limit_ends() -> None:
    """The time in the words of a rate limit is the time of its end."""
    words = "Rate limit reached for stub-model on tokens per min (TPM). Please try again in 2s."
    failure = read(
        OPENCODE, opencode_fails(f'"message":"{words}","statusCode":429'), exit_code=1
    ).failure
    assert failure is not None
    assert failure.kind is FailureKind.RATE_LIMITED
    assert failure.resets_at == NOW + timedelta(seconds=2)


@pytest.mark.parametrize(
    ("described", "stderr"),
    [
        (CODEX, "Error: thread/resume failed: no rollout found for thread id 1234 (code -32600)"),
        (OPENCODE, "\x1b[91m\x1b[1mError: \x1b[0mSession not found"),
    ],
)
def test_a_session_that_is_gone(described: Description, stderr: str) -> None:
    """What they say of a session that is gone is recognised."""
    reader = DescribedReader(description=described)
    assert reader.refuses_session(Ending(1, "", stderr))
