"""Secrets out of text: known ones everywhere, key-shaped strings in everything but the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

__all__ = ["REDACTED", "Redactor"]

REDACTED = "[redacted]"

# Shapes that vendors document for their keys and tokens, and headers that carry one.
_KEY_SHAPED = re.compile(
    r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{16,}"  # Anthropic, OpenAI
    r"|AIza[A-Za-z0-9_-]{30,}"  # Google API key
    r"|ya29\.[A-Za-z0-9_-]{20,}"  # Google OAuth access token
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"  # GitHub
    r"|AKIA[A-Z0-9]{16}"  # AWS access key id
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web token
)
_BEARER = re.compile(r"(?i)\b(bearer\s+|x-api-key[\"':=\s]+)[A-Za-z0-9._~+/-]{12,}=*")

# A shorter "secret" would blank out ordinary words.
_MIN_SECRET_CHARS = 8


class Redactor:
    """Takes secrets out of what is kept, shown or sent.

    Args:
        secrets: Values known to be secret; those under 8 characters are left alone, since they
            would blank out ordinary words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        plain = {s for s in secrets if len(s) >= _MIN_SECRET_CHARS}
        # Agents print JSON, in which quotes, newlines and other letters are spelled otherwise.
        spelled = {json.dumps(s, ensure_ascii=a)[1:-1] for s in plain for a in (True, False)}
        known = sorted(plain | spelled, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """`text` without known secrets and without key-shaped strings."""
        # Known ones first: a shape inside one would leave the rest of it standing.
        return _KEY_SHAPED.sub(REDACTED, _BEARER.sub(rf"\1{REDACTED}", self.answer(text)))

    def answer(self, text: str) -> str:
        """An agent's answer without known secrets; key-shaped examples in it stay."""
        return self._known.sub(REDACTED, text) if self._known else text
