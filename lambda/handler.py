"""AWS Lambda in front of the endpoint: API Gateway's event, or a direct `{"user_id": ...}` -> its recommendations."""

from typing import Any, Protocol

from answers import INTERNAL, Answer, NotAnsweredError
from endpoint import Endpoint
from events import Caller, gateway_id_of, method_of, question_of, reply_to
from settings import Settings
from telemetry import Line

# Once per process, before its first invocation: errors in the environment show at deployment.
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
        answer = _answer(event, caller, context, line)
    except NotAnsweredError as error:
        line.fail(error, error.cause or str(error))
        answer = error.answer
    except Exception as error:  # noqa: BLE001 - a bug; it stands in the log with its traceback
        line.fail(error, "")
        answer = NotAnsweredError(500, INTERNAL).answer
    line.write(answer)
    return reply_to(caller, answer, context.aws_request_id, SETTINGS.cors_origin)


def _answer(event: Any, caller: Caller, context: Context, line: Line) -> Answer:  # noqa: ANN401 - any JSON value
    method = method_of(event, caller)
    if method == "OPTIONS" and SETTINGS.cors_origin is not None:
        return Answer(204, "")
    if method != "POST":
        raise NotAnsweredError(405, "wrong method: expected POST")
    reply = ENDPOINT.ask(
        question_of(event, caller), context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000
    )
    line.facts |= {"variant": reply.variant, "tries": reply.tries}
    return reply.answer
