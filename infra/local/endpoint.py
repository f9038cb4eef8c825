"""SageMaker's runtime in front of a container: InvokeEndpoint -> POST /invocations.

Source: contract S6 to S11; Amazon SageMaker API Reference, "InvokeEndpoint". AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME
names its URL. Signatures are not checked.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

from flask import Flask, Response, request

from infra.local.servers import serving

VARIANT = "AllTraffic"
TIMEOUT_SECONDS = 60  # SageMaker's limit for a container (contract S6)
# Header of InvokeEndpoint -> header of the request to the container (contract S8).
PASSED_ON = {
    "Content-Type": "Content-Type",
    "Accept": "Accept",
    "X-Amzn-SageMaker-Custom-Attributes": "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Inference-Id": "X-Amzn-SageMaker-Inference-Id",
}


def create_app(endpoint_name: str, port: int) -> Flask:
    """Return the app with InvokeEndpoint of one endpoint; its container listens on a local port."""
    app = Flask(__name__)

    @app.post("/endpoints/<name>/invocations")
    def invoke(name: str) -> Response:
        if name != endpoint_name:
            return _error(400, "ValidationError", {"Message": f"Endpoint {name} of account 000000000000 not found."})
        headers = {own: request.headers[name] for name, own in PASSED_ON.items() if name in request.headers}
        try:
            status, kind, body = _post(port, request.get_data(), headers)
        except (OSError, HTTPException):
            status, kind, body = 500, "text/plain", b"the container does not respond"
        if status != 200:
            return _model_error(status, body)
        return Response(body, 200, {"Content-Type": kind, "x-Amzn-Invoked-Production-Variant": VARIANT})

    return app


def _post(port: int, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read()
    finally:
        connection.close()


def _model_error(status: int, body: bytes) -> Response:
    message = body.decode(errors="replace")
    text = (
        f'Received {"client" if status < 500 else "server"} error ({status}) from {VARIANT} with message "{message}".'
    )
    return _error(424, "ModelError", {"Message": text, "OriginalStatusCode": status, "OriginalMessage": message})


def _error(status: int, code: str, members: dict[str, object]) -> Response:
    return Response(json.dumps(members), status, {"Content-Type": "application/json", "x-amzn-ErrorType": code})


@contextmanager
def running_endpoint(endpoint_name: str, port: int) -> Iterator[str]:
    """Serve the app in a thread; yield the value for AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME."""
    with serving(create_app(endpoint_name, port)) as url:
        yield url
