"""API Gateway's HTTP API in front of the function: a request -> an event of payload 2.0 -> a response.

Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs". Authorization is not checked
here: on AWS the API's authorizer does that.
"""

import base64
import json
import time
import uuid
from typing import Any

from flask import Flask, Response, request

from infra.local.function import Function

ROUTE = "/recommendations"
MAX_BODY_BYTES = 10 * 2**20  # limit of an HTTP API


def create_app(function: Function) -> Flask:
    """Return the API with its one route."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.register_error_handler(404, lambda _: _message(404, "Not Found"))
    app.register_error_handler(405, lambda _: _message(404, "Not Found"))  # an HTTP API knows no other routes
    app.register_error_handler(413, lambda _: _message(413, "Request Entity Too Large"))

    @app.post(ROUTE)
    def recommendations() -> Response:
        try:
            result = function.invoke(event_of_request())
        except TimeoutError:
            return _message(503, "Service Unavailable")
        return _message(500, "Internal Server Error") if "errorType" in result else response_of(result)

    return app


def event_of_request() -> dict[str, Any]:
    """Return Flask's current request as an event: header names in lower case, a body that is not text in base64."""
    body = request.get_data()
    is_text = request.mimetype.startswith("text/") or request.mimetype in ("application/json", "application/xml")
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{request.method} {ROUTE}",
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": request.host,
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote_addr,
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "requestId": uuid.uuid4().hex[:15] + "=",
            "routeKey": f"{request.method} {ROUTE}",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if body:
        event |= _encoded(body, is_text)
    return event


def response_of(result: dict[str, Any]) -> Response:
    """Return the function's result as the response of API Gateway."""
    if "statusCode" not in result:  # API Gateway then takes the whole result as the body
        return Response(json.dumps(result), 200, {"Content-Type": "application/json"})
    body = result.get("body", "")
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    return Response(content, result["statusCode"], result.get("headers", {}))


def _encoded(body: bytes, is_text: bool) -> dict[str, Any]:
    if is_text:
        try:
            return {"body": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _message(status: int, text: str) -> Response:
    return Response(json.dumps({"message": text}), status, {"Content-Type": "application/json"})
