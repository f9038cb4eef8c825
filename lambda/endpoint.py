"""The client of the SageMaker endpoint: it sends a request, and maps errors of the endpoint to HTTP statuses.

Source: Amazon SageMaker API Reference, "InvokeEndpoint" (its errors); contract S11.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from response import INTERNAL, RequestFailedError, Response
from settings import Settings

MEDIA_TYPE = "application/json"
MAX_TRIES = 2
MARGIN_SECONDS = 1.0  # time for the function's response and its log line
PAUSE_SECONDS = (0.05, 0.2)  # random pause before a retry
BUSY_SECONDS, STARTING_SECONDS = 1, 5  # values of Retry-After

# Errors of InvokeEndpoint by their code: status, message for the client, and seconds to wait before a retry. Any
# other code, such as AccessDeniedException or ValidationError, is an error of the deployment: 500.
BUSY = (429, "too many requests: try again later", BUSY_SECONDS)
ERRORS: dict[str, tuple[int, str, int | None]] = {
    "ThrottlingException": BUSY,
    "Throttling": BUSY,
    "TooManyRequestsException": BUSY,
    "ModelNotReadyException": (503, "the endpoint is starting: try again later", STARTING_SECONDS),
    "ServiceUnavailable": (503, "the endpoint is not available: try again later", BUSY_SECONDS),
    "ServiceUnavailableException": (503, "the endpoint is not available: try again later", BUSY_SECONDS),
    "InternalFailure": (502, "the endpoint failed", None),
    "InternalDependencyException": (502, "the endpoint failed", None),
}
MODEL_FAILED = "the endpoint failed to respond"
REFUSED = "the endpoint refused the request"
TOO_LATE = "the endpoint did not respond in time"
UNREACHABLE = "the endpoint cannot be reached: try again later"


@dataclass(frozen=True)
class EndpointResponse:
    """The endpoint's response, its variant (of an A/B test) and the number of tries."""

    response: Response
    variant: str | None
    tries: int


class Endpoint:
    """A client that keeps its connection for the life of the function's process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        config = Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            retries={"total_max_attempts": 1},  # botocore's own retries would also repeat timeouts
            tcp_keepalive=True,
            max_pool_connections=1,
        )
        # botocore directly: boto3's other imports are a tenth of a cold start (results/function.md).
        self._client: Any = get_session().create_client("sagemaker-runtime", region_name=settings.region, config=config)

    def invoke(self, body: bytes, request_id: str, seconds_left: Callable[[], float]) -> EndpointResponse:
        """Send one request to the endpoint.

        It retries once, and only if the request was not sent (the connection was closed or could not be opened) or
        the endpoint was briefly unavailable. It does not retry if less than a whole timeout is left. A model that
        fails or takes too long is not retried: it would do the same work twice.

        Args:
            body: a JSON text.
            request_id: the endpoint logs it as InferenceId.
            seconds_left: seconds until Lambda ends this invocation.

        Raises:
            RequestFailedError: it has the status for the client.
        """
        for tries in range(1, MAX_TRIES + 1):
            try:
                return self._invoke(body, request_id, tries)
            except Exception as error:
                if tries == MAX_TRIES or not (_is_safe_to_repeat(error) and self._fits(seconds_left())):
                    raise failure_of(error) from error
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
        raise AssertionError("every try returns or raises")

    def _invoke(self, body: bytes, request_id: str, tries: int) -> EndpointResponse:
        response = self._client.invoke_endpoint(
            EndpointName=self._settings.endpoint_name,
            Body=body,
            ContentType=MEDIA_TYPE,
            Accept=MEDIA_TYPE,
            InferenceId=request_id,
        )
        content = response["Body"].read()
        if _json_object(content) is None:
            raise RequestFailedError(502, MODEL_FAILED, cause="the response is not a JSON object")
        return EndpointResponse(Response(200, content.decode()), response.get("InvokedProductionVariant"), tries)

    def _fits(self, seconds_left: float) -> bool:
        return seconds_left >= self._settings.seconds_of_a_try + PAUSE_SECONDS[1] + MARGIN_SECONDS


def _is_safe_to_repeat(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code") in {"ServiceUnavailable", "ServiceUnavailableException"}
    return isinstance(error, ConnectionClosedError | EndpointConnectionError)


def failure_of(error: Exception) -> RequestFailedError:
    """Return the error for the client. This is the only mapping from errors of the endpoint to a status.

    The endpoint's message is passed on only if it is about the request (its 4xx); other details stay in the log.
    """
    cause = f"{type(error).__name__}: {error}"
    match error:
        case RequestFailedError():
            return error
        case ClientError():
            return _of_service(error, cause)
        case ReadTimeoutError() | ConnectTimeoutError():
            return RequestFailedError(504, TOO_LATE, cause=cause)
        case ConnectionClosedError() | EndpointConnectionError():
            return RequestFailedError(503, UNREACHABLE, retry_after=BUSY_SECONDS, cause=cause)
        case HTTPClientError():  # an error of the connection
            return RequestFailedError(502, MODEL_FAILED, cause=cause)
        case BotoCoreError():  # nothing was sent: no credentials, or an invalid parameter
            return RequestFailedError(500, INTERNAL, cause=cause)
    return RequestFailedError(500, INTERNAL, cause=cause)


def _of_service(error: ClientError, cause: str) -> RequestFailedError:
    code = error.response["Error"].get("Code", "")
    if code == "ModelError":
        return _of_model(error.response, cause)
    status, message, retry_after = ERRORS.get(code, (500, INTERNAL, None))
    return RequestFailedError(status, message, retry_after=retry_after, cause=cause)


def _of_model(response: Any, cause: str) -> RequestFailedError:  # noqa: ANN401 - of an operation's modelled error
    """Return the error for an error response of the container: 4xx is an error of the request, others of the model."""
    status = int(response.get("OriginalStatusCode") or 500)
    if not 400 <= status < 500:
        return RequestFailedError(502, MODEL_FAILED, cause=cause)
    content = _json_object(str(response.get("OriginalMessage", "")).encode()) or {}
    message, field = content.get("error"), content.get("field")
    return RequestFailedError(
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
