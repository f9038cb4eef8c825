"""The API's documents, and the run of schemathesis that compares one of them with a server."""

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
from schemathesis import Case, DeserializationContext, HookContext, Response, SerializationContext
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData
from support.job import ROOT

from recommender.data.clock import LAST_YEAR, UNITS
from recommender.pipeline.limits import LIMITS
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, MediaType

Json = Any
ENDPOINT, GATEWAY = ROOT / "docs" / "api" / "endpoint.yaml", ROOT / "docs" / "api" / "gateway.yaml"
LINES, CSV = (MediaType.JSON_LINES, *MEDIA_TYPE_ALIASES), MediaType.CSV
FIRST_TIME = UNITS[0][0]  # smaller numbers are positions
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
    """Run schemathesis: the examples of the document, its limits, values next to them, and generated data.

    The same document gives the same requests each time. The exit code is 1 where something is not as documented; then
    it stands in the output, with a curl command.

    Args:
        document: an OpenAPI file; files that it refers to are next to it.
        url: base URL of the server, without the paths of the document.
        examples: generated cases of each operation, valid and invalid ones.
        without: those of `CHECKS` that are not for this server.
    """
    checks = ",".join(check for check in CHECKS if check not in without)
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(document), "--url", url]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", checks, "--max-examples", str(examples)]
    command += ["--seed", "1", "--generation-deterministic", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--generation-with-security-parameters", "false"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "support.openapi", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with TemporaryDirectory() as empty:  # it writes into where it runs, and reads that again
        return subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, timeout=600, check=False
        )


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, case: Case[Json], response: Response) -> bool:
    """Drop what is no failure: the schemas can't say it, the documents' words do."""
    if isinstance(failure, AcceptedNegativeData):
        return case.media_type not in {*LINES, CSV}  # what is wrong with a line is an answer in its place
    if isinstance(failure, RejectedPositiveData):
        field = response.json()["field"]
        too_few = field == "num_candidates" and has_fewer_candidates_than_items(case.body)
        return not (too_few or (field.endswith(".timestamp") and has_no_time(case.body)))
    return True


def has_fewer_candidates_than_items(request: Json) -> bool:
    return "num_candidates" in request and request["num_candidates"] < request.get("top_k", LIMITS.top_k)


def has_no_time(request: Json) -> bool:
    """Whether an event has a timestamp that the schema allows and that is no time to a model with times in seconds."""
    return not all(is_time(event.get("timestamp")) for event in request.get("history", []))


def is_time(timestamp: Json) -> bool:
    if isinstance(timestamp, str):
        try:
            return datetime.fromisoformat(timestamp).year <= LAST_YEAR
        except ValueError:
            return False
    return timestamp is None or abs(timestamp) >= FIRST_TIME


def write_body(kind: str, value: Json) -> bytes:
    """A body of that media type: of a list a line for each entry where the type has lines."""
    if kind not in {*LINES, CSV}:
        return json.dumps(value).encode()
    entries = as_list(value)
    if kind in LINES:
        return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(as_list, entries))
    return text.getvalue().encode()


def as_list(value: Json) -> list[Any]:
    """Data that is to be wrong need not be a list."""
    return value if isinstance(value, list) else [value]


def read_body(kind: str, body: bytes) -> Json:
    if kind not in {*LINES, CSV}:
        return json.loads(body)
    lines = body.decode().split("\n")
    assert lines.pop() == ""  # the last line has an end, too
    return list(csv.reader(lines, strict=True)) if kind == CSV else [json.loads(line) for line in lines]


def register(kind: str) -> None:
    """Teach schemathesis, which knows JSON alone, another media type."""

    @schemathesis.serializer(kind)
    def write(_: SerializationContext, value: Json) -> bytes:
        return write_body(kind, value)

    @schemathesis.deserializer(kind)
    def read(_: DeserializationContext, response: Response) -> Json:
        return read_body(kind, response.content)


for media_type in (*LINES, CSV):
    register(media_type)
