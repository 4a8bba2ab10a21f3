"""Events are compared and looked into as the documents say, whatever their shape."""

from __future__ import annotations

import json

import pytest

from undaunted.agents.described_events import (
    first_document,
    holds,
    text_at,
    total_at,
    values_at,
)

EVENT = {
    "type": "message",
    "ok": True,
    "count": 1,
    "part": {"role": "assistant", "empty": None},
    "content": [{"text": "one"}, {"text": " two"}, {"image": "x"}],
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, True),
        ({"type": "message"}, True),
        ({"type": "other"}, False),
        ({"missing": "message"}, False),
        ({"type": ["other", "message"]}, True),
        ({"type": []}, False),
        ({"type": "message", "part": {"role": "assistant"}}, True),
        ({"type": "message", "part": {"role": "user"}}, False),
        ({"type": {"role": "assistant"}}, False),
        ({"ok": True}, True),
        ({"ok": 1}, False),
        ({"count": 1}, True),
        ({"count": True}, False),
    ],
)
def test_holds(where: dict[str, object], expected: bool) -> None:
    """An event holds what has its keys with equal values, of the same type."""
    assert holds(EVENT, where) is expected


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("type", ["message"]),
        ("part.role", ["assistant"]),
        ("part.empty", []),
        ("part.none.deeper", []),
        ("type.deeper", []),
        ("content.0.text", ["one"]),
        ("content.-1.image", ["x"]),
        ("content.3.text", []),
        ("content.-4.text", []),
        ("content.x", []),
        ("content.٣", []),
        ("content." + "9" * 100, []),
        ("content.*.text", ["one", " two"]),
        ("part.*", ["assistant"]),
    ],
)
def test_values_at(path: str, found: list[object]) -> None:
    """A path leads to values in their order, or to nothing."""
    assert list(values_at(EVENT, path)) == found


def test_texts_are_joined() -> None:
    """Several texts are one; what is no text is none, unless it is to be spelled out."""
    assert text_at(EVENT, "content.*.text") == "one two"
    assert text_at(EVENT, "missing") is None
    assert text_at(EVENT, "part") is None
    assert text_at(EVENT, "content.0", spell_out=True) == '{"text": "one"}'


def test_a_text_that_can_not_be_spelled_out() -> None:
    """What is nested too deep to be written is named, and nothing is raised."""
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    assert text_at({"deep": deep}, "deep", spell_out=True) == "{...}"


def test_numbers_are_added_up() -> None:
    """Numbers at a path are one sum; what is no number is left out."""
    event = {"n": [1, 2.5, "3", True, None, float("nan")]}
    assert total_at(event, "n.*") == 3.5
    assert total_at(event, "missing") is None
    assert total_at(event, None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('[INFO] starting\n{\n  "a": 1\n}\nbye', [{"a": 1}]),
        ('[{"a": 1}, 2, {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('said {"a": 1}', []),
        ("[1, 2]", []),
        ("", []),
        ('{"a": ', []),
        ("{\n" * 1000 + '{"a": 1}', []),
        ("[" * 100_000, []),
    ],
)
def test_first_document(text: str, expected: list[object]) -> None:
    """The document begins a line; banners before it are passed over, for a while."""
    assert first_document(text) == expected


def test_a_document_is_found_behind_a_short_banner_only() -> None:
    """Twenty lines that look like one are looked at, and not every one of a million."""
    document = json.dumps({"a": 1})
    assert first_document("[x]\n" * 19 + document) == [{"a": 1}]
    assert first_document("[x]\n" * 20 + document) == []
