"""Request body -> checked values."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import from_json

from recommender.common.messages import MAX_SHOWN, first_problem, shown
from recommender.errors import RequestError
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Event

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
_Identifier = Annotated[str, Field(min_length=1)]
MAX_TIME = 1e19  # of a timestamp, if it is a number: the year 2286 in nanoseconds
MAX_TIME_LENGTH = 40  # of a timestamp, if it is a text


class HistoryEvent(BaseModel):
    """One event of the request's `history`; whether a rating or a time makes sense depends on the model."""

    model_config = _STRICT

    item_id: _Identifier
    rating: float | None = None
    timestamp: (
        Annotated[float, Field(ge=-MAX_TIME, le=MAX_TIME)] | Annotated[str, Field(max_length=MAX_TIME_LENGTH)] | None
    ) = None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _number_or_text(cls, value: object) -> object:
        """Check the type in one place: a union of types would name each of them in its own message."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_TIME
        is_text = isinstance(value, str) and len(value) <= MAX_TIME_LENGTH
        if not (value is None or is_number or is_text):
            raise ValueError(
                f"expected a number from {-MAX_TIME:g} to {MAX_TIME:g}, or an ISO 8601 date or date-time of at most "
                f"{MAX_TIME_LENGTH} characters"
            )
        return value


class RecommendRequest(BaseModel):
    """One request: the user, the history and the number of recommendations."""

    model_config = _STRICT

    user_id: _Identifier
    history: Annotated[list[HistoryEvent], Field(max_length=LIMITS.max_history)] = []
    top_k: int = Field(LIMITS.top_k, ge=1, le=LIMITS.max_top_k)
    num_candidates: int = Field(LIMITS.num_candidates, ge=1, le=LIMITS.max_num_candidates)
    exclude_seen: bool = LIMITS.exclude_seen

    @field_validator("top_k", "num_candidates", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        """Accept 5.0 as 5: it is a whole number in JSON, and some languages write it so."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @field_validator("num_candidates")  # called only if the field was given
    @classmethod
    def _candidates_suffice(cls, num_candidates: int, info: ValidationInfo) -> int:
        if num_candidates < info.data.get("top_k", 1):
            raise ValueError(f"expected at least top_k, which is {info.data['top_k']}")
        return num_candidates

    @classmethod
    def parse(cls, value: Any) -> Self:  # noqa: ANN401 - any JSON value
        """Return the request of a decoded JSON value.

        Raises:
            RequestError: names the field and what was expected.
        """
        if not isinstance(value, dict):
            raise RequestError("", f'expected a JSON object like {{"user_id": "..."}}, got {shown(value)}')
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            field, message = first_problem(error, cls)
            raise RequestError(_shown_name(field), message) from None

    @property
    def events(self) -> list[Event]:
        """The history as the pipeline takes it."""
        return [Event(event.item_id, event.rating, event.timestamp) for event in self.history]

    @property
    def candidates(self) -> int:
        """`num_candidates`; at least `top_k` if the request leaves it out."""
        return max(self.num_candidates, self.top_k)


def decode(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value of a body; depth is bounded, NaN and Infinity are refused.

    Raises:
        RequestError: the body is empty or not JSON.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError("", f"expected a JSON body: {error}") from None


def instances(value: Any) -> list[Any] | None:  # noqa: ANN401 - any JSON value
    """Return the entries of `{"instances": [...]}`; None if the value is not of that form.

    Raises:
        RequestError: the entries are not a list, or there are other fields next to them.
    """
    if not (isinstance(value, dict) and "instances" in value):
        return None
    entries = value["instances"]
    if not isinstance(entries, list):
        raise RequestError("instances", f"expected a list, got {shown(entries)}")
    if others := sorted(value.keys() - {"instances"}):
        raise RequestError(_shown_name(others[0]), "expected no field next to 'instances': each instance has its own")
    return entries


def _shown_name(field: str) -> str:
    """Return the name of a field, shortened if needed: a client may send any name, a message is one short line."""
    return field if field.isprintable() and len(field) <= MAX_SHOWN else shown(field)


def check_work(records: Sequence[RecommendRequest | RequestError]) -> None:
    """Bound the work of one request: it must finish in time and leave room for others.

    Raises:
        RequestError: there are too many records, or too many candidates in all records together.
    """
    if len(records) > LIMITS.max_instances:
        raise RequestError("instances", f"expected at most {LIMITS.max_instances} records, got {len(records)}")
    total = sum(record.candidates for record in records if isinstance(record, RecommendRequest))
    if total > LIMITS.max_candidates_in_all:
        raise RequestError(
            "instances", f"expected num_candidates of at most {LIMITS.max_candidates_in_all} in all, got {total}"
        )
