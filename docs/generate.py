"""Write the parts of the documents that the code decides: `make docs`. A test compares them.

A part lies between the lines `begin generated: NAME` and `end generated` of a document.
"""

import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from docs import commands, hits, limits, variables
from docs import fields as api
from docs.tables import table
from recommender.attributes.attributes import TYPES
from recommender.candidates import SOURCES
from recommender.common.files import write_text
from recommender.components.base import Component
from recommender.config import Config, as_written, words_of
from recommender.hyperparameters import COMPONENTS, TrainConfig
from recommender.pipeline.for_everyone import ORIGINS
from recommender.pipeline.interests import INTERESTS
from recommender.pipeline.recommendations import NOTHING, RecommendedItem
from recommender.prepare.config import PrepareConfig
from recommender.ranking.base import Feature
from recommender.rules import RULES
from recommender.rules.explore import Explore
from recommender.rules.promote import Promote
from recommender.service.requests import REQUESTS, HistoryEvent, UserRequest

ROOT = Path(__file__).parents[1]
OF_A_USER = ["user_id", *(name for name in UserRequest.model_fields if name not in (*RULES, "user_id"))]
LANES = (Promote.name, Explore.name, INTERESTS)  # the rules that give an item its place
PART = re.compile(
    r"(?P<begin>^[^\n]*begin generated: (?P<name>[^\n]+?)(?: -->)?\n).*?(?P<end>^[^\n]*end generated)", re.M | re.S
)


def range_of(field: FieldInfo) -> str:
    """Return the values that an option may have, as a reader takes them in."""
    if words_of(field):
        return ", ".join(words_of(field))
    found = {type(bound).__name__: bound for bound in field.metadata}
    bounds = {name: getattr(found[name], name.lower()) for name in ("Ge", "Gt", "Le", "Lt") if name in found}
    if datetime in (field.annotation, *get_args(field.annotation)):
        return "a date"
    if not bounds:
        return "names" if str in (field.annotation, *get_args(field.annotation)) else "any number"
    if "Gt" in bounds:
        return f"above {bounds['Gt']:g}, to {bounds['Le']:g}"
    highest = f"{bounds['Le']:g}" if "Le" in bounds else f"2^{bounds['Lt'].bit_length() - 1} - 1"
    return f"{bounds['Ge']:g} to {highest}"


def options_table(config: type[Config]) -> str:
    """Return a Markdown table of the fields of a configuration."""
    rows = [
        re.sub(" +", " ", f"| `{name}` | {as_written(field.default)} | {range_of(field)} | {field.description} |")
        for name, field in config.model_fields.items()
    ]
    return "\n".join(["| name | default | range | what it is |", "| --- | --- | --- | --- |", *rows]) + "\n"


def request_schemas() -> str:
    """Return the schemas of all requests, as OpenAPI."""
    found: dict[str, Any] = {}
    for request in REQUESTS.values():
        schema = request.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= {name: own for name, own in schema.pop("$defs", {}).items() if name != HistoryEvent.__name__}
        fields = sorted(schema["properties"].items(), key=lambda field: (field[0] in RULES, field[0] not in REQUESTS))
        found[request.__name__] = {**schema, "properties": dict(fields)}
    lines = yaml.safe_dump(_without_titles(found), sort_keys=False, width=110, allow_unicode=True)
    return textwrap.indent(lines, "    ")


def _without_titles(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a schema without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: _without_titles(own) for field, own in part.items()}
        if name == "properties"
        else _without_titles(part)
        for name, part in schema.items()
        if name != "title"
    }


def source_field() -> str:
    """Return the field `source` of a response, as OpenAPI."""
    origins = {name: text for source in SOURCES.values() for name, text in source.origins.items()} | ORIGINS
    origins[NOTHING] = "no source proposes anything"
    listed = "; ".join(f"`{name}`, {text}" for name, text in origins.items())
    text = "\n".join(textwrap.wrap(f"How the items were found: {listed}.", 106))
    lines = ["source:", "  description: >-", textwrap.indent(text, "    "), "  type: string",
             f"  enum: [{', '.join(origins)}]"]  # fmt: skip
    return textwrap.indent("\n".join(lines), "        ") + "\n"


