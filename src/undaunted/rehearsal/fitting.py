"""A value that fits a JSON schema: what the rehearsal answers where JSON was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["value_fitting"]


def value_fitting(schema: object) -> object:
    """The plainest value that fits `schema`: the first choice, the least number, no extras.

    Understands JSON Schema and Gemini's own dialect, which writes its types in capitals. Knows
    what agents' utility calls use: const, enum, anyOf and oneOf, types, properties, items,
    minItems and minimum. Not references or patterns.

    Args:
        schema: The schema, as decoded JSON.
    """
    if not isinstance(schema, Mapping):
        return {}
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        if choices:
            return value_fitting(choices[0])
    if schema.get("enum"):
        return schema["enum"][0]
    return schema["const"] if "const" in schema else _of_type(schema)


def _of_type(schema: Mapping[str, Any]) -> object:
    kind = schema.get("type", "object")
    match str(kind[0] if isinstance(kind, list) else kind).lower():
        case "object":
            properties = schema.get("properties") or {}
            return {name: value_fitting(inner) for name, inner in properties.items()}
        case "array":
            return [value_fitting(schema.get("items"))] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "rehearsal"
