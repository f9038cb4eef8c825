"""AWS Lambda in front of the endpoint: an event of API Gateway, or a direct `{"user_id": ...}` -> recommendations."""

from typing import Any, Protocol

from endpoint import Endpoint
from events import Caller, gateway_id_of, method_of, request_of, response_to
from response import INTERNAL, RequestFailedError, Response
from settings import Settings
from telemetry import Line

# Created once per process, before its first invocation, so that errors in the environment appear at deployment.
SETTINGS = Settings.from_environment()
ENDPOINT = Endpoint(SETTINGS)
_invocations = 0


class Context(Protocol):
    """The used part of Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        ...


def lambda_handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Handle one event.

    Returns:
        For API Gateway, a response of its proxy integration. For a direct call, the endpoint's response or
        `{"error", "field", "status"}`. Nothing is raised.
    """
    global _invocations
    _invocations += 1
    caller = Caller.of(event)
    line = Line(
        SETTINGS.endpoint_name, context.aws_request_id, caller, gateway_id_of(event, caller), is_cold=_invocations == 1
    )
    try:
        response = _handle(event, caller, context, line)
    except RequestFailedError as error:
        line.fail(error, error.cause or str(error))
        response = error.response
    except Exception as error:  # noqa: BLE001 - a bug; the log has its traceback
        line.fail(error, "")
        response = RequestFailedError(500, INTERNAL).response
    line.write(response)
    return response_to(caller, response, context.aws_request_id, SETTINGS.cors_origin)


def _handle(event: Any, caller: Caller, context: Context, line: Line) -> Response:  # noqa: ANN401 - any JSON value
    method = method_of(event, caller)
    if method == "OPTIONS" and SETTINGS.cors_origin is not None:
        return Response(204, "")
    if method != "POST":
        raise RequestFailedError(405, "wrong method: expected POST")
    found = ENDPOINT.invoke(
        request_of(event, caller), context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000
    )
    line.facts |= {"variant": found.variant, "tries": found.tries}
    return found.response
