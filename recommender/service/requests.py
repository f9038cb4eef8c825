"""Request body -> checked values."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError, from_json

from recommender.common.messages import MAX_SHOWN, UNKNOWN, first_problem, shown
from recommender.data.identifiers import Identifier
from recommender.errors import RequestError
from recommender.pipeline.applied_rules import RuleValues, given_values
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Event

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
MAX_FIELDS = 30  # fields of an object that are checked; no valid object has as many
SUBJECTS = ("user_id", "item_id", "items", "onboarding", "trending")  # a request has one of them
ONE_SUBJECT = f"expected one of {', '.join(SUBJECTS)}"
OF_A_USER = ("history", "interests", "rank", "exclude_seen")  # fields that only a request with user_id has
VALUE_BYTES, TEXT_BYTES = 160, 4  # maximum memory of a decoded value, and per byte of its text
SEVERAL_VALUES = "trailing characters"  # begin of the JSON parser's message about text after the first value


MAX_TIME = 1e19  # maximum of a timestamp that is a number: the year 2286 in nanoseconds
MAX_TIME_LENGTH = 40  # maximum characters of a timestamp that is a text
Interest = Annotated[str, Field(min_length=1, max_length=LIMITS.max_interest_length)]


class HistoryEvent(BaseModel):
    """One event of the request's `history`. The model decides whether its rating and time are valid."""

    model_config = _STRICT

    item_id: Identifier
    rating: float | None = None
    timestamp: (
        Annotated[float, Field(ge=-MAX_TIME, le=MAX_TIME)] | Annotated[str, Field(max_length=MAX_TIME_LENGTH)] | None
    ) = None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _number_or_text(cls, value: object) -> object:
        """Check the type here: pydantic's message about a union would name each type."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_TIME
        is_text = isinstance(value, str) and len(value) <= MAX_TIME_LENGTH
        if not (value is None or is_number or is_text):
            raise ValueError(
                f"expected a number from {-MAX_TIME:g} to {MAX_TIME:g}, or an ISO 8601 date or date-time of at most "
                f"{MAX_TIME_LENGTH} characters"
            )
        return value


class RecommendRequest(RuleValues):
    """One request: what it is about, the history, the rules and the number of recommendations."""

    model_config = _STRICT

    user_id: Identifier | None = None
    item_id: Identifier | None = None
    items: Annotated[list[Identifier], Field(min_length=1, max_length=LIMITS.max_history, fail_fast=True)] | None = None
    onboarding: Annotated[int, Field(ge=1, le=LIMITS.max_onboarding)] | None = None
    trending: Literal[True] | None = None
    history: list[HistoryEvent] = Field([], max_length=LIMITS.max_history, fail_fast=True)
    interests: list[Interest] = Field([], max_length=LIMITS.max_interests, fail_fast=True)
    rank: Annotated[list[Identifier], Field(min_length=1, max_length=LIMITS.max_top_k, fail_fast=True)] | None = None
    top_k: int = Field(LIMITS.top_k, ge=1, le=LIMITS.max_top_k)
    num_candidates: int = Field(LIMITS.num_candidates, ge=1, le=LIMITS.max_num_candidates)
    exclude_seen: bool = LIMITS.exclude_seen

    @field_validator("history")
    @classmethod
    def _as_events(cls, history: list[HistoryEvent]) -> list[Event]:
        """Return the events in the pipeline's form: pydantic's objects take many times the memory."""
        return [Event(event.item_id, event.rating, event.timestamp) for event in history]

    @field_validator("top_k", "num_candidates", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        """Accept 5.0 as 5: in JSON it is a whole number, and some languages write it like this."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @field_validator("num_candidates")  # called only if the field was given
    @classmethod
    def _candidates_suffice(cls, num_candidates: int, info: ValidationInfo) -> int:
        if num_candidates < info.data.get("top_k", 1):
            raise ValueError(f"expected at least top_k, which is {info.data['top_k']}")
        return num_candidates

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        given = [name for name in SUBJECTS if getattr(self, name) is not None]
        if not given:
            raise PydanticCustomError("subject", f"is missing; {ONE_SUBJECT}", {"field": SUBJECTS[0]})
        if len(given) > 1:
            raise PydanticCustomError("subject", f"{ONE_SUBJECT}, got {' and '.join(given)}", {"field": given[1]})
        for name in OF_A_USER if given[0] != "user_id" else ():
            if name in self.model_fields_set:
                raise PydanticCustomError("subject", "expected only in a request with user_id", {"field": name})
        return self

    @classmethod
    def parse(cls, value: Any) -> Self:  # noqa: ANN401 - any JSON value
        """Return the request of a decoded JSON value.

        Raises:
            RequestError: names the field and what was expected.
        """
        if not isinstance(value, dict):
            hint = ': send several records as {"instances": [...]}' if isinstance(value, list) else ""
            raise RequestError("", f'expected a JSON object like {{"user_id": "..."}}, got {shown(value)}{hint}')
        try:
            return cls.model_validate(_bounded(value))
        except ValidationError as error:
            field, message = first_problem(error, cls)
            if error.errors()[0]["type"] == "subject":
                field, message = error.errors()[0]["ctx"]["field"], error.errors()[0]["msg"]
            if field.startswith("history[") and message == UNKNOWN:
                message += f"; known here are {', '.join(HistoryEvent.model_fields)}"
            raise RequestError(_shown_name(field), message) from None

    @property
    def events(self) -> list[Event]:
        """The history in the pipeline's form; see `_as_events`."""
        return cast("list[Event]", self.history)

    @property
    def candidates(self) -> int:
        """`num_candidates`; at least the number of items if the request leaves it out."""
        return max(self.num_candidates, self.count)

    @property
    def count(self) -> int:
        """The largest number of items in the response."""
        if self.rank is not None and "top_k" not in self.model_fields_set:
            return len(self.rank)
        return self.onboarding or self.top_k

    @property
    def excludes_seen(self) -> bool:
        """`exclude_seen`; a list to rank keeps its seen items if the request leaves the field out."""
        return self.exclude_seen and (self.rank is None or "exclude_seen" in self.model_fields_set)

    @property
    def rules(self) -> dict[str, Any]:
        """The values of the rules that the request has, by name."""
        return given_values(self)


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with only the first fields of itself and of its events, if it has too many.

    Among so many fields is an unknown one. Pydantic would create an error object for each of them.
    """
    value = _first_fields(value)
    history = value.get("history")
    if isinstance(history, list) and any(isinstance(event, dict) and len(event) > MAX_FIELDS for event in history):
        return {**value, "history": [_first_fields(event) if isinstance(event, dict) else event for event in history]}
    return value


def _first_fields(value: dict[str, Any]) -> dict[str, Any]:
    return value if len(value) <= MAX_FIELDS else dict(islice(value.items(), MAX_FIELDS))


def decode(body: bytes, max_values: int) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value of a body or of one of its lines; depth is bounded, NaN and Infinity are refused.

    Args:
        body: the bytes.
        max_values: maximum number of values in it; see `decoded_bytes`.

    Raises:
        RequestError: the body is empty, not JSON or has too many values.
    """
    if len(body) > max_values:
        _max_values(body, max_values)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        hint = ": one JSON value a line is application/jsonlines" if str(error).startswith(SEVERAL_VALUES) else ""
        raise RequestError("", f"expected a JSON body: {error}{hint}") from None


