"""Events that API Gateway sends to a Lambda function."""

from typing import Any


def rest(body: object, is_base64: bool = False, method: str = "POST") -> dict[str, Any]:
    """Return the event of a REST API."""
    return {
        "resource": "/recommendations",
        "path": "/recommendations",
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "requestContext": {"requestId": "r-1", "stage": "prod"},
        "body": body,
        "isBase64Encoded": is_base64,
    }


def http(body: object, is_base64: bool = False, method: str = "POST") -> dict[str, Any]:
    """Return the event of an HTTP API."""
    return {
        "version": "2.0",
        "routeKey": "POST /recommendations",
        "requestContext": {"requestId": "h-1", "http": {"method": method, "path": "/recommendations"}},
        "body": body,
        "isBase64Encoded": is_base64,
    }
