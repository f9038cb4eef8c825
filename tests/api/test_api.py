"""The OpenAPI documents against the code and the real server."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from endpoint import ERRORS
from events import MAX_BODY_BYTES, Caller, response_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError
from response import Response
from schemathesis import GenerationMode
from support import examples, templates
from support.examples import HttpRequest, http_requests, names_of, renamed
from support.job import Job
from support.openapi import (
    ENDPOINT,
    GATEWAY,
    Json,
    conform,
    has_fewer_candidates_than_items,
    has_no_time,
    is_valid,
    load,
    names_unknown_attributes,
    read_body,
    write_body,
)

from docs.generate import LANES
from recommender.candidates import SOURCES
from recommender.common.messages import MAX_SHOWN
from recommender.hyperparameters import COMPONENTS, TrainConfig
from recommender.pipeline.explain import MAX_PARTS, MAX_WORDS, MIN_SHARE
from recommender.pipeline.for_everyone import ORIGINS
from recommender.pipeline.interests import INTERESTS
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import NOTHING, Because, RecommendedItem
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, PAYLOAD_LIMIT_IN_MB, MediaType, ServerSettings
from recommender.service.app import CUSTOM_ATTRIBUTES, INFERENCE_ID, INTERNAL, MAX_CUSTOM_ATTRIBUTES, MAX_INFERENCE_ID
from recommender.service.process import Server, running_server
from recommender.service.requests import REQUESTS, Request

DOCUMENTS = {path.name: load(path) for path in (ENDPOINT, GATEWAY)}
CONTAINER, API = DOCUMENTS.values()
SCHEMAS = CONTAINER["components"]["schemas"]
INVOKE, RECOMMEND = CONTAINER["paths"]["/invocations"]["post"], API["paths"]["/recommendations"]["post"]
OPERATIONS = {
    f"{name}#/paths/{path.replace('/', '~1')}/{method}": operation
    for name, document in DOCUMENTS.items()
    for path, methods in document["paths"].items()
    for method, operation in methods.items()
}
TYPES = [*MediaType, *MEDIA_TYPE_ALIASES]


@pytest.fixture(scope="module")
def server(trained: Job) -> Iterator[Server]:
    with running_server(trained.base_dir) as server:
        yield server


@pytest.fixture(scope="module")
def real_names(recommender: Recommender) -> dict[str, str]:
    return names_of(recommender)


# The documents themselves


@pytest.mark.parametrize("document", [ENDPOINT, GATEWAY], ids=lambda path: path.name)
def test_the_documents_are_valid_openapi(document: Path) -> None:
    value = load(document)
    validate(value, base_uri=document.as_uri())
    del value["info"]["title"]
    with pytest.raises(OpenAPIValidationError):
        validate(value, base_uri=document.as_uri())


@pytest.mark.parametrize("document", [ENDPOINT, GATEWAY], ids=lambda path: path.name)
def test_all_yaml_parsers_read_the_documents_alike(document: Path) -> None:
    """Check the types: OpenAPI allows only those of JSON, and YAML parsers read merge keys and dates differently."""
    types = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}
    assert {node.tag for node in nodes(yaml.compose(document.read_text()))} <= types
    assert "tag:yaml.org,2002:merge" in {node.tag for node in nodes(yaml.compose("a: &a {b: 1}\nc: {<<: *a}"))}


def nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.Node):
        yield node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (*nodes(key), *nodes(value))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from nodes(value)


def documented_examples() -> Iterator[Any]:
    for pointer, operation in OPERATIONS.items():
        bodies = {f"{pointer}/responses/{status}": body for status, body in operation["responses"].items()}
        if "requestBody" in operation:
            bodies[f"{pointer}/requestBody"] = operation["requestBody"]
        for place, body in bodies.items():
            for kind, content in body.get("content", {}).items():
                for name, example in content.get("examples", {}).items():
                    schema = f"{place}/content/{kind.replace('/', '~1')}/schema"
                    yield pytest.param(schema, example["value"], id=f"{schema}:{name}")


# A request that is to be refused is the only example that does not fit.
BAD_REQUESTS = {"top_k_out_of_range"}


@pytest.mark.parametrize(("schema", "value"), [*documented_examples()])
def test_examples_match_their_schemas_except_invalid_ones(
    schema: str, value: object, request: pytest.FixtureRequest
) -> None:
    is_to_be_refused = "requestBody" in schema and request.node.callspec.id.split(":")[-1] in BAD_REQUESTS
    assert is_valid(value, schema) != is_to_be_refused


# The documents and the code


def plain(schema: Json, definitions: Json) -> Json:
    """Return a schema with resolved references, without descriptions."""
    if isinstance(schema, list):
        return [plain(entry, definitions) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    words = {"title", "description", "$defs"} if "properties" not in schema else {"description", "title", "$defs"}
    return {
        key: {name: plain(entry, definitions) for name, entry in value.items()}
        if key == "properties"
        else plain(value, definitions)
        for key, value in schema.items()
        if key not in words
    }


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=lambda request_of: str(request_of.__name__))
def test_the_schema_of_each_request_matches_the_server(request_of: type[Request]) -> None:
    of_code = request_of.model_json_schema()
    expected = plain(of_code, of_code["$defs"])
    if "history" in expected["properties"]:
        scale = {"minimum": TrainConfig().rating_min, "maximum": TrainConfig().rating_max}
        expected["properties"]["history"]["items"]["properties"]["rating"]["anyOf"][0].update(scale)
    assert plain(SCHEMAS[request_of.__name__], SCHEMAS) == expected


def test_a_request_is_one_of_the_kinds_of_the_server() -> None:
    assert [one["$ref"].rpartition("/")[2] for one in SCHEMAS["Request"]["oneOf"]] == [
        request_of.__name__ for request_of in REQUESTS.values()
    ]
    assert [SCHEMAS[request_of.__name__]["required"] for request_of in REQUESTS.values()] == [
        [name] for name in REQUESTS
    ]


def test_the_response_schema_has_the_fields_of_the_pipeline() -> None:
    item = SCHEMAS["RecommendedItem"]
    shown = dict.fromkeys(component.shown_as for component in COMPONENTS.values() if component.shown_as)
    plain_fields = [field.name for field in fields(RecommendedItem)]
    place = plain_fields.index("features")
    assert item["required"] == list(item["properties"]) == [*plain_fields[:place], *shown, *plain_fields[place + 1 :]]
    assert item["properties"]["sources"]["items"]["enum"] == [*SOURCES, *ORIGINS, INTERESTS]
    assert item["properties"]["rule"]["enum"] == [*LANES, None]
    because = SCHEMAS["Because"]
    assert because["required"] == list(because["properties"]) == [field.name for field in fields(Because)]
    assert because["properties"]["source"]["enum"] == [*COMPONENTS, *ORIGINS, INTERESTS]
    assert because["properties"]["share"]["minimum"] == MIN_SHARE
    assert item["properties"]["because"]["maxItems"] == MAX_PARTS
    assert because["properties"]["words"]["maxItems"] == MAX_WORDS
    origins = [origin for source in SOURCES.values() for origin in source.origins]
    assert SCHEMAS["Response"]["properties"]["source"]["enum"] == [*origins, *ORIGINS, NOTHING]
    assert {SCHEMAS["Response"]["properties"][name]["maxItems"] for name in ("items", "recommended_items")} == {
        LIMITS.max_top_k
    }
    assert SCHEMAS["ResponseRows"]["items"]["maxItems"] == LIMITS.max_top_k + 2


def test_the_limits_of_a_request_match_the_code() -> None:
    lists = (SCHEMAS["Instances"]["properties"]["instances"], SCHEMAS["RequestLines"], SCHEMAS["RequestRows"])
    assert {entries["maxItems"] for entries in lists} == {LIMITS.max_instances}
    description = " ".join(CONTAINER["info"]["description"].split())
    assert (
        f"at most {LIMITS.max_candidates_in_all}, their `top_k` at most {LIMITS.max_items_in_all}, and" in description
    )
    assert f"their histories at most {LIMITS.max_history_in_all}." in description
    assert f"`top_k` (which is {LIMITS.top_k} by default)" in description
    assert f"counts {LIMITS.num_candidates} or" in description
    settings = ServerSettings()
    limits = (settings.max_body_bytes, settings.max_payload_in_mb)
    assert re.findall(r"\d+", INVOKE["requestBody"]["description"])[:2] == [str(limit) for limit in limits]
    assert SCHEMAS["ExecutionParameters"]["properties"]["MaxPayloadInMB"]["maximum"] == PAYLOAD_LIMIT_IN_MB
    assert SCHEMAS["Error"]["properties"]["field"]["maxLength"] == MAX_SHOWN
    assert CONTAINER["servers"][0]["url"] == f"http://localhost:{settings.port}"


def test_media_types_and_headers_match_the_code() -> None:
    assert sorted(INVOKE["requestBody"]["content"]) == sorted(INVOKE["responses"]["200"]["content"]) == sorted(TYPES)
    parameters = CONTAINER["components"]["parameters"]
    attributes, inference_id = parameters["CustomAttributes"], parameters["InferenceId"]
    assert (attributes["name"], inference_id["name"]) == (CUSTOM_ATTRIBUTES, INFERENCE_ID)
    assert f"{MAX_CUSTOM_ATTRIBUTES} characters" in attributes["description"]
    assert f"first {MAX_INFERENCE_ID} characters" in inference_id["description"]
    assert CONTAINER["components"]["headers"]["CustomAttributes"]["schema"]["maxLength"] == MAX_CUSTOM_ATTRIBUTES


def test_the_statuses_of_the_gateway_match_the_function_and_api_gateway() -> None:
    responses = RECOMMEND["responses"]
    of_function = {status for status, _, _ in ERRORS.values()} | {200, 400, 413, 500, 502, 503, 504}
    assert {int(status) for status in responses} == of_function | {401, 403}
    come_back = {status for status, _, seconds in ERRORS.values() if seconds is not None}
    assert {int(status) for status, body in responses.items() if "Retry-After" in body.get("headers", {})} == come_back
    without_id = {int(status) for status, body in responses.items() if "X-Request-Id" not in body.get("headers", {})}
    assert without_id == {401, 403}
    assert str(MAX_BODY_BYTES) in RECOMMEND["requestBody"]["description"]


def test_authorization_matches_the_template() -> None:
    schemes = API["components"]["securitySchemes"].values()
    said = {re.search(r"AuthorizationType: (\w+)`", scheme["description"]) for scheme in schemes}
    template = templates.load("service.yaml")
    types = template["Parameters"]["AuthorizationType"]["AllowedValues"]
    assert {found[1] for found in said if found} == set(types)
    outputs = set(re.findall(r"output\s+`(\w+)`", GATEWAY.read_text()))
    assert outputs
    assert outputs <= template["Outputs"].keys()
    assert [list(choice) for choice in API["security"]] == [[name] for name in API["components"]["securitySchemes"]]


def test_cors_matches_the_template_and_the_function() -> None:
    said = API["x-amazon-apigateway-cors"]
    origin = "https://shop.example"
    service = templates.Deployment(templates.load("service.yaml"), {"CorsOrigin": origin})
    of_template = service.decided(service.template["Resources"]["Api"])["Properties"]["CorsConfiguration"]
    assert {**said, "allowOrigins": [{"Ref": "CorsOrigin"}]} == {
        name[0].lower() + name[1:]: value for name, value in of_template.items()
    }
    of_function = response_to(Caller.HTTP, Response(200, "{}"), "r", origin)["headers"]
    assert of_function["Access-Control-Allow-Headers"].split(", ") == said["allowHeaders"]
    assert of_function["Access-Control-Expose-Headers"].split(", ") == said["exposeHeaders"]
    assert of_function["Access-Control-Max-Age"] == str(said["maxAge"])
    assert set(said["exposeHeaders"]) == {
        name.lower()
        for body in RECOMMEND["responses"].values()
        for name in body.get("headers", {})
        if name != "Access-Control-Allow-Origin"
    }


# The documents and the server


@dataclass(frozen=True)
class Given:
    """The response of the server."""

    status: str
    headers: Message
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get_content_type()

    @property
    def value(self) -> Json:
        return read_body(self.kind, self.body)


def post(server: Server, body: bytes, kind: str, **headers: str) -> Given:
    given = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("POST", "/invocations", body, given)
        response = connection.getresponse()
        return Given(str(response.status), response.headers, response.read())


def shape(value: Json) -> Json:
    """Return what an example and a real response share: names, counts, the source, and all of an error.

    How many sources and reasons an item has depends on the data.
    """
    if isinstance(value, list):
        return [shape(entry) for entry in value]
    if not isinstance(value, dict):
        return None
    if "error" in value:
        return value
    counted = {key: entry if key == "source" else shape(entry) for key, entry in value.items()}
    return counted | {key: None for key in ("sources", "because") if key in value}


REQUEST_EXAMPLES = [
    pytest.param(kind, name, id=f"{kind}:{name}")
    for kind, content in INVOKE["requestBody"]["content"].items()
    for name in content["examples"]
]


@pytest.mark.parametrize(("kind", "name"), REQUEST_EXAMPLES)
def test_each_example_request_gets_its_example_response(
    server: Server, real_names: dict[str, str], kind: str, name: str
) -> None:
    question = INVOKE["requestBody"]["content"][kind]["examples"][name]["value"]
    status = "400" if name in BAD_REQUESTS else "200"
    answered_in = str(MediaType.JSON if name in BAD_REQUESTS else MediaType.of(kind))
    expected = INVOKE["responses"][status]["content"][answered_in]["examples"][name]["value"]
    given = post(server, renamed(write_body(kind, question).decode(), real_names).encode(), kind)
    assert (given.status, given.kind) == (status, answered_in)
    answer = given.value
    if kind == "text/csv":
        assert [(row[1], len(row)) for row in answer] == [(row[1], len(row)) for row in expected]
        assert answer[-1] == expected[-1]
    else:
        assert shape(answer) == shape(expected)


@pytest.mark.parametrize("accept", ["", *TYPES])
@pytest.mark.parametrize("kind", TYPES)
def test_every_pair_of_media_types_gives_a_documented_response(server: Server, kind: str, accept: str) -> None:
    questions = INVOKE["requestBody"]["content"][kind]["examples"]
    several = questions["several" if kind == MediaType.JSON else "rows" if kind == MediaType.CSV else "lines"]["value"]
    given = post(server, write_body(kind, several), kind, **({"Accept": accept} if accept else {}))
    assert (given.status, given.kind) == ("200", accept or MediaType.of(kind))
    assert len(given.value["predictions"] if given.kind == MediaType.JSON else given.value) == 2
    pointer = f"endpoint.yaml#/paths/~1invocations/post/responses/200/content/{given.kind.replace('/', '~1')}/schema"
    assert is_valid(given.value, pointer)


# Status -> the name of its example, and what gets it: body, Content-Type, Accept.
REFUSED = {
    "400": ("top_k_out_of_range", b'{"user_id": "visitor-1", "top_k": 0}', "application/json", "*/*"),
    "406": ("html_is_wanted", b'{"user_id": "u"}', "application/json", "text/html"),
    "413": ("too_large", b" " * (ServerSettings().max_body_bytes + 1), "application/json", "*/*"),
    "415": ("plain_text", b'{"user_id": "u"}', "text/plain", "*/*"),
}


@pytest.mark.parametrize("status", REFUSED)
def test_every_documented_error_matches_its_example(server: Server, status: str) -> None:
    name, body, kind, accept = REFUSED[status]
    given = post(server, body, kind, Accept=accept, X_Amzn_SageMaker_Custom_Attributes="trace=1")
    said = INVOKE["responses"][status]
    assert given.status == status
    assert given.value == said["content"]["application/json"]["examples"][name]["value"]
    assert list(said["headers"]) == [CUSTOM_ATTRIBUTES]
    assert given.headers[CUSTOM_ATTRIBUTES] == "trace=1"


def test_every_documented_status_is_tested() -> None:
    of_load = {"408", "503"}  # provoked in tests/service/test_hostile_clients.py
    assert INVOKE["responses"].keys() == {"200", *REFUSED, *of_load, "500"}
    bug = INVOKE["responses"]["500"]["content"]["application/json"]["examples"]["bug"]["value"]
    assert bug == {"error": INTERNAL, "field": ""}  # provoked in tests/service/test_app.py


def test_generated_requests_get_documented_responses(server: Server) -> None:
    result = conform(ENDPOINT, f"http://127.0.0.1:{server.port}", examples=100)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"Operations: +3 selected / 3 total", result.stdout)
    assert int(re.findall(r"(\d+) generated", result.stdout)[-1]) > 300


generated = schemathesis.openapi.from_path(GATEWAY)["/recommendations"]["POST"].as_strategy
records = st.one_of(*(generated(generation_mode=mode).map(lambda case: case.body) for mode in GenerationMode))
# What is no JSON can't stand among instances.
batches = st.lists(records.filter(lambda body: isinstance(body, dict | list | str | int | float | None)), max_size=8)


@settings(max_examples=100, derandomize=True, suppress_health_check=[*HealthCheck])
@given(batches)
def test_records_of_a_batch_succeed_exactly_if_their_schema_accepts_them(server: Server, batch: list[Json]) -> None:
    status, answer = server.invoke({"instances": batch})
    assert status == 200
    assert ["error" not in entry for entry in answer["predictions"]] == [
        is_valid(record, "endpoint.yaml#/components/schemas/Request")
        and not has_fewer_candidates_than_items(record)
        and not has_no_time(record)
        and not names_unknown_attributes(record)
        for record in batch
    ]


def test_responses_for_every_user_and_item_match_the_document(server: Server, recommender: Recommender) -> None:
    """Request items similar to each title, too: the title itself is the most similar one."""
    model = recommender.model
    items = [model.items.id(number) for number in range(len(model.items))]
    users = [model.users.id(number) for number in range(len(model.users))]
    asked: list[Json] = [{"user_id": user} for user in users]
    asked += [
        {"user_id": "new", "history": [{"item_id": item, "rating": 4.7}], "exclude_seen": False} for item in items
    ]
    status, answer = server.invoke({"instances": asked})
    assert status == 200
    assert {entry.get("source") for entry in answer["predictions"]} == {"model", "fold_in"}
    assert is_valid(answer, "endpoint.yaml#/components/schemas/Predictions")


@pytest.mark.slow
def test_many_generated_requests_get_documented_responses(server: Server) -> None:
    result = conform(ENDPOINT, f"http://127.0.0.1:{server.port}", examples=2_000)
    assert result.returncode == 0, result.stdout + result.stderr


# What the document says -> what it does not, and what schemathesis then says.
FALSEHOODS = [
    ("maximum: 10000\n", "maximum: 20000\n", "Schema-valid request rejected"),
    (
        "maxItems: 1000\n          type: array",
        "maxItems: 2\n          type: array",
        "Schema-violating request accepted",
    ),
    ("neighbours, popular, ", "neighbours, ", "Response violates schema"),
    ('"400":\n', '"422":\n', "Undocumented status code"),
    ("            text/csv:\n", "            text/tsv:\n", "Undocumented Content-Type"),
]


def test_a_wrong_document_fails_the_comparison(server: Server, tmp_path: Path) -> None:
    text = ENDPOINT.read_text()
    for true, false, _ in FALSEHOODS:
        assert true in text
        text = text.replace(true, false)
    (tmp_path / "false.yaml").write_text(text)
    result = conform(tmp_path / "false.yaml", f"http://127.0.0.1:{server.port}", examples=50)
    assert result.returncode == 1
    assert [failure for *_, failure in FALSEHOODS if failure not in result.stdout] == []


# The requests for a person's editor


@pytest.mark.parametrize("asked", http_requests(examples.CONTAINER))
def test_each_request_of_requests_http_gets_its_status_and_source(
    server: Server, real_names: dict[str, str], asked: HttpRequest
) -> None:
    status, answer = server.request(asked.method, asked.path("host"), asked.filled_body(real_names), asked.headers)
    wanted, *source = asked.expected
    assert status == int(wanted)
    assert not source or json.loads(answer)["source"] == source[0]
    assert b'"error"' not in answer or status == 400


def test_the_http_file_uses_the_urls_of_the_container() -> None:
    assert examples.VARIABLES["host"] == CONTAINER["servers"][0]["url"]


def test_the_http_file_uses_the_url_of_the_deployed_api() -> None:
    requests: list[HttpRequest] = [parameter.values[0] for parameter in http_requests(examples.DEPLOYED)]
    schema = "endpoint.yaml#/components/schemas/Request"
    assert [request.method for request in requests] == ["POST"] * 4
    assert {request.path("api") for request in requests} == set(API["paths"])
    questions = [json.loads(request.filled_body({}) or b"") for request in requests]
    assert [is_valid(question, schema) for question in questions] == [True, True, True, False]
    authorizations = [request.headers["Authorization"] for request in requests]
    assert [words.split()[0] for words in authorizations] == ["AWS", "AWS", "Bearer", "AWS"]
    assert [words.endswith(" region:{{region}} service:execute-api") for words in authorizations] == [
        True,
        True,
        False,
        True,
    ]