def decoded_bytes(body: bytes, max_values: int) -> int:
    """Return the maximum memory of the decoded JSON values of a body.

    Args:
        body: the bytes.
        max_values: maximum number of values. Three bytes of a body can become an object of 64 bytes.

    Raises:
        RequestError: the body has too many values.
    """
    return VALUE_BYTES * _max_values(body, max_values) + TEXT_BYTES * len(body)


def _max_values(body: bytes, max_values: int) -> int:
    """Return the maximum number of values in a body, from its commas and opening brackets."""
    count = 1 + sum(map(body.count, (b",", b"{", b"[")))
    if count > max_values:
        raise RequestError("", f"expected a JSON body with at most {max_values} values: send it in parts")
    return count


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
    other = next((name for name in value if name != "instances"), None)
    if other is not None:
        raise RequestError(_shown_name(other), "expected no field next to 'instances': each instance has its own")
    return entries


def _shown_name(field: str) -> str:
    """Return the name of a field, shortened if needed: a client may send any name, a message is one short line."""
    return field if field.isprintable() and len(field) <= MAX_SHOWN else shown(field)


def within_work_limits(records: Iterable[RecommendRequest | RequestError]) -> Iterator[RecommendRequest | RequestError]:
    """Yield the records of one request, and limit its work, so that it ends in time and leaves room for others.

    Raises:
        RequestError: all records together have too many candidates, items or events; the message names the limit.
    """
    candidates = items = events = 0
    for record in records:
        if isinstance(record, RecommendRequest):
            candidates += record.candidates
            items += record.count
            events += len(record.history)
        _check_sum("num_candidates", candidates, LIMITS.max_candidates_in_all)
        _check_sum("top_k", items, LIMITS.max_items_in_all)
        _check_sum("events of history", events, LIMITS.max_history_in_all)
        yield record


def _check_sum(name: str, found: int, most: int) -> None:
    if found > most:
        raise RequestError(
            "instances", f"expected {name} of at most {most} in all records: send fewer records or a smaller number"
        )
