"""What Codex prints, and what its and ChatGPT's words mean."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest

from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.codex_output import CODEX_RULES, CodexReader
from undaunted.agents.reader import Ending
from undaunted.failures import Failure
from undaunted.tasks import PermissionDenial, Usage

NOW = datetime(2026, 7, 5, 10, 0, tzinfo=UTC)
SESSION = "01a20a58-a89f-7941-a0de-dbb0542d5a2b"


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def item(kind: str, *, state: str = "completed", **fields: object) -> str:
    return event(f"item.{state}", item={"id": "item_0", "type": kind, **fields})


STARTED = event("thread.started", thread_id=SESSION)
COMPLETED = event(
    "turn.completed", usage={"input_tokens": 12, "cached_input_tokens": 3, "output_tokens": 7}
)


def failed(message: str) -> str:
    return event("turn.failed", error={"message": message})


def conclude(
    *lines: str, exit_code: int = 0, stderr: str = "", text_mode: bool = False
) -> AgentResult:
    reader = CodexReader()
    for line in lines:
        reader.feed(line.encode())
    for line in stderr.splitlines():
        reader.feed_stderr(line.encode())
    ending = Ending(exit_code, "\n".join(lines), stderr, text_mode)
    return reader.conclude(ending, now=NOW, tz=UTC)


def failure_of(text: str) -> Failure:
    """How a run ended whose turn failed with `text`."""
    failure = conclude(STARTED, failed(text), exit_code=1).failure
    assert failure is not None
    return failure


def test_the_last_message_is_the_answer() -> None:
    """What it says on the way is not; session and tokens are read."""
    result = conclude(
        STARTED,
        item("agent_message", text="I will look."),
        item("command_execution", command="ls", status="completed"),
        item("agent_message", text="All is well."),
        COMPLETED,
    )
    assert (result.content, result.failure) == ("All is well.", None)
    assert result.agent_session_id == SESSION
    assert result.usage == Usage(12, 7, 3)


def test_work_without_a_word_is_an_answer() -> None:
    """A turn that ends with work done and nothing said succeeded; one without either did not."""
    done = conclude(STARTED, item("file_change", status="completed"), COMPLETED)
    assert (done.content, done.failure) == ("", None)
    nothing = conclude(STARTED, item("reasoning", text="hm"), COMPLETED)
    assert nothing.failure is not None
    assert nothing.failure.kind == "broken_response"


def test_a_clean_exit_without_an_end_is_a_failure() -> None:
    """Exit code 0 is no evidence; what was said is kept as a part."""
    result = conclude(STARTED, item("agent_message", text="I will look."))
    assert result.failure is not None
    assert result.failure.kind == "broken_response"
    assert result.content == "I will look."


def test_notices() -> None:
    """Its session, its tools and its retries are told as they come."""
    reader = CodexReader()
    lines = (
        STARTED,
        item("command_execution", state="started", command="ls"),
        item("reasoning", state="started"),
        event("error", message="Reconnecting... 1/2 (unexpected status 500)"),
        item("error", message="Model metadata not found"),
    )
    assert [reader.feed(line.encode()) for line in lines] == [
        RunNotice("session", SESSION),
        RunNotice("tool", "command_execution"),
        None,
        RunNotice("inner_retry", "Reconnecting... 1/2 (unexpected status 500)"),
        None,
    ]
    assert reader.inner_retries == 1


def test_offline_it_would_wait_without_end() -> None:
    """The third notice in a row is one of endless ones; between them nothing may come through."""
    reader = CodexReader()
    offline = event("error", message="Reconnecting... waiting for network (Connection failed: x)")
    come_through = item("reasoning", text="hm")

    def waits(lines: list[str]) -> list[float | None]:
        notices = [reader.feed(line.encode()) for line in lines]
        return [notice.wait_s for notice in notices if notice is not None]

    assert waits([offline] * 3) == [None, None, math.inf]
    assert waits([come_through, *[offline] * 2]) == [None, None]
    assert reader.inner_retries == 5


def test_retries_and_warnings_explain_no_failure() -> None:
    """What it survived says nothing of a later end."""
    result = conclude(
        STARTED,
        event("error", message="Reconnecting... 1/2 (exceeded retry limit, last status: 429)"),
        item("error", message="Falling back from WebSockets: 401"),
        exit_code=1,
    )
    assert result.failure is not None
    assert result.failure.kind == "crashed"


def test_the_models_words_explain_no_failure() -> None:
    """Neither an answer nor a command's output is evidence."""
    result = conclude(
        STARTED,
        item("agent_message", text="The rate limit is reached, log in again."),
        item("command_execution", aggregated_output="429 quota exceeded", status="failed"),
        failed("something new"),
        exit_code=1,
    )
    assert result.failure is not None
    assert result.failure.kind == "unknown"


