"""Secrets out of text: known ones everywhere, key-shaped strings in everything but the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from undaunted.key_shapes import SHAPE_MAX_CHARS, key_shaped

__all__ = ["REDACTED", "SECRET_MIN_CHARS", "Redactor"]

REDACTED = "[redacted]"

SECRET_MIN_CHARS = 8
"""A shorter "secret" would blank out ordinary words, and is not looked for."""


class Redactor:
    """Takes secrets out of what is kept, shown or sent.

    A known secret is found as it is, and as URLs, JSON, JSON inside JSON, and Base64 (the basic
    authentication of HTTP) spell it. Spellings are looked for one by one: for some dozens of them
    that is several times faster than one pattern of all.

    Args:
        secrets: Values known to be secret; those under 8 characters are left alone.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {s.strip() for s in secrets}
        spelled = {s for k in known if len(k) >= SECRET_MIN_CHARS for s in _spellings(k)}
        self._known = tuple(sorted(s for s in spelled if len(s) >= SECRET_MIN_CHARS))
        self.reach_chars = max([SHAPE_MAX_CHARS, *map(len, self._known)])
        """No secret is longer: further from its beginning nothing belongs to it."""
        self.of_several_lines = tuple(s for s in self._known if "\n" in s)
        """Known secrets that go over the end of a line."""

    def text(self, text: str) -> str:
        """`text` without known secrets and without key-shaped strings."""
        return _without(text, self.spans(text))

    def answer(self, text: str) -> str:
        """An agent's answer without known secrets; key-shaped examples in it stay."""
        return _without(text, _merged(self._known_spans(text)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of what `text()` takes out, left to right, none over or beside another."""
        return _merged([*self._known_spans(text), *key_shaped(text)])

    def _known_spans(self, text: str) -> Iterator[tuple[int, int]]:
        for secret in self._known:
            at = text.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = text.find(secret, at + 1)


def _spellings(secret: str) -> Iterator[str]:
    """`secret` in every spelling in which programs print it."""
    data = secret.encode("utf-8", errors="surrogateescape")
    yield secret
    for ascii_only in (True, False):
        once = _json(secret, ascii_only=ascii_only)
        yield once
        yield _json(once, ascii_only=ascii_only)  # an agent prints a tool's JSON inside its own
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield quoted
        yield _lower_hex(quoted)
    yield from _base64(data)


def _json(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _lower_hex(quoted: str) -> str:
    """`%2F` as `%2f`, which is as right."""
    first, *parts = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in parts)])


def _base64(data: bytes) -> Iterator[str]:
    """What is the same in the Base64 of every text that holds `data`.

    Four characters stand for three bytes, so there are three cases: `data` begins at the first,
    second or third of them. A character that shares bits with a neighbour of `data` is left out.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).rstrip(b"=").decode()
        shared_at_end = (before + len(data)) % 3 != 0
        core = encoded[(0, 2, 3)[before] : -1 if shared_at_end else None]
        yield core
        yield core.translate(str.maketrans("+/", "-_"))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places, left to right; those that touch or overlap have become one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (text[at:start], REDACTED)
        at = end
    return "".join([*parts, text[at:]])
