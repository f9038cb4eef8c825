"""Events of the function: a direct call, a REST API (payload 1.0) or an HTTP API (2.0) of API Gateway.

Source: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon API Gateway"; API Gateway Developer Guide, "Create AWS
Lambda proxy integrations for HTTP APIs".
"""

import base64
import binascii
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from response import RequestFailedError, Response

MAX_BODY_BYTES = 4_000_000  # limit of a serverless endpoint (contract S20), the smallest on the path
EXPECTED = 'expected a JSON object like {"user_id": "..."}'
IDS = ("user_id", "item_id")
SUBJECTS = (*IDS, "items", "onboarding", "trending")  # a request is about one of these
METHODS = "POST, OPTIONS"
# Headers of signed requests and of requests with tokens.
ALLOWED_HEADERS = "authorization, content-type, x-amz-content-sha256, x-amz-date, x-amz-security-token"


class Caller(StrEnum):
    """The sender of an event, which determines the format of the response."""

    DIRECT = "direct"
    REST = "rest"
    HTTP = "http"

    @classmethod
    def of(cls, event: object) -> "Caller":
        """Return the sender, by fields that API Gateway always sends; all other events are direct calls."""
        if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
            return cls.DIRECT
        if event.get("version") == "2.0" and isinstance(event["requestContext"].get("http"), dict):
            return cls.HTTP
        return cls.REST if "httpMethod" in event else cls.DIRECT


def method_of(event: Any, caller: Caller) -> str:  # noqa: ANN401 - any JSON value
    """Return the HTTP method; a direct call counts as POST."""
    if caller is Caller.DIRECT:
        return "POST"
    return str(event["httpMethod"] if caller is Caller.REST else event["requestContext"]["http"].get("method"))


def gateway_id_of(event: Any, caller: Caller) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the request's ID in the log of API Gateway."""
    return None if caller is Caller.DIRECT else str(event["requestContext"].get("requestId"))


def request_of(event: Any, caller: Caller) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the one request of an event as the JSON body for the endpoint, in ASCII and without NaN.

    An error found here saves a call of the endpoint. The endpoint checks the other fields.

    Raises:
        RequestFailedError: 400 or 413, with the field and what was expected.
    """
    request = event if caller is Caller.DIRECT else _parse(_body(event))
    if not isinstance(request, dict):
        raise RequestFailedError(400, EXPECTED)
    if "instances" in request:
        raise RequestFailedError(
            400, "instances: expected one request here; send several records to the endpoint itself", "instances"
        )
    subject = next((name for name in SUBJECTS if name in request), None)
    if subject is None:
        raise RequestFailedError(400, f"user_id: is missing; {EXPECTED}", "user_id")
    if subject in IDS:
        _check_id(subject, request[subject])
    return _sized(_encode(request))


def _check_id(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RequestFailedError(400, f"{name}: expected a text, not empty, or a whole number", name)


def response_to(caller: Caller, response: Response, request_id: str, cors_origin: str | None) -> dict[str, Any]:
    """Return the response in the format of the sender.

    A direct call gets the endpoint's response unchanged, or `{"error", "field", "status"}`. Nothing is raised, since
    Lambda would repeat a failed asynchronous call.
    """
    if caller is Caller.DIRECT:
        value: dict[str, Any] = json.loads(response.body)
        return value if response.status == 200 else {**value, "status": response.status}
    headers = {"Content-Type": "application/json", "X-Request-Id": request_id, "Cache-Control": "no-store"}
    if response.retry_after is not None:
        headers["Retry-After"] = str(response.retry_after)
    if response.status == 405:
        headers["Allow"] = METHODS
    if cors_origin is not None:
        headers |= {
            "Access-Control-Allow-Origin": cors_origin,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Expose-Headers": "retry-after, x-request-id",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }
    return {"statusCode": response.status, "headers": headers, "body": response.body, "isBase64Encoded": False}


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise RequestFailedError(400, EXPECTED)
    if not event.get("isBase64Encoded"):
        return _sized(body.encode(errors="surrogatepass"))
    try:
        return _sized(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError):
        raise RequestFailedError(400, "expected a body in base64, since isBase64Encoded is true") from None


def _sized(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise RequestFailedError(413, f"body: expected at most {MAX_BODY_BYTES} bytes")
    return body


def _parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise RequestFailedError(400, EXPECTED) from None


def _encode(request: dict[str, Any]) -> bytes:
    try:
        return json.dumps(request, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise RequestFailedError(400, "expected finite numbers: JSON has no NaN and no Infinity") from None
