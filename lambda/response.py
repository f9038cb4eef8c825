"""The responses of the function: a status, a JSON body, and when to retry."""

import json
from dataclasses import dataclass

INTERNAL = "internal error; look for the request ID in the function's log"


@dataclass(frozen=True)
class Response:
    """An HTTP status, a JSON text and, if a retry is worthwhile, the seconds to wait before it."""

    status: int
    body: str
    retry_after: int | None = None


class RequestFailedError(Exception):
    """A request failed.

    Attributes:
        status: HTTP status.
        field: the invalid field of the request, which the message names too; empty for the whole request.
        retry_after: seconds to wait before a retry; None if a retry does not help.
        cause: the cause, for the log only.
    """

    def __init__(
        self, status: int, message: str, field: str = "", retry_after: int | None = None, cause: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.field, self.retry_after, self.cause = status, field, retry_after, cause

    @property
    def response(self) -> Response:
        """The response, in the format of the endpoint's errors."""
        return Response(self.status, json.dumps({"error": str(self), "field": self.field}), self.retry_after)