def test_an_address_explains_nothing() -> None:
    """Words in the provider's address are not the provider's."""
    text = "unexpected status 500 Oops: x, url: http://billing.invalid/login/quota-exceeded"
    assert failure_of(text).kind == "server_error"
    assert "billing" not in failure_of(text).message


def test_denials() -> None:
    """What the sandbox stopped, a rule forbade, or nobody was there to approve."""
    log = "2026-11-23T21:37:28.367979Z ERROR codex_core::tools::router: error="
    result = conclude(
        STARTED,
        item("command_execution", command="a", status="declined"),
        item(
            "command_execution",
            command="touch /etc/x",
            status="failed",
            aggregated_output="touch: cannot touch '/etc/x': Read-only file system\n",
        ),
        item("command_execution", command="false", status="failed", aggregated_output=""),
        COMPLETED,
        stderr=f"{log}patch rejected: writing outside of the project; rejected by user\n"
        f'{log}exec_command failed: CreateProcess {{ message: "Rejected(\\"`rm -f x` rejected: '
        'rm -f style commands are not permitted\\")" }\n',
    )
    assert result.permission_denials == (
        PermissionDenial("command_execution", "a"),
        PermissionDenial("command_execution", "touch /etc/x"),
        PermissionDenial("apply_patch", "writing outside of the project"),
        PermissionDenial(
            "exec_command", "`rm -f x` rejected: rm -f style commands are not permitted"
        ),
    )


def test_text_mode() -> None:
    """Without --json stdout is the answer, and stderr has the program's errors among all else."""
    assert conclude("All is well.", text_mode=True).content == "All is well."
    talk = "OpenAI Codex v0.169.0\nuser\nwhy is the quota exceeded?\n"
    ended = conclude(exit_code=1, text_mode=True, stderr=f"{talk}ERROR: Selected model is at cap")
    assert ended.failure is not None
    assert ended.failure.message == "Selected model is at cap"
    silent = conclude(exit_code=1, text_mode=True, stderr=f"{talk}ERROR: Reconnecting... 1/2\n")
    assert silent.failure is not None
    assert (silent.failure.kind, silent.inner_retries) == ("crashed", 1)


@pytest.mark.parametrize(
    "text",
    [
        f"Error: thread/resume: thread/resume failed: no rollout found for thread id {SESSION}",
        f"thread/resume failed: thread {SESSION} already has an active writer (code -32600)",
        "error: unexpected argument '--add-dir' found",
        "The encrypted content gAAA...6KFQ could not be verified.",
    ],
)
def test_a_session_that_can_not_be_continued(text: str) -> None:
    """It is gone, in use, asked for with flags it does not take, or thought with another key."""
    assert CODEX_RULES.refuses_session(text)


