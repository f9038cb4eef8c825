"""The SageMaker endpoint: a request in, its response out; errors of the endpoint -> an HTTP status.

Source: Amazon SageMaker API Reference, "InvokeEndpoint" (its errors); contract S11.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from answers import INTERNAL, Answer, NotAnsweredError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.session import get_session
from settings import Settings

MEDIA_TYPE = "application/json"
MOST_TRIES = 2
MARGIN_SECONDS = 1.0  # time for our own response and its log line
PAUSE_SECONDS = (0.05, 0.2)  # random pause before a retry
BUSY_SECONDS, STARTING_SECONDS = 1, 5  # values of Retry-After

# Errors of InvokeEndpoint by their code: status, message for the client, and seconds to wait before a retry. Any
# other code, such as AccessDeniedException or ValidationError, is an error of the deployment: 500.
BUSY = (429, "too many requests; come back later", BUSY_SECONDS)
ERRORS: dict[str, tuple[int, str, int | None]] = {
    "ThrottlingException": BUSY,
    "Throttling": BUSY,
    "TooManyRequestsException": BUSY,
    "ModelNotReadyException": (503, "the endpoint is starting; come back later", STARTING_SECONDS),
    "ServiceUnavailable": (503, "the endpoint is not available; come back later", BUSY_SECONDS),
    "ServiceUnavailableException": (503, "the endpoint is not available; come back later", BUSY_SECONDS),
    "InternalFailure": (502, "the endpoint has failed", None),
    "InternalDependencyException": (502, "the endpoint has failed", None),
}
MODEL_FAILED = "the endpoint has failed to answer"
REFUSED = "the endpoint has refused the request"
TOO_LATE = "the endpoint has not answered in time"
UNREACHABLE = "the endpoint cannot be reached; come back later"


@dataclass(frozen=True)
class Reply:
    """The endpoint's response, its variant (of an A/B test) and the number of tries."""

    answer: Answer
    variant: str | None
    tries: int


class Endpoint:
    """A client that lives as long as the function's process and keeps its connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        config = Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            retries={"total_max_attempts": 1},  # botocore's own retries would repeat time-outs too
            tcp_keepalive=True,
            max_pool_connections=1,
        )
        # botocore directly: boto3's other imports are a tenth of a cold start (results/function.md).
        self._client: Any = get_session().create_client("sagemaker-runtime", region_name=settings.region, config=config)

    def ask(self, question: bytes, request_id: str, seconds_left: Callable[[], float]) -> Reply:
        """Send one request to the endpoint.

        It retries once, and only if the request was not sent (the connection was closed or could not be opened) or
        the endpoint was briefly unavailable. It does not retry if less than a whole time-out is left. A model that
        fails or takes too long is not retried: it would do the same work twice.

        Args:
            question: a JSON body.
            request_id: appears in the log of the endpoint, as InferenceId.
            seconds_left: seconds until Lambda ends this invocation.

        Raises:
            NotAnsweredError: has the status for the client.
        """
        for tries in range(1, MOST_TRIES + 1):
            try:
                return self._ask(question, request_id, tries)
            except Exception as error:
                if tries == MOST_TRIES or not (_is_safe_to_repeat(error) and self._fits(seconds_left())):
                    raise not_answered(error) from error
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
        raise AssertionError("every try returns or raises")

    def _ask(self, question: bytes, request_id: str, tries: int) -> Reply:
        response = self._client.invoke_endpoint(
            EndpointName=self._settings.endpoint_name,
            Body=question,
            ContentType=MEDIA_TYPE,
            Accept=MEDIA_TYPE,
            InferenceId=request_id,
        )
        body = response["Body"].read()
        if _json_object(body) is None:
            raise NotAnsweredError(502, MODEL_FAILED, cause="the answer is no JSON object")
        return Reply(Answer(200, body.decode()), response.get("InvokedProductionVariant"), tries)

    def _fits(self, seconds_left: float) -> bool:
        return seconds_left >= self._settings.seconds_of_a_try + PAUSE_SECONDS[1] + MARGIN_SECONDS


def _is_safe_to_repeat(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code") in {"ServiceUnavailable", "ServiceUnavailableException"}
    return isinstance(error, ConnectionClosedError | EndpointConnectionError)


def not_answered(error: Exception) -> NotAnsweredError:
    """Return the error for the client: the only mapping from errors of the endpoint to a status.

    The endpoint's message is passed on only if it is about the request (its 4xx); other details stay in the log.
    """
    cause = f"{type(error).__name__}: {error}"
    match error:
        case NotAnsweredError():
            return error
        case ClientError():
            return _of_service(error, cause)
        case ReadTimeoutError() | ConnectTimeoutError():
            return NotAnsweredError(504, TOO_LATE, cause=cause)
        case ConnectionClosedError() | EndpointConnectionError():
            return NotAnsweredError(503, UNREACHABLE, retry_after=BUSY_SECONDS, cause=cause)
        case HTTPClientError():  # an error of the connection
            return NotAnsweredError(502, MODEL_FAILED, cause=cause)
        case BotoCoreError():  # before anything was sent: no credentials, a bad parameter
            return NotAnsweredError(500, INTERNAL, cause=cause)
    return NotAnsweredError(500, INTERNAL, cause=cause)


def _of_service(error: ClientError, cause: str) -> NotAnsweredError:
    code = error.response["Error"].get("Code", "")
    if code == "ModelError":
        return _of_model(error.response, cause)
    status, message, retry_after = ERRORS.get(code, (500, INTERNAL, None))
    return NotAnsweredError(status, message, retry_after=retry_after, cause=cause)


def _of_model(response: Any, cause: str) -> NotAnsweredError:  # noqa: ANN401 - of an operation's modelled error
    """Return the error for an error response of the container: a 4xx is the request's, all else the model's."""
    status = int(response.get("OriginalStatusCode") or 500)
    if not 400 <= status < 500:
        return NotAnsweredError(502, MODEL_FAILED, cause=cause)
    said = _json_object(str(response.get("OriginalMessage", "")).encode()) or {}
    message, field = said.get("error"), said.get("field")
    return NotAnsweredError(
        status,
        message if isinstance(message, str) else REFUSED,
        field if isinstance(field, str) else "",
        cause=f"ModelError: {status}",  # its message may contain parts of the request
    )


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
