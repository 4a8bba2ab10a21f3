"""What the providers of models say when they fail, whichever program hands their words on.

For agents whose own words nobody has collected yet: rules for the error codes and sentences of
OpenAI, Anthropic, Google and Amazon, and for what HTTP clients say of a broken network.

Source: the providers' documented error codes, and messages quoted in public issues.
"""

from __future__ import annotations

from collections.abc import Sequence

from undaunted.agents.rules import PROGRAM_RULES, TextRule
from undaunted.failures import FailureKind

__all__ = ["PROVIDER_GENERAL", "PROVIDER_SPECIFIC"]

K = FailureKind

# Ordered: what is said beside a word decides ("quota" with "per minute" is a rate limit). Words
# that stand in paths, hosts and prompts as well need company.
PROVIDER_SPECIFIC: Sequence[TextRule] = (
    TextRule(
        K.CONTEXT_TOO_LONG,
        r"context_length_exceeded|context[ _]window|maximum context length|prompt is too long"
        r"|request_too_large|exceeds the maximum number of tokens|too many input tokens"
        r"|input is too long|context (?:length|limit) (?:exceeded|reached)|request too large"
        r"|exceed\w* the (?:token|context) limit|range of input length"
        r"|(?:input )?tokens exceed|too long for (?:the )?context"
        r"|context length of only",
    ),
    TextRule(
        K.CONTENT_POLICY,
        r"content_(?:policy|filter)\w*"
        r"|violat\w+ (?:\S+ ){0,4}(?:usage|content|safety) (?:polic|guideline)"
        r"|flagged (?:as potentially|by (?:the|our) safety)|blocked by (?:the |our )?safety"
        r"|responsible ?ai ?policy|prohibited_content|blocked due to (?:safety|recitation)"
        r"|content management policy|inappropriate content|\bhigh[- ]risk\b",
    ),
    # Money that comes back by itself is a quota: nobody has to be asked.
    TextRule(K.QUOTA_EXHAUSTED, r"extra usage\b[^\n]{0,60}\bresets \S+"),
    TextRule(
        K.BILLING,
        r"billing_(?:hard_limit|error|not_active)\w*|credit balance|insufficient (?:funds|credits?)"
        r"|billing (?:hard limit|is not|has not been|account)|payment required|out of credits"
        r"|credits are depleted|spend(?:ing)? (?:cap|limit)|add (?:funds|credits)"
        r"|your extra usage|account\b[^.\n]{0,60} is suspended|insufficient (?:account )?balance"
        r"|(?:over|your) budget\b|budget has been exceeded|payment failed|your payment method"
        r"|(?:subscription|package|plan) has (?:expired|ended|lapsed)",
    ),
    TextRule(
        K.RATE_LIMITED,
        r"quota exceeded for[^.]{0,80}per[ _]?minute|(?:tokens|requests) per min"
        r"|rate_limit_(?:exceeded|error)|\bthrottl(?:ed|ing)|too many (?:requests|tokens)"
        r"|temporarily rate-limited|\bmax (?:RPM|TPM)\b|reduce concurrency",
    ),
    TextRule(
        K.QUOTA_EXHAUSTED,
        r"insufficient_quota|exceeded your (?:current |monthly |weekly |daily )?quota"
        r"|usage_limit_reached|usage limit (?:has been )?(?:reached|exceeded)|weekly rate limit"
        r"|(?:hit|reached|exceeded|used up) your (?:[^\s.]+ ){0,3}(?:limit|quota|allowance)\b"
        r"|\blimit reached\b[^\n]{0,20}\bresets\b|QUOTA_EXHAUSTED"
        r"|(?:free|premium|plan) (?:\S+ )?usage exceeded|tokens per day|per[ _]?day\b(?!/|\.\w)"
        r"|quota (?:has been )?exceeded|exceeded your premium|\bkey limit exceeded"
        r"|(?:session|daily|weekly|monthly) limit (?:has been )?(?:reached|exceeded|exhausted)"
        r"|\bused (?:all|up|\d+% of) (?:of )?your (?:[^\s.]+ ){0,3}"
        r"(?:limit|quota|usage|requests)\b",
    ),
    TextRule(
        K.AUTH,
        r"(?:in|not a )valid[ _](?:x-)?api[ _-]?key|(?:incorrect|no) api key|api key not valid"
        r"|invalid (?:bearer token|authentication|subscription key)|authentication fails"
        r"|api[ _-]?key\b[^.\n]{0,40} (?:is|has been) (?:invalid|expired|revoked|disabled)\b"
        r"|\bAuthenticationError\b|login fail\b|failed to (?:get|obtain|refresh) (?:\w+ )?token"
        r"|unable to find credentials|api[ _-]?key\b[^.\n]{0,40} (?:is missing|must be set)"
        r"|organization has been disabled"
        r"|\binvalid_api_key\b|authentication_error|UNAUTHENTICATED|expired ?token"
        r"|(?:not|must be) logged in|(?:please|need to) (?:log|sign) in|sign(?:ing)? in again"
        r"|no auth(?:entication)? (?:information|credentials)|token refresh failed|refresh token"
        r"|authentication (?:failed|required|timed out)|run \S*/login\b|disabled organization"
        r"|access token (?:has |is )?expired|\binvalid_grant\b|credentials are not valid"
        r"|(?:specify|set) (?:the )?\w+_API_KEY|authorization is required|error authenticating",
    ),
    TextRule(
        K.PERMISSION,
        r"PERMISSION_DENIED|permission_error|access ?denied ?exception|unsupported_country"
        r"|(?:region|country)[^.]{0,40}not supported|not supported in your (?:region|country)"
        r"|not (?:inside|running in) a trusted (?:directory|folder)|\bSAML enforcement"
        r"|^(?:error: )?access denied\b|tokens are not supported|restricted \w+ access"
        r"|your plan does not include",
    ),
    TextRule(
        K.NOT_FOUND,
        r"model_not_found|not_found_error|model[^.]{0,80}(?:not found|does not exist)"
        r"|\bmodel\b[^\n]{0,60}(?:deprecated|decommissioned|no longer|retired)|invalid model\b"
        r"|deployment [^.\n]{0,40}does not exist|no models? loaded|does not support tools"
        r"|model (?:\S+ )?(?:is )?(?:unavailable|not supported)|unknown model|no such model"
        r"|issue with the selected model|(?:conversation|session) (?:was )?not found"
        r"|no (?:conversation|session) (?:was )?found|model identifier is invalid"
        r"|no endpoints? (?:found|available)",
    ),
    TextRule(K.LIMIT_REACHED, r"max(?:imum)? (?:number of )?(?:session )?turns"),
    TextRule(
        K.OVERLOADED,
        r"overloaded|at capacity|no capacity|CAPACITY_EXHAUSTED|high (?:demand|load|traffic)"
        r"|capacity exceeded|no deployments available"
        r"|(?:temporarily|currently) unavailable|service ?unavailable",
    ),
    TextRule(
        K.BROKEN_RESPONSE,
        r"stream (?:disconnected|ended|closed)|unexpected end of (?:json|stream|file|input)"
        r"|incomplete (?:json|chunked|response)|empty response|(?:mal|de)formed response"
        r"|missing finish_reason|premature close|TypeError: terminated",
    ),
    TextRule(
        K.NETWORK,
        r"\bE(?:CONN\w+|NOTFOUND|TIMEDOUT|AI_AGAIN|PIPE|HOSTUNREACH|NETUNREACH)\b|fetch failed"
        r"|connection (?:error|refused|reset|aborted|closed|lost|timed out)|socket hang up"
        r"|unable to connect|check your internet"
        r"|(?:network|host) (?:error|is unreachable)|network is unreachable|dial tcp|i/o timeout"
        r"|error sending request|name or service not known|failure in name resolution"
        r"|getaddrinfo|tls handshake|certificate (?:verify failed|has expired)"
        r"|(?:request|operation|read|stream) timed out|network timeout"
        r"|upstream connect error|reset before headers|connection terminated"
        r"|max retries exceeded with url|remote end closed",
    ),
)
"""What outranks the HTTP status, most telling first."""

