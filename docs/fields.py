"""The OpenAPI document of the container -> the tables of docs/reference/requests.md."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from docs.tables import table

Schema = Mapping[str, Any]


@cache
def _schemas() -> Mapping[str, Schema]:
    text = (Path(__file__).parent / "api" / "endpoint.yaml").read_text(encoding="utf-8")
    schemas: Mapping[str, Schema] = yaml.safe_load(text)["components"]["schemas"]
    return schemas


def of_a_request(name: str, fields: Sequence[str] = ()) -> str:
    """Return some fields of a schema that clients send, by default all, with their defaults."""
    schema = _schemas()[name]
    properties = schema["properties"]
    rows = [
        [f"`{field}`", _type(properties[field]), _default(field, properties[field], schema), _text(properties[field])]
        for field in fields or properties
    ]
    return table(["field", "type", "default", "meaning"], rows)


def of_subjects(requests: Mapping[str, str]) -> str:
    """Return the fields that say what a request is about: field -> its schema."""
    rows = []
    for field, name in requests.items():
        found = _schemas()[name]["properties"][field]
        rows.append([f"`{field}`", _type(found), _text(found)])
    return table(["field", "type", "meaning"], rows)


def of_a_response(name: str) -> str:
    """Return the fields of a schema that the server sends."""
    fields = _schemas()[name]["properties"]
    return table(
        ["field", "type", "meaning"], [[f"`{name}`", _type(found), _text(found)] for name, found in fields.items()]
    )


def _default(field: str, found: Schema, schema: Schema) -> str:
    if field in schema["required"]:
        return "required"
    return json.dumps(found["default"])


def _text(found: Schema) -> str:
    return str(_resolved(found).get("description", "")).replace("|", "\\|").strip()


def _resolved(found: Schema) -> Schema:
    if "$ref" in found:
        return _schemas()[found["$ref"].rpartition("/")[2]]
    if found.get("type") == "array" and "description" not in found:
        return _resolved(found["items"])
    return found


def _type(found: Schema) -> str:
    """Return the type of a field with its bounds, as a reader takes it in."""
    if "$ref" in found:
        return "object"
    if "anyOf" in found:
        return " or ".join(_type(part) for part in found["anyOf"])
    if "const" in found:
        return json.dumps(found["const"])
    if isinstance(found["type"], list):
        return " or ".join(found["type"])
    if found["type"] == "array":
        most = f", at most {found['maxItems']:,}" if "maxItems" in found else ""
        return f"list of {_type(found['items'])}{most}"
    return _plain_type(found)


def _plain_type(found: Schema) -> str:
    kind: str = found["type"]
    if "enum" in found and not all(f"`{value}`" in found.get("description", "") for value in found["enum"]):
        return f"one of {', '.join(found['enum'])}"
    if "minimum" in found and "maximum" in found:
        return f"{kind}, {_number(found['minimum'])} to {_number(found['maximum'])}"
    return f"{kind}, at most {found['maxLength']:,} characters" if "maxLength" in found else kind


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
