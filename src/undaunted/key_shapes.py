"""Strings in the form of a key: the shapes that vendors document for their keys and tokens.

A shape is worth having only where it hits nothing else: each begins with a mark of its vendor, or
with the words that stand before a value in a header or a settings file. Where ordinary names begin
with the mark too, the shape asks for a digit (`sk-learn-compatible-estimators` has none). What has
no mark, such as a bare run of 32 hexadecimal digits, is left alone: it may be a commit.

Source: the vendors' pages on their keys, and the rules of secret scanners built on them (Anthropic
`sk-ant-`; OpenAI `sk-proj-`, `sk-svcacct-`, `sk-admin-`, formerly plain `sk-`; OpenRouter `sk-or-`;
Google `AIza` + 35, and `AQ.` since 2026; GitHub's token formats of 2021 and the longer ones with
dots; AWS unique identifiers, Bedrock's `ABSK`; Slack token types; RFC 7519 for JSON web tokens;
RFC 7468 for private keys).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["SHAPE_MAX_CHARS", "key_shaped"]

SHAPE_MAX_CHARS = 16 * 1024
"""Longest text that one shape covers: a JSON web token, or a private key of 8192 bits."""

_WORD = "[A-Za-z0-9_-]"
# As far as the next character that can't be in a key there is a digit.
_DIGIT_AHEAD = "(?=[A-Za-z_.~+/-]{0,200}[0-9])"
# Between a name and its value, in a header, an assignment or JSON, escaped or not.
_IS = r"""["'\\]{0,4}[ \t]{0,4}[:=][ \t]{0,4}["'\\]{0,4}"""
_PEM_LABEL = "(?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"

# Every shape begins with a character as it stands: then the search skips all that none begins with,
# and is several times as fast. So a letter that may be small or large makes two shapes, and what
# must not stand before a mark is looked for from behind it.
_SHAPES = (
    # Anthropic, OpenAI, OpenRouter, and the many that took over OpenAI's form.
    rf"sk-(?<![A-Za-z0-9_-]sk-)(?:ant|proj|svcacct|admin|or)-{_WORD}{{16,1024}}",
    rf"sk-(?<![A-Za-z0-9_-]sk-){_DIGIT_AHEAD}{_WORD}{{20,1024}}",
    # Google: API keys, OAuth access and refresh tokens, client secrets.
    rf"AIza{_WORD}{{35}}",
    rf"AQ\.Ab{_WORD}{{30,1024}}",
    rf"ya29\.{_WORD}{{20,2048}}",
    rf"1//0{_WORD}{{40,512}}",
    rf"GOCSPX-{_WORD}{{28}}",
    # GitHub; its newer installation tokens are JSON web tokens behind the mark.
    r"gh[pousr]_[A-Za-z0-9_.-]{36,1024}",
    r"github_pat_[A-Za-z0-9_]{36,255}",
    # GitLab, Groq, xAI, Stripe.
    rf"glpat-{_WORD}{{20,255}}",
    r"gsk_[A-Za-z0-9]{48,64}",
    r"xai-[A-Za-z0-9]{60,128}",
    r"sk_live_[A-Za-z0-9]{16,255}",
    # AWS: ids of access keys, the secret by its name, Bedrock's keys.
    r"A[KS]IA(?<![A-Za-z0-9/+]A[KS]IA)[A-Z2-7]{16}(?![A-Za-z0-9/+])",
    *(
        rf"{name}{_IS}([A-Za-z0-9/+]{{40}})"
        for name in ("secret_access_key", "SECRET_ACCESS_KEY", "SecretAccessKey")
    ),
    r"ABSK[A-Za-z0-9+/]{60,512}=*",
    # Azure: keys in connection strings, signatures of shared URLs.
    rf"AccountKey{_IS}([A-Za-z0-9+/]{{86}}==)",
    rf"SharedAccessKey{_IS}([A-Za-z0-9+/]{{43}}=)",
    r"sig=([A-Za-z0-9%+/]{43,128}(?:%3[Dd]|=))",
    # Slack.
    r"xox[abeoprs][.-][A-Za-z0-9.-]{10,512}",
    r"xapp-[A-Za-z0-9-]{10,512}",
    rf"slack\.com/services/({_WORD}{{1,64}}/{_WORD}{{1,64}}/{_WORD}{{16,64}})",
    # JSON web tokens.
    rf"eyJ(?<![A-Za-z0-9_-]eyJ){_WORD}{{10,4096}}\.eyJ{_WORD}{{10,8192}}\.{_WORD}{{10,1024}}",
    # Private keys, also in JSON, and cut off before their end.
    (
        rf"-----BEGIN {_PEM_LABEL}[A-Za-z0-9:,.=/\s\\-]{{0,300}}?[A-Za-z0-9+/]{{40}}"
        rf"[A-Za-z0-9+/=\s\\]{{0,15000}}(?:-----END {_PEM_LABEL})?"
    ),
    # Headers. What follows a scheme elsewhere is no word if it is long or holds a digit.
    *(
        rf"{name}{_IS}(?:Bearer|bearer|Basic|token)[ \t]{{1,4}}([A-Za-z0-9._~+/-]{{8,4096}}=*)"
        for name in ("Authorization", "authorization")
    ),
    *(
        rf"{name}[ \t]{{1,4}}("
        rf"(?:{_DIGIT_AHEAD}[A-Za-z0-9._~+/-]{{12,4096}}|[A-Za-z0-9._~+/-]{{28,4096}})=*)"
        for name in ("Bearer", "bearer", "Basic")
    ),
    *(
        rf"{name}{_IS}({_DIGIT_AHEAD}[A-Za-z0-9._~+/-]{{16,4096}}=*)"
        for name in ("api-key", "Api-Key", "API_KEY")
    ),
)


def _one_pattern(shapes: Iterable[str]) -> re.Pattern[str]:
    """All shapes in one, those with the same first character together: half the time again."""
    behind: dict[str, list[str]] = {}
    for shape in shapes:
        behind.setdefault(shape[0], []).append(shape[1:])
    return re.compile("|".join(f"{c}(?:{'|'.join(rests)})" for c, rests in behind.items()))


_KEY_SHAPED = _one_pattern(_SHAPES)


def key_shaped(text: str) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of what has the form of a key, left to right, none over another.

    Of a header or an assignment it is the value, so that its name stays.
    """
    for found in _KEY_SHAPED.finditer(text):
        yield found.span(found.lastindex or 0)
