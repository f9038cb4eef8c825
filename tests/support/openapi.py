"""The API's OpenAPI documents, and a run of schemathesis that compares one of them with a server."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import schemathesis
import yaml
from jsonschema_rs import Draft202012, Draft202012Validator, Registry
from schemathesis import Case, DeserializationContext, HookContext, Response, SerializationContext
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData
from support.job import ROOT

from recommender.data.clock import LAST_YEAR, UNITS
from recommender.pipeline.limits import LIMITS
from recommender.prepare.attributes import ATTRIBUTES
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, MediaType

Json = Any
ENDPOINT, GATEWAY = ROOT / "docs" / "api" / "endpoint.yaml", ROOT / "docs" / "api" / "gateway.yaml"
DOCUMENTS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ENDPOINT, GATEWAY)}
REGISTRY = Registry([(path.as_uri(), DOCUMENTS[path.name]) for path in (ENDPOINT, GATEWAY)], draft=Draft202012)
INVALID = {"user_id": "visitor-1", "top_k": 0}  # the example of an invalid request
LINES, CSV = (MediaType.JSON_LINES, *MEDIA_TYPE_ALIASES), MediaType.CSV
FIRST_TIME = UNITS[0][0]  # smaller numbers are positions, not times
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
    "allow_header_conformance",
)


def load(document: Path) -> Json:
    return yaml.safe_load(document.read_text(encoding="utf-8"))


def conform(
    document: Path, url: str, *, examples: int, without: Collection[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run schemathesis with the document's examples, with values at and next to its bounds, and with generated data.

    The same document gives the same requests each time. The exit code is 1 if a response differs from the document. The
    output then has the difference and a curl command.

    Args:
        document: an OpenAPI file; files that it refers to are in the same folder.
        url: base URL of the server, without the paths of the document.
        examples: the number of generated cases per operation, valid and invalid ones.
        without: the `CHECKS` that do not apply to this server.
    """
    checks = ",".join(check for check in CHECKS if check not in without)
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(document), "--url", url]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", checks, "--max-examples", str(examples)]
    command += ["--seed", "1", "--generation-deterministic", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--generation-with-security-parameters", "false"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "support.openapi", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with TemporaryDirectory() as empty:  # schemathesis writes files here that affect its next run
        return subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, timeout=600, check=False
        )


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, case: Case[Json], response: Response) -> bool:
    """Drop failures that the text of the documents allows, but the schemas can't express."""
    if isinstance(failure, AcceptedNegativeData):
        return case.media_type not in {*LINES, CSV}  # an invalid line gets an error entry in its place
    if isinstance(failure, RejectedPositiveData):
        if case.body == INVALID:
            return False
        field = response.json()["field"]
        if field.lstrip("'").partition(".")[0] in ("filter", "max_per", "promote"):
            return not names_unknown_attributes(case.body)
        too_few = field == "num_candidates" and has_fewer_candidates_than_items(case.body)
        return not (too_few or (field.endswith(".timestamp") and has_no_time(case.body)))
    return True


def is_valid(value: object, pointer: str) -> bool:
    """Return whether a value matches the schema at a path such as `endpoint.yaml#/components/schemas/Request`."""
    schema = {"$ref": f"{ENDPOINT.parent.as_uri()}/{pointer}"}
    return Draft202012Validator(schema, registry=REGISTRY).is_valid(value)


def has_fewer_candidates_than_items(request: Json) -> bool:
    return request.get("num_candidates", LIMITS.max_top_k) < request.get("top_k", LIMITS.top_k)


def names_unknown_attributes(request: Json) -> bool:
    """Tell whether rules name other attributes than those of the synthetic items."""
    promote = request.get("promote")
    named = [
        request.get("filter"),
        request.get("max_per"),
        promote.get("filter") if isinstance(promote, dict) else None,
    ]
    return any(isinstance(names, dict) and not names.keys() <= ATTRIBUTES.keys() for names in named)


def has_no_time(request: Json) -> bool:
    """Tell whether an event's timestamp fits the schema, but is no time for a model with times in seconds."""
    return not all(is_time(event.get("timestamp")) for event in request.get("history", []))


def is_time(timestamp: Json) -> bool:
    if isinstance(timestamp, str):
        try:
            return datetime.fromisoformat(timestamp).year <= LAST_YEAR
        except ValueError:
            return False
    return timestamp is None or abs(timestamp) >= FIRST_TIME


def write_body(kind: str, value: Json) -> bytes:
    """Return a body of this media type; types with lines have one line per entry of a list."""
    if kind not in {*LINES, CSV}:
        return json.dumps(value).encode()
    entries = as_list(value)
    if kind in LINES:
        return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(as_list, entries))
    return text.getvalue().encode()


def as_list(value: Json) -> list[Any]:
    """Return a list unchanged, and any other value as its only entry: invalid data may have no list."""
    return value if isinstance(value, list) else [value]


def read_body(kind: str, body: bytes) -> Json:
    if kind not in {*LINES, CSV}:
        return json.loads(body)
    lines = body.decode().split("\n")
    assert lines.pop() == ""  # the last line has an end, too
    return list(csv.reader(lines, strict=True)) if kind == CSV else [json.loads(line) for line in lines]


def register(kind: str) -> None:
    """Teach schemathesis another media type; it knows only JSON."""

    @schemathesis.serializer(kind)
    def write(_: SerializationContext, value: Json) -> bytes:
        return write_body(kind, value)

    @schemathesis.deserializer(kind)
    def read(_: DeserializationContext, response: Response) -> Json:
        return read_body(kind, response.content)


for media_type in (*LINES, CSV):
    register(media_type)
