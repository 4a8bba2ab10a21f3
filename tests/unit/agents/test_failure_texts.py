"""An agent's sentences mean the same wherever they stand, and ordinary words mean nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.codex_output import CodexReader
from undaunted.agents.copilot_output import CopilotReader
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.opencode_output import OpencodeReader
from undaunted.agents.reader import Ending, OutputReader
from undaunted.failures import Failure

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
READERS: dict[str, type[OutputReader]] = {
    "claude": ClaudeReader,
    "codex": CodexReader,
    "copilot": CopilotReader,
    "gemini": GeminiReader,
    "opencode": OpencodeReader,
}

# (agent, kind, sentence): from the vendors' error references and the programs' own texts.
SENTENCES = [
    ("claude", "auth", "Your account is on hold and can't use Claude Code."),
    ("claude", "auth", "Service account credentials have been revoked or expired."),
    ("claude", "auth", "API Error: 401 Invalid bearer token"),
    ("claude", "auth", "API key was rejected. Your IAM policy may be missing bedrock:InvokeModel."),
    ("claude", "auth", "Token is expired. To refresh this SSO session run 'aws sso login'."),
    ("claude", "auth", "Invalid Bedrock API key. Check the key and try again."),
    ("claude", "auth", "Invalid auth token · Fix external auth token"),
    ("claude", "auth", "No Application Default Credentials found."),
    ("claude", "auth", "API Error: 400 This organization has been disabled."),
    ("claude", "auth", "Could not resolve authentication method. Expected one of apiKey"),
    ("claude", "auth", "AWS credentials expired or invalid"),
    ("claude", "auth", "Couldn't save your login"),
    ("claude", "auth", "This service is disabled for your org"),
    ("claude", "billing", "API Error: 403 Your account does not have sufficient funds"),
    ("claude", "billing", "Usage credits required for 1M context"),
    ("claude", "billing", "Your org is out of usage · add funds to continue"),
    ("claude", "broken_response", "API Error: Response stalled while thinking, try again."),
    ("claude", "broken_response", "Streaming response ended before any complete data"),
    ("claude", "broken_response", "API Error: No response from API"),
    ("claude", "content_policy", "API Error: Opus 4.8's safeguards flagged this message"),
    ("claude", "content_policy", "API Error: Output blocked by content filtering policy"),
    ("claude", "content_policy", "API Error: The response was blocked (stop reason: refusal)"),
    (
        "claude",
        "context_too_long",
        "API Error: 400 This model's maximum context length is 131072 tokens.",
    ),
    ("claude", "context_too_long", "Input is too long for requested model"),
    ("claude", "context_too_long", "Context exceeds the 200000-token limit by 1000 tokens"),
    ("claude", "crashed", "Illegal instruction (core dumped)"),
    ("claude", "crashed", "Killed"),
    ("claude", "crashed", "FATAL ERROR: Reached heap limit Allocation failed"),
    ("claude", "invalid_request", "Image was too large. Try resizing the image."),
    ("claude", "invalid_request", "Image base64 size (7 MB) exceeds API limit (5 MB)."),
    ("claude", "limit_reached", "API Error: response exceeded the 32000 output token maximum."),
    ("claude", "misconfigured", "Error: Invalid permission mode 'x'"),
    ("claude", "misconfigured", "EROFS: read-only file system, mkdir '/home/x/.claude'"),
    ("claude", "misconfigured", "API Error: Claude Code 2.1.1 does not support this model"),
    (
        "claude",
        "misconfigured",
        "Error: --agents takes a JSON object, or a file path only with --print (-p)",
    ),
    ("claude", "misconfigured", "Claude Code requires Node.js version 18 or higher"),
    ("claude", "misconfigured", "Can't read the current directory"),
    ("claude", "network", "The operation timed out."),
    ("claude", "network", "API Error: 403 x-deny-reason: host_not_allowed"),
    (
        "claude",
        "network",
        "Could not resolve gateway host llm.corp. Connect to your organization's network",
    ),
    ("claude", "network", "Authentication error · This may be a temporary network issue"),
    ("claude", "network", "SSL certificate verification failed"),
    ("claude", "network", "unable to verify the first certificate"),
    ("claude", "network", "Connection to establish proxy tunnel ended unexpectedly"),
    ("claude", "not_found", "Model 'claude-x' not found"),
    ("claude", "not_found", "Claude Opus is not available with the Claude Pro plan. Run /login."),
    ("claude", "not_found", "claude-opus-9 is not in your organization's allowed models"),
    ("claude", "not_found", "API Error: 400 The provided model identifier is invalid."),
    ("claude", "not_installed", "bash: line 1: claude: command not found"),
    ("claude", "overloaded", "ModelNotReadyException: Model is not ready for inference."),
    ("claude", "quota_exhausted", "You've hit your org's monthly usage limit · resets 3pm"),
    ("claude", "quota_exhausted", "You've hit your team's shared budget"),
    ("claude", "quota_exhausted", "spend limit reached (daily; resets 2026-07-31 00:00 UTC)"),
    ("claude", "quota_exhausted", "You've reached your Fable 5 limit. /model to switch models."),
    ("claude", "quota_exhausted", "Too many tokens per day, please wait before trying again."),
    ("claude", "quota_exhausted", "Limit reached · resets 8:30pm (Europe/Berlin)"),
    ("claude", "quota_exhausted", "You've hit your fast limit"),
    ("claude", "rate_limited", "API Error: Rate limit reached"),
    ("claude", "rate_limited", "Concurrency Limit reached"),
    (
        "claude",
        "rate_limited",
        "ThrottlingException: Too many requests, please wait before trying again.",
    ),
    ("gemini", "auth", "Token has been expired or revoked."),
    ("gemini", "auth", "API key expired. Please renew the API key."),
    ("gemini", "auth", "Failed to login. Workspace accounts must configure a project"),
    (
        "gemini",
        "auth",
        "You must be a named user on your organization's Gemini Code Assist subscription",
    ),
    ("gemini", "auth", "Verify your account to continue"),
    ("gemini", "auth", "Failed to sign in. Message: Request contains an invalid argument"),
    ("gemini", "auth", '{"error":{"code":403,"message":"Your API key was reported as leaked."}}'),
    ("gemini", "billing", "Your project has exceeded its monthly spending cap."),
    ("gemini", "billing", '[API Error: {"code":403,"details":[{"reason":"BILLING_DISABLED"}]}]'),
    ("gemini", "content_policy", "Response stopped due to forbidden terms (blocklist)"),
    ("gemini", "content_policy", "Response stopped due to prohibited content."),
    (
        "gemini",
        "context_too_long",
        "This might exceed the remaining context window limit (100 tokens).",
    ),
    ("gemini", "interrupted", "Operation cancelled."),
    ("gemini", "invalid_request", "[API Error: Request contains an invalid argument.]"),
    ("gemini", "limit_reached", "Model response was truncated due to MAX_TOKENS"),
    ("gemini", "misconfigured", "Error in ~/.gemini/settings.json: Unexpected token }"),
    ("gemini", "misconfigured", "ReferenceError: File is not defined"),
    ("gemini", "misconfigured", 'Error starting session: Session ID "x" already exists.'),
    ("gemini", "network", "HeadersTimeoutError: Headers Timeout Error"),
    ("gemini", "network", "Error authenticating: FetchError: reason: getaddrinfo ENOTFOUND x"),
    ("gemini", "network", "tunneling socket could not be established, statusCode=407"),
    ("gemini", "network", "Client network socket disconnected before secure TLS connection"),
    ("gemini", "network", "SELF_SIGNED_CERT_IN_CHAIN"),
    ("gemini", "not_found", "[API Error: Requested entity was not found.]"),
    ("gemini", "not_installed", "/usr/bin/env: \u2018node\u2019: No such file or directory"),
    ("gemini", "overloaded", 'Error authenticating: GaxiosError: {"code": 503, "message": "x"}'),
    (
        "gemini",
        "permission",
        "This version of Gemini CLI is disabled by your organization administrator",
    ),
    ("gemini", "permission", 'Approval mode "yolo" is only allowed in trusted folders.'),
    ("gemini", "quota_exhausted", "Usage limit reached for gemini-2.5-pro."),
    ("gemini", "quota_exhausted", "Quota exceeded, limit: 0, model: x. Please retry in 26.3s."),
    (
        "gemini",
        "quota_exhausted",
        "Usage limit reached for gemini-3-flash. Access resets at 10:57 PM GMT-3.",
    ),
    ("gemini", "rate_limited", "Quota exceeded, limit: 10, model: x. Please retry in 26.3s."),
    (
        "gemini",
        "server_error",
        "The server encountered a temporary error and could not complete your request.",
    ),
    ("claude", "billing", "Your payment failed. Update your payment method."),
    ("claude", "broken_response", "API Error: aborted"),
    ("claude", "broken_response", "API Error: The model's tool call could not be parsed"),
    ("claude", "permission", "Error: EPERM: operation not permitted, open '/root/.claude.json'"),
    ("claude", "quota_exhausted", "You've used all your usage · resets 12am (UTC)"),
    ("codex", "auth", "Error: You need to sign in to use Codex"),
    ("codex", "invalid_request", "Invalid value: 'xhigh'. Supported values are: 'low'."),
    ("codex", "invalid_request", "No tool output found for function call call_abc."),
    ("codex", "rate_limited", "stream disconnected before completion: Rate limit is exceeded."),
    ("codex", "server_error", "An error occurred while processing the request."),
    ("copilot", "network", "Error: Model response stream timed out after 120s"),
    ("copilot", "permission", "Resource protected by organization SAML enforcement."),
    ("copilot", "permission", "Request to GitHub API failed with status 403 (request ID: 1)"),
    ("copilot", "quota_exhausted", "You have used all your premium requests for this month."),
    ("copilot", "rate_limited", "Error Code: agent_mode_limit_exceeded"),
    ("gemini", "auth", "[API Error: Unable to find credentials in the environment]"),
    ("gemini", "network", "Failed to connect: network timeout at https://example.org"),
    ("opencode", "auth", "Authentication Fails, Your api key: ****abcd is invalid"),
    ("opencode", "auth", "No auth credentials found"),
    ("opencode", "billing", "Budget has been exceeded! Current cost: 10.2, Max budget: 10.0"),
    ("opencode", "billing", "Your subscription has expired."),
    ("opencode", "content_policy", "Input data may contain inappropriate content."),
    ("opencode", "context_too_long", "Range of input length should be [1, 129024]"),
    ("opencode", "not_found", "The model `x` has been decommissioned."),
    ("opencode", "not_found", "No endpoints found that support tool use."),
    ("opencode", "overloaded", "ServiceUnavailableException: unable to process your request."),
    ("opencode", "overloaded", "We're experiencing high traffic right now!"),
    ("opencode", "quota_exhausted", "Key limit exceeded (weekly limit)."),
    ("opencode", "quota_exhausted", "You're out of extra usage · resets 10:30pm (Europe/Rome)"),
    ("opencode", "rate_limited", "Your organization reached max RPM: 3"),
    ("opencode", "rate_limited", "google/x:free is temporarily rate-limited upstream."),
]

# Words of a project (folders, hosts, tools) that an error happens to quote.
QUOTING = [
    ("misconfigured", "Error: Settings file not found: /srv/billing-service/settings.json"),
    ("misconfigured", "Error: Invalid MCP configuration: not found: /src/login/mcp.json"),
    ("misconfigured", "Error: Invalid MCP configuration: not found: /src/payment/mcp.json"),
    ("invalid_request", "API Error: 400 tools.3.custom.name: 'get_billing_address' is too long"),
    ("invalid_request", "API Error: 400 tools.9: mcp__shop__list_payment_intents"),
    ("server_error", "API Error: 502 Bad Gateway. Check your gateway (billing.example.org)."),
    ("server_error", "API Error: 500 Internal server error at /v1/login/token"),
    ("unknown", "Error: ENOENT: no such file or directory, open '/w/app/login/page.tsx'"),
    ("unknown", "TypeError: undefined is not an object (evaluating 'payment.total')"),
]


def failure_of(agent: str, ending: Ending) -> Failure:
    failure = READERS[agent]().conclude(ending, now=NOW, tz=UTC).failure
    assert failure is not None
    return failure


@pytest.mark.parametrize(("agent", "kind", "sentence"), SENTENCES)
def test_sentence_is_known(agent: str, kind: str, sentence: str) -> None:
    """A sentence that is all that a failed run said names its kind."""
    assert failure_of(agent, Ending(1, sentence, text_mode=True)).kind == kind


@pytest.mark.parametrize("agent", sorted(READERS))
@pytest.mark.parametrize(
    ("status", "kind"), [(401, "auth"), (429, "rate_limited"), (502, "server_error")]
)
def test_a_status_in_words_that_nobody_knows(agent: str, status: int, kind: str) -> None:
    """What an HTTP client says of a refusal names its status, and that decides."""
    said = Ending(1, "", f"AxiosError: Request failed with status code {status}")
    assert failure_of(agent, said).kind == kind


@pytest.mark.parametrize(("kind", "sentence"), QUOTING)
def test_quoted_words_close_no_agent(kind: str, sentence: str) -> None:
    """An error that quotes a path, a host or a tool is not taken for a bill or a login."""
    assert failure_of("claude", Ending(1, "", sentence)).kind == kind


@pytest.mark.parametrize(
    "answer", ["Payment required: enable billing. ", '{"code": 401}', "The daily quota is 5h."]
)
def test_geminis_answer_explains_no_failure(answer: str) -> None:
    """In text mode a broken answer on stdout is the model's words, whatever they speak of."""
    broken = Ending(0, answer, "[ERROR] Model stream ended without a finish reason.\n", True)
    assert failure_of("gemini", broken).kind == "broken_response"


