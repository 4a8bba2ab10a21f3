"""The values of which the description of an agent is made, each checked as it is read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, JsonValue

__all__ = [
    "Arguments",
    "JsonPath",
    "Pattern",
    "Variable",
    "Where",
    "check_variable",
    "filled",
    "placeholders",
]

# A longer one is a program, which has its place in a reader of its own.
_PATTERN_MAX_CHARS = 1000
_PATH_MAX_CHARS = 200

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
# A group that ends with a repetition and is repeated itself: on a text that almost matches, its
# time doubles with every character.
_NESTED_REPETITION = re.compile(r"(?<!\\)[+*}]\)[+*{]")


def placeholders(arguments: Iterable[str]) -> set[str]:
    """The names in braces that stand in `arguments`."""
    return {name for one in arguments for name in _PLACEHOLDER.findall(one)}


def filled(arguments: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """`arguments` with every `{name}` replaced by its value, once: a value's own braces stay."""
    return tuple(_PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), one) for one in arguments)


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    example = json.dumps(shlex.split(value), ensure_ascii=False)
    raise ValueError(f"is one text, where a list of arguments is needed: {example}")


def _checked_pattern(pattern: str) -> str:
    if len(pattern) > _PATTERN_MAX_CHARS:
        raise ValueError(f"has {len(pattern)} characters; at most {_PATTERN_MAX_CHARS}")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from error
    if compiled.search(""):
        raise ValueError("matches a text of no characters, so it would match every text")
    if _NESTED_REPETITION.search(pattern):
        raise ValueError(
            "repeats a group that ends with a repetition, as in (a+)+, which can take for ever: "
            "repeat one of the two"
        )
    return pattern


def _checked_path(path: str) -> str:
    if not all(path.split(".")) or len(path) > _PATH_MAX_CHARS:
        raise ValueError("is no path: keys with dots between them, such as result.text")
    return path


def _checked_where(where: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for key, value in where.items():
        if "." in key:
            raise ValueError(f"has the key {key!r}: write it without quotes, as a table in a table")
        if isinstance(value, dict):
            _checked_where(value)
    return where


def check_variable(name: str) -> str:
    """`name`; raises ValueError where it is no name of a variable."""
    if _VARIABLE.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a variable")
    return name


Arguments = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Arguments of a command line; one text instead of a list of them is refused."""

JsonPath = Annotated[str, AfterValidator(_checked_path)]
"""Keys with dots between them; a number is a place in a list (-1: the last), `*` each of them."""

Pattern = Annotated[str, AfterValidator(_checked_pattern)]
"""A regular expression: not too long, no match for nothing, no repeated repetition."""

Variable = Annotated[str, AfterValidator(check_variable)]
"""The name of an environment variable."""

Where = Annotated[dict[str, JsonValue], AfterValidator(_checked_where)]
"""A part of an event: the same keys and values; a list stands for any of its values."""