def conditions() -> str:
    """Return the conditions of a filter, by type of the attribute, as a Markdown table."""
    rows = [
        [of.name, ", ".join(f"`{name}`: {text}" for name, text in of.conditions.described().items())]
        for of in TYPES.values()
    ]
    return table(["type of the attribute", "a condition has some of"], rows)


def shown_fields() -> dict[str, list[type[Component]]]:
    """Return the fields of a recommended item that components show, each with its components."""
    found: dict[str, list[type[Component]]] = {}
    for component in COMPONENTS.values():
        if component.shown_as:
            found.setdefault(component.shown_as, []).append(component)
    return found


def item_fields() -> str:
    """Return the required fields of a recommended item, as OpenAPI."""
    plain = [field.name for field in fields(RecommendedItem)]
    place = plain.index("features")
    names = [*plain[:place], *shown_fields(), *plain[place + 1 :]]
    return f"      required: [{', '.join(names)}]\n"


def component_fields() -> str:
    """Return the fields of a recommended item that components show, as OpenAPI; a feature's is from 0 to 1."""
    text = ""
    for name, components in shown_fields().items():
        text += f'{name}:\n  description: {components[0].shown_description}\n  type: [number, "null"]\n'
        if any(issubclass(component, Feature) for component in components):
            text += "  minimum: 0\n  maximum: 1\n"
    return textwrap.indent(text, "        ")


def names_of(components: Sequence[str], indent: int) -> str:
    """Return a list of names for `enum`, as OpenAPI."""
    text = textwrap.fill(f"enum: [{', '.join(components)}]", 110 - indent, subsequent_indent="       ")
    return textwrap.indent(text, " " * indent) + "\n"


DOCUMENTS: Mapping[str, Mapping[str, Callable[[], str]]] = {  # the tables of requests come from endpoint.yaml
    "docs/api/endpoint.yaml": {
        "requests": request_schemas,
        "source": source_field,
        "item fields": item_fields,
        "components": component_fields,
        "names of sources": lambda: names_of([*SOURCES, *ORIGINS, INTERESTS], 12),
        "names of rules": lambda: names_of([*LANES, "null"], 10),
        "names of components": lambda: names_of([*COMPONENTS, *ORIGINS, INTERESTS], 10),
    },
    "README.md": {
        "hits in short": hits.in_short,
    },
    "docs/results.md": {
        "hits and the best of the others": hits.against_the_best,
        "hits at 10": hits.at_10,
    },
    "docs/reference/hyper-parameters.md": {
        "hyper-parameters": lambda: options_table(TrainConfig),
        "options of prepare": lambda: options_table(PrepareConfig),
    },
    "docs/reference/requests.md": {
        "fields of a request": lambda: api.of_a_request("UserRequest", OF_A_USER),
        "fields of an event": lambda: api.of_a_request("HistoryEvent"),
        "other requests": lambda: api.of_subjects({name: of.__name__ for name, of in REQUESTS.items()}),
        "rules": lambda: api.of_a_request("UserRequest", [*RULES]),
        "conditions": conditions,
        "fields of a response": lambda: api.of_a_response("Response"),
        "fields of an item": lambda: api.of_a_response("RecommendedItem"),
        "fields of a reason": lambda: api.of_a_response("Because"),
        "fields of an error": lambda: api.of_a_response("Error"),
    },
    "docs/reference/variables.md": {
        "variables of the server": variables.of_the_server,
        "variables of training": variables.of_training,
        "variables of the function": variables.of_the_function,
    },
    "docs/reference/commands.md": {
        "commands of the package": commands.of_the_package,
    },
    "docs/reference/infra.md": {
        "commands of infra": commands.of_infra,
    },
    "docs/limits.md": {
        "limits of a request": limits.of_a_request,
        "limits of a worker": limits.of_a_worker,
        "limits of files": limits.of_files,
    },
}


def generated(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """Return a document with its parts made anew."""
    found = [match["name"] for match in PART.finditer(text)]
    if found != list(parts):
        raise ValueError(f"expected the generated parts {list(parts)}, found {found}")
    return PART.sub(lambda match: match["begin"] + parts[match["name"]]() + match["end"], text)


def main() -> int:
    """Write every document; returns the exit code."""
    for name, parts in DOCUMENTS.items():
        path = ROOT / name
        write_text(path, generated(path.read_text(encoding="utf-8"), parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
