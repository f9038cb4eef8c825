"""The function under AWS's emulator of Lambda and its runtime client, in front of the real server."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from support import examples
from support.examples import HttpRequest, http_requests, names_of
from support.faults import FaultyEndpoint, faulty_endpoint, model_error, sagemaker_response
from support.invocations import http, rest
from support.job import ROOT, Job
from support.openapi import GATEWAY, conform

from infra.local.endpoint import running_endpoint
from infra.local.function import Function, running_function
from infra.local.gateway import create_app
from infra.local.servers import serving
from recommender.errors import EngineError
from recommender.pipeline.recommender import Recommender
from recommender.service.process import Server, running_server

pytestmark = pytest.mark.real_component
LAMBDA = ROOT / "lambda"
NAME = "fashion"


@dataclass
class Service:
    """The function, the server behind it and the API in front of it."""

    function: Function
    server: Server
    port: int

    def post(self, body: bytes, content_type: str = "application/json") -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/recommendations", body, {"Content-Type": content_type})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        content = response.read()
        connection.close()
        return response.status, headers, content


@pytest.fixture(scope="module")
def service(trained: Job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("function") / "log"
    with running_server(trained.base_dir) as server, running_endpoint(NAME, server.port) as url:
        variables = {"ENDPOINT_NAME": NAME, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}
        with running_function(LAMBDA, variables, log) as function, serving(create_app(function)) as api:
            yield Service(function, server, int(api.rpartition(":")[2]))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Function, FaultyEndpoint]]:
    """Yield a function with CORS and short timeouts, and its endpoint; a test sets the responses."""
    with faulty_endpoint() as endpoint:
        variables = {
            "ENDPOINT_NAME": NAME,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoint.url,
            "READ_TIMEOUT_SECONDS": "0.5",
            "CORS_ORIGIN": "https://shop.example",
        }
        with running_function(LAMBDA, variables, tmp_path_factory.mktemp("faulty") / "log") as function:
            yield function, endpoint


def test_every_type_of_event_gets_the_response_of_the_server(service: Service, trained: Job) -> None:
    user, item = trained.ratings()[["user_id", "item_id"]].iloc[0]
    check_every_type(service, {"user_id": user, "top_k": 3}, "model")
    events = [{"item_id": item}, {"item_id": item, "rating": 4.5, "timestamp": "2018-09-20"}]
    check_every_type(service, {"user_id": "new", "top_k": 3, "history": events}, "fold_in")


def check_every_type(service: Service, request: dict[str, object], source: str) -> None:
    status, expected = service.server.invoke(request)
    assert status == 200
    assert expected["source"] == source
    assert len(expected["recommended_items"]) == 3
    text = json.dumps(request)
    assert service.function.invoke(request) == expected
    for event in (rest(text), http(text), http(base64.b64encode(text.encode()).decode(), is_base64=True)):
        response = service.function.invoke(event)
        assert response["statusCode"] == 200
        assert json.loads(response["body"]) == expected
    for content_type in ("application/json", "application/octet-stream"):  # the gateway sends the latter as base64
        status, headers, body = service.post(text.encode(), content_type)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body) == expected


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, ""),
        (b"{", 400, ""),
        (b"\xff\xfe", 400, ""),
        (b'{"user_id": ""}', 400, "user_id"),
        (b'{"user_id": "a", "top_k": 0}', 400, "top_k"),
        (b'{"user_id": "a", "surprise": 1}', 400, "surprise"),
        (b'{"user_id": "a", "history": [{"item_id": "b", "timestamp": true}]}', 400, "history[0].timestamp"),
        (b'{"user_id": "\\ud800"}', 400, ""),
        (b'{"user_id": "' + b"a" * 4_000_001 + b'"}', 413, ""),
    ],
)
def test_an_invalid_request_gets_the_same_error_from_function_and_server(
    service: Service, body: bytes, status: int, field: str
) -> None:
    got, headers, content = service.post(body)
    response = json.loads(content)
    assert (got, response["field"]) == (status, field)
    assert response["error"]
    assert headers["x-request-id"] == service.function.lines[-1]["request_id"]


def test_each_request_writes_a_log_line_with_id_and_metrics_and_without_user(service: Service) -> None:
    service.post(b'{"user_id": "private-user"}')
    line = service.function.lines[-1]
    assert "private-user" not in json.dumps(line)
    assert line["status"] == 200
    assert line["caller"] == "http"
    assert line["variant"] == "AllTraffic"
    assert line["gateway_id"]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Recommender"
    for metric in directive["Metrics"]:  # according to the specification, each name is a number of this object
        assert isinstance(line[metric["Name"]], int | float)
    assert all(line[name] for dimensions in directive["Dimensions"] for name in dimensions)
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    assert [line["is_cold"] for line in service.function.lines].count(True) == 1


def test_responses_to_generated_requests_match_the_openapi_document(service: Service) -> None:
    # An HTTP API responds with 404 to a method without a route, which schemathesis does not expect.
    result = conform(GATEWAY, f"http://127.0.0.1:{service.port}", examples=100, without=["unsupported_method"])
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(re.findall(r"(\d+) generated", result.stdout)[-1]) > 100
    assert {200, 400} <= {line["status"] for line in service.function.lines}


@pytest.mark.parametrize("sent", http_requests(examples.LOCAL_API))
def test_each_request_of_requests_http_gets_its_status_and_source(
    service: Service, recommender: Recommender, sent: HttpRequest
) -> None:
    assert (sent.method, sent.path("local_api")) == ("POST", "/recommendations")
    body = sent.filled_body(names_of(recommender)) or b""
    status, _, content = service.post(body, sent.headers["Content-Type"])
    expected, *source = sent.expected
    assert status == int(expected)
    assert not source or json.loads(content)["source"] == source[0]


def test_a_missing_server_is_a_502_without_details(trained: Job, tmp_path: Path) -> None:
    with running_server(trained.base_dir) as server:
        port = server.port
    with running_endpoint(NAME, port) as url:
        variables = {"ENDPOINT_NAME": NAME, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}
        with running_function(LAMBDA, variables, tmp_path / "log") as function:
            response = function.invoke({"user_id": "a"})
    assert response == {"error": "the endpoint failed to respond", "field": "", "status": 502}


def test_30_faults_of_the_endpoint_become_statuses(faulty: tuple[Function, FaultyEndpoint]) -> None:
    function, endpoint = faulty
    event = http('{"user_id": "a"}')
    endpoint.respond_with(sagemaker_response(400, "ThrottlingException", Message="Rate exceeded"))
    response = function.invoke(event)
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (429, "1")
    assert function.lines[-1]["Throttles"] == 1
    endpoint.respond_with(2.0)
    assert function.invoke(event)["statusCode"] == 504
    assert function.lines[-1]["ServerErrors"] == 1
    endpoint.respond_with(model_error(500, "a stack trace"))
    response = function.invoke(event)
    assert response["statusCode"] == 502
    assert "stack" not in response["body"]
    error = {"error": "top_k: expected at least 1, got 0", "field": "top_k"}
    endpoint.respond_with(model_error(400, json.dumps(error)))
    response = function.invoke(event)
    assert (response["statusCode"], json.loads(response["body"])) == (400, error)
    endpoint.respond_with(sagemaker_response(200, user_id="a"))
    assert function.invoke(event)["statusCode"] == 200


def test_a_web_page_of_the_cors_origin_may_send_requests(faulty: tuple[Function, FaultyEndpoint]) -> None:
    function, endpoint = faulty
    endpoint.respond_with(sagemaker_response(200, user_id="a"))
    for event in (rest(None, method="OPTIONS"), http(None, method="OPTIONS")):
        response = function.invoke(event)
        assert response["statusCode"] == 204
        assert response["headers"]["Access-Control-Allow-Origin"] == "https://shop.example"
    assert endpoint.requests == []
    response = function.invoke(rest('{"user_id": "a"}'))
    assert response["headers"]["Access-Control-Allow-Origin"] == "https://shop.example"


def test_a_method_other_than_post_is_405(service: Service) -> None:
    response = service.function.invoke(rest(None, method="DELETE"))
    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == "POST, OPTIONS"
    assert service.function.invoke(http(None, method="OPTIONS"))["statusCode"] == 405  # without CORS_ORIGIN


@pytest.mark.parametrize("event", [None, 1, "x", [], {}, {"requestContext": {}}, {"version": "2.0", "body": 7}])
def test_an_unknown_event_is_an_error_response(service: Service, event: object) -> None:
    response = service.function.invoke(event)
    assert response["status"] == 400
    assert "errorType" not in response


def test_a_function_without_endpoint_name_does_not_start(tmp_path: Path) -> None:
    with running_function(LAMBDA, {}, tmp_path / "log") as function:
        failed = function.invoke({"user_id": "a"})
    assert failed["errorType"] in ("SettingsError", "Runtime.ExitError")
    assert "ENDPOINT_NAME: expected the name of a SageMaker endpoint" in (tmp_path / "log").read_text()


def test_a_machine_without_an_emulator_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with (
        pytest.raises(EngineError, match="needs Linux on x86_64 or aarch64"),
        running_function(LAMBDA, {}, tmp_path / "log"),
    ):
        pass
