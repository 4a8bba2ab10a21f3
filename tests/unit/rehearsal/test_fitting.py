"""Values that fit a JSON schema."""

from __future__ import annotations

import pytest

from undaunted.rehearsal.fitting import value_fitting


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "rehearsal"),
        ({"type": "STRING", "enum": ["model", "user"]}, "model"),
        ({"const": 7}, 7),
        ({"type": "integer", "minimum": 1}, 1),
        ({"type": "number"}, 0),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "rehearsal"),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["rehearsal"] * 2),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"oneOf": [{"type": "boolean"}]}, False),
        ({}, {}),
        (True, {}),
    ],
)
def test_plainest_value(schema: object, value: object) -> None:
    """Each type has one plainest value that fits it."""
    assert value_fitting(schema) == value


def test_router_schema_of_gemini_cli() -> None:
    """The shape that Gemini CLI's model router asks for is filled throughout."""
    schema = {
        "type": "OBJECT",
        "properties": {
            "reasoning": {"type": "STRING"},
            "model_choice": {"type": "STRING", "enum": ["flash", "pro"]},
        },
        "required": ["reasoning", "model_choice"],
    }
    assert value_fitting(schema) == {"reasoning": "rehearsal", "model_choice": "flash"}
