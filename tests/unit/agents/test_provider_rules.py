"""What providers say is understood whoever hands it on, and ordinary sentences are left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from undaunted.agents.provider_rules import PROVIDER_GENERAL, PROVIDER_SPECIFIC
from undaunted.agents.rules import Evidence, RuleSet

RULES = RuleSet(specific=PROVIDER_SPECIFIC, general=PROVIDER_GENERAL)
NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)


def kind_of(text: str, status: int | None = None) -> str | None:
    failure = RULES.classify([Evidence("stderr", text, status)], now=NOW, tz=UTC)
    return str(failure.kind) if failure else None


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        # OpenAI
        ("Incorrect API key provided: sk-***.", 401, "auth"),
        ("You exceeded your current quota, please check your plan and billing details.", 429,
         "quota_exhausted"),
        ("Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000", 429, "rate_limited"),
        ("This model's maximum context length is 128000 tokens.", 400, "context_too_long"),
        ("The model `gpt-9` does not exist or you do not have access to it.", 404, "not_found"),
        ("Billing hard limit has been reached", 400, "billing"),
        ("The server had an error while processing your request.", 500, "server_error"),
        ("Country, region, or territory not supported", 403, "permission"),
        # Anthropic
        ('{"type":"overloaded_error","message":"Overloaded"}', 529, "overloaded"),
        ("Your credit balance is too low to access the API.", 400, "billing"),
        ("prompt is too long: 210000 tokens > 200000 maximum", 400, "context_too_long"),
        ('{"type":"authentication_error","message":"invalid x-api-key"}', 401, "auth"),
        ('{"type":"api_error","message":"Internal server error"}', None, "server_error"),
        # Google
        ("API key not valid. Please pass a valid API key.", 400, "auth"),
        ("Quota exceeded for metric GenerateRequestsPerMinutePerProject per minute", 429,
         "rate_limited"),
        ("Quota exceeded for metric GenerateRequests, limit: 250 per day", 429, "quota_exhausted"),
        ('"status": "RESOURCE_EXHAUSTED"', None, "rate_limited"),
        ('"status": "UNAVAILABLE"', None, "overloaded"),
        ('"status": "PERMISSION_DENIED"', 403, "permission"),
        # Amazon
        ("ThrottlingException: Too many requests, please wait", 429, "rate_limited"),
        ("ExpiredTokenException: The security token is expired", 403, "auth"),
        # Clients and programs
        ("connect ECONNREFUSED 127.0.0.1:443", None, "network"),
        ("dial tcp: lookup api.example.com: no such host", None, "network"),
        ("requests.ConnectionError: Max retries exceeded with url: /v1", None, "network"),
        ("unexpected end of JSON input", None, "broken_response"),
        ("error: unknown option '--jsn'", None, "misconfigured"),
        ("sh: 1: robin: command not found", None, "not_installed"),
        ("You're not logged in. Please log in first.", None, "auth"),
    ],
)  # fmt: skip
def test_what_providers_say(text: str, status: int | None, kind: str) -> None:
    """A provider's sentence has its kind, with the status that it comes with."""
    assert kind_of(text, status) == kind


@pytest.mark.parametrize(
    "text",
    [
        "wrote src/billing/quota.py and tests/auth/test_login.py",
        "reading ~/.config/robin/session.json",
        "the answer is 42",
        "Note: the context of this function is unclear",
        "429 lines were changed",
    ],
)
def test_what_is_no_failure(text: str) -> None:
    """Words that stand in paths and answers as well explain nothing by themselves."""
    assert kind_of(text) is None
