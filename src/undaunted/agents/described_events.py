"""Looking into what a described agent prints: does an event hold this, and what stands there?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import cast

from undaunted.agents.reader import JsonObject, number, objects_in

__all__ = ["first_document", "holds", "text_at", "total_at", "values_at"]

# The most characters of a text that is put together from JSON: it is read by rules and people.
_TEXT_MAX_CHARS = 16_384

# Beginnings of lines at which a document is looked for behind a banner; more would be looked at
# once each, for nothing, where a program prints none.
_MAX_BEGINNINGS = 20

_BEGINNING = re.compile(r"^[ \t]*[{\[]", re.MULTILINE)
_INDEX = re.compile(r"-?[0-9]{1,9}")


def holds(value: object, where: object) -> bool:
    """Whether `value` has all that `where` has.

    A table holds another that has some of its keys with values that are held; a list stands for any
    of its values; everything else is equal, and of the same type (true is not 1).
    """
    if isinstance(where, dict):
        if not isinstance(value, dict):
            return False
        # A loop, and most parts compared at once: this runs several times for each line of output.
        for key, part in where.items():
            found = value.get(key)
            if found != part if isinstance(part, str) else not holds(found, part):
                return False
        return True
    if isinstance(where, list):
        return any(holds(value, one) for one in where)
    return type(value) is type(where) and value == where


def values_at(value: object, path: str) -> Iterator[object]:
    """What stands in `value` at `path`, in order; nothing where there is nothing, or null.

    Args:
        value: Parsed JSON.
        path: Keys with dots between them; a number is a place in a list, `*` each of its values.
    """
    yield from _values(value, path.split("."))


def _values(value: object, keys: Sequence[str]) -> Iterator[object]:
    if not keys:
        if value is not None:
            yield value
        return
    for inner in _inside(value, keys[0]):
        yield from _values(inner, keys[1:])


def _inside(value: object, key: str) -> Sequence[object]:
    if isinstance(value, dict):
        table = cast("JsonObject", value)
        return list(table.values()) if key == "*" else [table.get(key)]
    if not isinstance(value, list):
        return ()
    listed = cast("list[object]", value)
    if key == "*":
        return listed
    if _INDEX.fullmatch(key) is None or not -len(listed) <= int(key) < len(listed):
        return ()
    return (listed[int(key)],)


def text_at(value: object, path: str, *, spell_out: bool = False) -> str | None:
    """The texts at `path`, joined; None where there is none.

    Args:
        value: Parsed JSON.
        path: As for `values_at`.
        spell_out: What is no text counts too, as JSON.
    """
    found = [
        one if isinstance(one, str) else _spelled_out(one)
        for one in values_at(value, path)
        if isinstance(one, str) or spell_out
    ]
    return "".join(found) if found else None


def _spelled_out(value: object) -> str:
    try:
        return json.dumps(value)[:_TEXT_MAX_CHARS]
    except RecursionError:  # nested almost as deep as it could just be read
        return "{...}"


def total_at(value: object, path: str | None) -> float | None:
    """The sum of the numbers at `path`; None where there is none."""
    found = [n for one in values_at(value, path) if (n := number(one)) is not None] if path else []
    return sum(found) if found else None


def first_document(text: str) -> list[JsonObject]:
    """The objects of the first JSON document in `text` that begins a line; empty without one."""
    decoder = json.JSONDecoder()
    for tried, beginning in enumerate(_BEGINNING.finditer(text)):
        if tried == _MAX_BEGINNINGS:
            break
        try:
            value: object = decoder.raw_decode(text, beginning.end() - 1)[0]
        except (ValueError, RecursionError):
            continue  # a banner in brackets, say
        if found := objects_in(value):
            return found
    return []
