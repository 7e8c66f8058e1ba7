"""Checks a JSON value against a JSON Schema: the keywords that our schemas use, and no others.

Written from the specification (draft 2020-12), so that a schema that pydantic generates has a second reader. Where the
package jsonschema is installed, it agrees; it is no dependency for a handful of keywords.
"""

from __future__ import annotations

from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {
    "$schema",
    "$defs",
    "$ref",
    "description",
    "type",
    "properties",
    "required",
    "items",
    "anyOf",
    "enum",
    "const",
}
_KNOWN |= {"additionalProperties"}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, place: str = "$") -> list[str]:
    """What does not fit, each with its place; [] if the value is valid. Raises ValueError for an unknown keyword."""
    root = schema if root is None else root
    if unknown := schema.keys() - _KNOWN:
        raise ValueError(f"unknown keywords: {sorted(unknown)}")
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
    if "anyOf" in schema and all(problems(value, each, root, place) for each in schema["anyOf"]):
        return [f"{place}: {value!r} fits none of the alternatives"]
    if "const" in schema and value != schema["const"]:
        return [f"{place}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r} is not one of {schema['enum']}"]
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        return [f"{place}: {type(value).__name__} is not {kind}"]
    if isinstance(value, dict):
        return _of_object(value, schema, root, place)
    if isinstance(value, list) and "items" in schema:
        return [each for i, item in enumerate(value) for each in problems(item, schema["items"], root, f"{place}[{i}]")]
    return []


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _of_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], place: str) -> list[str]:
    found = [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            found += problems(item, properties[name], root, f"{place}.{name}")
        elif isinstance(others, dict):
            found += problems(item, others, root, f"{place}.{name}")
        elif others is False:
            found.append(f"{place}: {name} is not allowed")
    return found
