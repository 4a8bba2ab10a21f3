"""The page on described agents names every key that a description may have, with its default."""

from __future__ import annotations

import json

from documents import table
from needs import ROOT
from undaunted.descriptions import Description

PAGE = ROOT / "docs" / "agents" / "adding-one.md"


def _default(name: str) -> str:
    field = Description.model_fields[name]
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return "-" if value is None else f"`{json.dumps(value)}`"


def test_every_key_is_in_the_table() -> None:
    """The keys, in the order of the code, with their defaults; each says what it means."""
    rows = table(PAGE, "What a description may say")
    assert all(row["meaning"] for row in rows)
    fields = Description.model_fields
    assert [(row["key"], row["default"]) for row in rows] == [
        (f"`{field.alias or name}`", _default(name)) for name, field in fields.items()
    ]