@pytest.mark.parametrize(
    "line",
    [
        "Error executing tool run_shell_command: npm ERR! invalid api key",
        "MCP server 'github' requires authentication. authentication required",
    ],
)
def test_a_tools_trouble_is_not_geminis(line: str) -> None:
    """What a tool or an MCP server complains of does not explain the agent's own failure."""
    error = 'Error when talking to Gemini API _ApiError: {"error":{"code":500,"message":"x"}}'
    assert failure_of("gemini", Ending(1, "", f"{line}\n{error}\n", True)).kind == "server_error"


@pytest.mark.parametrize("agent", ["codex", "copilot", "opencode"])
@pytest.mark.parametrize(
    "path", ["app/unauthorized/page.tsx", "app/forbidden.tsx", "jobs/per_day.py", "per_day/x"]
)
def test_a_path_tells_no_agent_off(agent: str, path: str) -> None:
    """A file named after a failure is none."""
    said = Ending(1, "", f"Error: ENOENT: no such file or directory, open '/w/{path}'")
    assert failure_of(agent, said).kind == "unknown"


def test_all_that_a_tool_printed_is_no_trouble_of_geminis() -> None:
    """The lines behind a tool's error are the tool's until the program speaks for itself again."""
    tool = (
        "Error executing tool run_shell_command: Command: x\nOutput: invalid api key\nExit Code: 1"
    )
    assert failure_of("gemini", Ending(0, "", f"{tool}\n")).kind == "broken_response"
    own = "Error when talking to Gemini API TypeError: fetch failed"
    assert failure_of("gemini", Ending(1, "", f"{tool}\n{own}\n", True)).kind == "network"


def test_an_mcp_server_is_not_codex() -> None:
    """A tool server that wants a login does not explain why the turn failed."""
    said = '{"type":"turn.failed","error":{"message":"something new"}}'
    server = "MCP client for `forge` failed to start: 401 Unauthorized\n"
    assert failure_of("codex", Ending(1, said, server)).kind == "unknown"


@pytest.mark.parametrize("flood", ['{"a":\n', "{\n", "\\"])
def test_a_flood_of_braces_or_backslashes_costs_gemini_little(flood: str) -> None:
    """The error object behind it is found at once, whatever it could have been a part of."""
    braces = flood * 200_000 + "\n"
    error = '{"error": {"message": "x", "code": 500}}'
    started = time.perf_counter()
    assert failure_of("gemini", Ending(244, "", f"{braces}{error}\n")).kind == "server_error"
    assert time.perf_counter() - started < 5  # it was minutes


@pytest.mark.parametrize("agent", sorted(READERS))
def test_an_error_behind_a_flood_is_found(agent: str) -> None:
    """Of an endless text the ends are searched, and what stands there is found at once."""
    flood = "usage limit: no such word here\n" * 200_000
    assert failure_of(agent, Ending(1, "", flood + "fetch failed: ECONNRESET")).kind == "network"
