"""What the function answers: a status, a JSON body, and when to come back."""

import json
from dataclasses import dataclass

INTERNAL = "internal error; the request's id finds it in the function's log"


@dataclass(frozen=True)
class Answer:
    """A status of HTTP, a JSON text and, where it pays to ask again, after how many seconds."""

    status: int
    body: str
    retry_after: int | None = None


class NotAnsweredError(Exception):
    """The question has no recommendations.

    Attributes:
        status: of HTTP.
        field: of the question that is wrong, which the message names too; empty for the whole of it.
        retry_after: seconds after which it pays to ask again; None where it does not.
        cause: for the log alone.
    """

    def __init__(
        self, status: int, message: str, field: str = "", retry_after: int | None = None, cause: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.field, self.retry_after, self.cause = status, field, retry_after, cause

    @property
    def answer(self) -> Answer:
        """In the form of the endpoint's own errors."""
        return Answer(self.status, json.dumps({"error": str(self), "field": self.field}), self.retry_after)
