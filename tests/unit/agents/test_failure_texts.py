"""An agent's sentences mean the same wherever they stand, and ordinary words mean nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.reader import Ending, OutputReader
from undaunted.failures import Failure

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
READERS: dict[str, type[OutputReader]] = {"claude": ClaudeReader, "gemini": GeminiReader}

# (agent, kind, sentence): from the vendors' error references and the programs' own texts.
SENTENCES = [
    ("claude", "auth", "Your account is on hold and can't use Claude Code."),
    ("claude", "auth", "Invalid auth token · Fix external auth token"),
    ("claude", "auth", "Could not resolve authentication method. Expected one of apiKey"),
    ("claude", "auth", "API Error: 400 This organization has been disabled."),
    ("claude", "auth", "AWS credentials expired or invalid"),
    ("claude", "auth", "This service is disabled for your org"),
    ("claude", "billing", "Usage credits required for 1M context"),
    ("claude", "billing", "Your org is out of usage · add funds to continue"),
    ("claude", "broken_response", "API Error: No response from API"),
    ("claude", "broken_response", "API Error: Response stalled while thinking, try again."),
    ("claude", "broken_response", "Streaming response ended before any complete data"),
    ("claude", "content_policy", "API Error: Output blocked by content filtering policy"),
    ("claude", "content_policy", "API Error: Opus 4.8's safeguards flagged this message"),
    ("claude", "context_too_long", "Input is too long for requested model"),
    ("claude", "crashed", "FATAL ERROR: Reached heap limit Allocation failed"),
    ("claude", "invalid_request", "Image was too large. Try resizing the image."),
    ("claude", "limit_reached", "API Error: response exceeded the 32000 output token maximum."),
    ("claude", "misconfigured", "API Error: Claude Code 2.1.1 does not support this model"),
    ("claude", "network", "Authentication error · This may be a temporary network issue"),
    ("claude", "network", "SSL certificate verification failed"),
    ("claude", "network", "The operation timed out."),
    ("claude", "not_found", "Claude Opus is not available with the Claude Pro plan. Run /login."),
    ("claude", "not_found", "Model 'claude-x' not found"),
    ("claude", "not_installed", "bash: line 1: claude: command not found"),
    ("claude", "quota_exhausted", "You've hit your org's monthly usage limit · resets 3pm"),
    ("claude", "quota_exhausted", "You've reached your Fable 5 limit. /model to switch models."),
    ("claude", "quota_exhausted", "You've hit your team's shared budget"),
    ("claude", "quota_exhausted", "Limit reached · resets 8:30pm (Europe/Berlin)"),
    ("claude", "quota_exhausted", "spend limit reached (daily; resets 2026-07-31 00:00 UTC)"),
    ("claude", "rate_limited", "API Error: Rate limit reached"),
    ("gemini", "auth", "API key expired. Please renew the API key."),
    ("gemini", "auth", "Failed to login. Workspace accounts must configure a project"),
    ("gemini", "auth", "Verify your account to continue"),
    ("gemini", "billing", "Your project has exceeded its monthly spending cap."),
    ("gemini", "content_policy", "Response stopped due to prohibited content."),
    ("gemini", "interrupted", "Operation cancelled."),
    ("gemini", "misconfigured", "Error in ~/.gemini/settings.json: Unexpected token }"),
    ("gemini", "network", "Error authenticating: FetchError: reason: getaddrinfo ENOTFOUND x"),
    ("gemini", "network", "Client network socket disconnected before secure TLS connection"),
    ("gemini", "not_found", "[API Error: Requested entity was not found.]"),
    ("gemini", "overloaded", 'Error authenticating: GaxiosError: {"code": 503, "message": "x"}'),
    ("gemini", "permission", 'Approval mode "yolo" is only allowed in trusted folders.'),
    ("gemini", "quota_exhausted", "Quota exceeded, limit: 0, model: x. Please retry in 26.3s."),
    ("gemini", "quota_exhausted", "Usage limit reached for gemini-2.5-pro."),
    ("gemini", "rate_limited", "Quota exceeded, limit: 10, model: x. Please retry in 26.3s."),
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