PROVIDER_GENERAL: Sequence[TextRule] = (
    TextRule(
        K.RATE_LIMITED,
        r"rate[ _-]limit|limiting requests|RESOURCE_EXHAUSTED"
        r"|(?:retry|try again) (?:in|after) \d(?!\d* (?:hour|day))",
    ),
    TextRule(
        K.QUOTA_EXHAUSTED, r"(?<![\w./-])quota\b(?![\w/-]|\.\w)|try again in \d+ (?:hours?|days?)"
    ),
    TextRule(K.OVERLOADED, r"\bUNAVAILABLE\b"),
    TextRule(K.AUTH, r"(?<![\w./-])unauthori[sz]ed\b(?![\w/-]|\.\w)"),
    TextRule(K.PERMISSION, r"(?<![\w./-])forbidden\b(?![\w/-]|\.\w)|permission denied|EACCES"),
    TextRule(K.SERVER_ERROR, r"internal (?:server )?error|server_error|api_error|\bINTERNAL\b"),
    TextRule(
        K.INVALID_REQUEST,
        r"invalid_request(?:_error)?|INVALID_ARGUMENT|\bbad request\b|function name is invalid"
        r"|^(?:Error: )?(?:invalid value|missing required parameter): '"
        r"|no tool (?:call|output) found for function call",
    ),
    TextRule(
        K.MISCONFIGURED,
        r"(?:unknown|unrecogni[sz]ed|unexpected|invalid) (?:option|argument|flag)s?\b"
        r"|(?:invalid|missing) config(?:uration)?\b|argument list too long|is already in use",
    ),
    *PROGRAM_RULES,
)
"""What is left to the words where no status says more."""