# From the program's own strings and from what people quoted in public issues.
TEXTS = [
    ("quota_exhausted", "You\u2019ve hit your usage limit. Try again later."),
    (
        "quota_exhausted",
        "You've hit your usage limit. Add credits to go on, or try again at 3:05 PM.",
    ),
    ("quota_exhausted", "Quota exceeded. Check your plan and billing details."),
    ("quota_exhausted", "Usage limit reached. You've reached your usage limit."),
    ("quota_exhausted", "You have reached your weekly limit."),
    ("billing", "Your workspace is out of credits. Add credits to continue."),
    ("billing", "You hit your spend cap set in your workspace. Increase your spend cap."),
    ("billing", "To use Codex with your ChatGPT plan, upgrade to Plus."),
    ("billing", "You've reached your workspace credit limit"),
    ("billing", 'unexpected status 402 Payment Required: {"detail":{"code":"x"}}'),
    ("billing", '{"detail":{"code":"deactivated_workspace"}}'),
    ("billing", "Your account is not active, please check your billing details on our website."),
    ("rate_limited", "exceeded retry limit, last status: 429 Too Many Requests, request id: x"),
    ("rate_limited", "stream disconnected before completion: Rate limit reached for gpt-5."),
    ("rate_limited", "on tokens per min (TPM): Limit 30000. Please try again in 28ms."),
    ("auth", "exceeded retry limit, last status: 401 Unauthorized, request id: 99-OSL"),
    ("auth", "unexpected status 401 Unauthorized: Missing bearer or basic authentication"),
    ("auth", "Missing scopes: api.responses.write."),
    ("auth", "Your access token could not be refreshed. Please log out and sign in again."),
    ("auth", "Your authentication token has been invalidated. Please try signing in again."),
    ("auth", "auth error code: token_expired"),
    ("auth", "Missing environment variable: `AZURE_OPENAI_API_KEY`."),
    ("auth", "ChatGPT login is required, but an API key is currently being used."),
    ("auth", "Not logged in. Run codex login"),
    ("auth", "The security token included in the request is expired"),
    ("permission", "Your organization must be verified to use the model `gpt-5`."),
    ("permission", "unexpected status 403 Forbidden: Unknown error"),
    ("permission", "Country, region, or territory not supported"),
    ("network", "Access blocked by Cloudflare. This usually happens (status 403 Forbidden)"),
    ("network", "unexpected status 403 Forbidden: <html>Enable JavaScript and cookies to"),
    ("not_found", "The 'gpt-5' model is not supported when using Codex with a ChatGPT account."),
    ("not_found", "The model `gpt-5.2` does not exist or you do not have access to it."),
    ("not_found", "unexpected status 404 Not Found: Unknown error"),
    ("misconfigured", "The 'gpt-6' model requires a newer version of Codex. Please upgrade."),
    ("misconfigured", "Error loading config.toml: invalid type: integer `5`"),
    ("misconfigured", "Model provider `nope` not found"),
    ("misconfigured", "error: the argument '--last' cannot be used with '[SESSION_ID]'"),
    ("misconfigured", "failed to initialize in-process app-server client: x"),
    ("misconfigured", "No space left on device (os error 28)"),
    ("misconfigured", "OSS setup failed: No running Ollama server detected."),
    ("misconfigured", "required MCP servers failed to initialize: docs"),
    ("misconfigured", "stream disconnected before completion: builder error"),
    ("context_too_long", "Codex ran out of room in the model's context window."),
    ("context_too_long", "Your input exceeds the context window of this model."),
    ("context_too_long", "Input exceeds the maximum length of 1048576 characters."),
    ("context_too_long", "unexpected status 413 Payload Too Large: Unknown error"),
    ("content_policy", "This request has been flagged for possible cybersecurity risk."),
    ("content_policy", "Invalid prompt: we've limited access to this content for safety reasons."),
    ("content_policy", "This request was blocked due to a misalignment policy violation."),
    ("content_policy", "Incomplete response returned, reason: content_filter"),
    ("limit_reached", "Incomplete response returned, reason: max_output_tokens"),
    ("limit_reached", "Goal budget reached - the turn was stopped."),
    ("overloaded", "We\u2019re currently experiencing high demand, which may cause errors."),
    ("overloaded", "Selected model is at capacity. Please try a different model."),
    ("overloaded", "Policy-restricted capacity is unavailable. Please try again later."),
    ("overloaded", "unexpected status 503 Service Unavailable: Unknown error"),
    ("server_error", "exceeded retry limit, last status: 500 Internal Server Error"),
    ("server_error", "unexpected status 520 <unknown status code>: error code: 520"),
    (
        "server_error",
        "stream disconnected before completion: An error occurred while processing your request.",
    ),
    ("broken_response", "stream disconnected before completion: idle timeout waiting for SSE"),
    ("broken_response", "stream disconnected before completion: stream closed before response"),
    ("broken_response", "Error while reading the server response: error decoding response body"),
    ("network", "stream disconnected before completion: error sending request"),
    ("network", "stream disconnected before completion: Connection refused (os error 111)"),
    ("network", "stream disconnected before completion: failed to lookup address information"),
    ("network", "Reconnecting... waiting for network"),
    ("network", "request timed out"),
    ("network", "timeout waiting for child process to exit"),
    ("invalid_request", "Image poisoning"),
    ("invalid_request", "Invalid image in your last message. Please remove it and try again."),
    ("invalid_request", '{"detail":"Unsupported parameter: max_output_tokens"}'),
    ("invalid_request", '{"error":{"message":"x","type":"invalid_request_error","code":null}}'),
    ("interrupted", "turn aborted. Something went wrong? Hit `/feedback` to report the issue."),
    ("crashed", "internal error; agent loop died unexpectedly"),
    ("crashed", "thread 'main' panicked at core/src/codex.rs:1:1"),
    ("not_installed", "Missing optional dependency @openai/codex-linux-x64. Reinstall Codex"),
]


@pytest.mark.parametrize(("kind", "text"), TEXTS, ids=lambda text: text[:40])
def test_failure_texts(kind: str, text: str) -> None:
    """Each of the program's and the service's sentences has the kind that helps."""
    assert failure_of(text).kind == kind


def test_when_a_limit_ends() -> None:
    """The time of a plan's limit is read from the sentence, in the machine's zone."""
    text = (
        "You\u2019ve hit your usage limit. Upgrade to Plus to continue using Codex"
        " (https://chatgpt.com/explore/plus), or try again at Jul 5th, 2026 8:19 PM."
    )
    assert failure_of(text).resets_at == datetime(2026, 7, 5, 20, 19, tzinfo=UTC)
