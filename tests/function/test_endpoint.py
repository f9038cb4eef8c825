"""Errors of the endpoint, over real HTTP: the status for the client, and the number of tries."""

import json
from collections.abc import Iterator

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from endpoint import ERRORS, Endpoint
from flask import Response
from response import RequestFailedError
from settings import Settings
from support.faults import FaultyEndpoint, closing_connections, faulty_endpoint, model_error, sagemaker_response

SETTINGS = Settings("fashion", "eu-west-1", connect_timeout=0.3, read_timeout=0.6)
BODY = b'{"user_id":"a"}'
UNAVAILABLE = sagemaker_response(503, "ServiceUnavailable", Message="...")
OK = sagemaker_response(200, user_id="a")


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyEndpoint]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with faulty_endpoint() as faulty:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", faulty.url)
        yield faulty


def failure_of(endpoint: Endpoint, seconds_left: float = 28) -> RequestFailedError:
    with pytest.raises(RequestFailedError) as caught:
        endpoint.invoke(BODY, "request-1", lambda: seconds_left)
    return caught.value


def test_requests_go_to_the_endpoint_with_their_ids_on_one_connection(sagemaker: FaultyEndpoint) -> None:
    sagemaker.respond_with(OK)
    endpoint = Endpoint(SETTINGS)
    for _ in range(2):
        response = endpoint.invoke(BODY, "request-1", lambda: 28)
    assert json.loads(response.response.body) == {"user_id": "a"}
    assert response.tries == 1
    for body, headers in sagemaker.requests:
        assert body == BODY
        assert headers["X-Amzn-Sagemaker-Inference-Id"] == "request-1"
        assert headers["Content-Type"] == headers["Accept"] == "application/json"


SECRET = "arn:aws:iam::1:role/secret"


@pytest.mark.parametrize(
    ("reply", "status", "retry_after"),
    [
        (sagemaker_response(400, "ThrottlingException", Message=SECRET), 429, 1),
        (sagemaker_response(429, "ThrottlingException", Message=SECRET), 429, 1),
        (sagemaker_response(429, "ModelNotReadyException", Message=SECRET), 503, 5),
        (sagemaker_response(500, "InternalFailure", Message=SECRET), 502, None),
        (sagemaker_response(530, "InternalDependencyException", Message=SECRET), 502, None),
        (sagemaker_response(400, "ValidationError", Message=SECRET), 500, None),
        (sagemaker_response(403, "AccessDeniedException", Message=SECRET), 500, None),
        (model_error(500, SECRET), 502, None),
        (model_error(503, json.dumps({"error": SECRET, "field": ""})), 502, None),
        (model_error(404, SECRET), 404, None),
        (Response(SECRET, 200), 502, None),
        (Response("[]", 200), 502, None),
    ],
)
def test_an_error_is_not_retried_and_has_no_internal_details(
    sagemaker: FaultyEndpoint, reply: Response, status: int, retry_after: int | None
) -> None:
    sagemaker.respond_with(reply)
    error = failure_of(Endpoint(SETTINGS))
    assert (error.status, error.retry_after) == (status, retry_after)
    assert SECRET not in error.response.body
    assert len(sagemaker.requests) == 1


@pytest.mark.parametrize("status", [400, 406, 413, 415])
def test_the_endpoints_error_about_the_request_is_passed_on(sagemaker: FaultyEndpoint, status: int) -> None:
    body = {"error": "top_k: expected at least 1, got 0", "field": "top_k"}
    sagemaker.respond_with(model_error(status, json.dumps(body)))
    error = failure_of(Endpoint(SETTINGS))
    assert error.status == status
    assert json.loads(error.response.body) == body
    assert "top_k" not in error.cause  # the log has no part of the request


def test_a_slow_model_is_a_504_and_is_not_retried(sagemaker: FaultyEndpoint) -> None:
    sagemaker.respond_with(3.0)  # seconds; the response would have status 200
    assert failure_of(Endpoint(SETTINGS)).status == 504
    assert len(sagemaker.requests) == 1


def test_an_unavailable_endpoint_is_retried_once(sagemaker: FaultyEndpoint) -> None:
    sagemaker.respond_with(UNAVAILABLE, OK)
    assert Endpoint(SETTINGS).invoke(BODY, "r", lambda: 28).tries == 2
    sagemaker.respond_with(UNAVAILABLE)
    error = failure_of(Endpoint(SETTINGS))
    assert (error.status, error.retry_after) == (503, 1)
    assert len(sagemaker.requests) == 2


def test_there_is_no_retry_if_less_than_a_timeout_is_left(sagemaker: FaultyEndpoint) -> None:
    sagemaker.respond_with(UNAVAILABLE)
    assert failure_of(Endpoint(SETTINGS), seconds_left=1).status == 503
    assert len(sagemaker.requests) == 1


def test_a_closed_connection_is_opened_again(sagemaker: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing_connections(count=1) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        assert Endpoint(SETTINGS).invoke(BODY, "r", lambda: 28).tries == 2
        assert len(seen) == 2
    with closing_connections(count=9) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        assert failure_of(Endpoint(SETTINGS)).status == 503
        assert len(seen) == 2


def test_an_unreachable_endpoint_is_503(sagemaker: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:9")
    error = failure_of(Endpoint(SETTINGS))
    assert (error.status, error.retry_after) == (503, 1)


def test_a_function_without_credentials_is_500(sagemaker: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/none"}.items():
        monkeypatch.setenv(name, value)
    error = failure_of(Endpoint(SETTINGS))
    assert error.status == 500
    assert "redential" in error.cause
    assert "redential" not in error.response.body


def test_every_documented_error_of_invoke_endpoint_has_a_status() -> None:
    operation = ServiceModel(Loader().load_service_model("sagemaker-runtime", "service-2")).operation_model(
        "InvokeEndpoint"
    )
    documented = {shape.name for shape in operation.error_shapes}
    handled = set(ERRORS) | {"ModelError", "ValidationError"}  # ValidationError: the function is misconfigured
    assert documented <= handled | {"InternalFailure"}
