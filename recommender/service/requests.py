"""Request body -> checked values."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import from_json

from recommender.common.messages import MAX_SHOWN, UNKNOWN, first_problem, shown
from recommender.data.identifiers import Identifier, WholeNumber
from recommender.errors import RequestError
from recommender.pipeline.applied_rules import RuleValues, given_values
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Event, Recommendations
from recommender.pipeline.recommender import Recommender
from recommender.pipeline.size import Pause

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
MAX_FIELDS = 30  # fields of an object that are checked; no valid object has as many
VALUE_BYTES, TEXT_BYTES = 160, 4  # maximum memory of a decoded value, and per byte of its text
SEVERAL_VALUES = "trailing characters"  # begin of the JSON parser's message about text after the first value


MAX_TIME = 1e19  # maximum of a timestamp that is a number: the year 2286 in nanoseconds
MAX_TIME_LENGTH = 40  # maximum characters of a timestamp that is a text


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


class Request(RuleValues, ABC):
    """One request: its rules, and what it is about in a subclass."""

    model_config = _STRICT

    @property
    def count(self) -> int:
        """The largest number of items in the response."""
        found: int = self.top_k  # type: ignore[attr-defined]  # most subclasses have it
        return found

    @property
    def candidates(self) -> int:
        """The number of candidates of each source."""
        return max(LIMITS.num_candidates, self.count)

    @property
    def events(self) -> list[Event]:
        """The events of the request."""
        return []

    @property
    def user(self) -> str | None:
        """The user, for the log."""
        return None

    @abstractmethod
    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the response.

        Raises:
            RequestError: the model does not have what the request names.
        """

    @property
    def _rules(self) -> dict[str, Any]:
        return given_values(self)


class RequestWithSize(Request, ABC):
    """A request for items that several sources propose."""

    top_k: WholeNumber = Field(
        LIMITS.top_k,
        ge=1,
        le=LIMITS.max_top_k,
        description="Number of items; the response has fewer if the catalogue has no more that the rules allow.",
    )
    num_candidates: WholeNumber = Field(
        LIMITS.num_candidates,
        ge=1,
        le=LIMITS.max_num_candidates,
        description="Number of candidates of each source; at least `top_k`. By default "
        f"{LIMITS.num_candidates} or `top_k`, whichever is more.",
    )

    @field_validator("num_candidates")  # called only if the field was given
    @classmethod
    def _candidates_suffice(cls, num_candidates: int, info: ValidationInfo) -> int:
        if num_candidates < info.data.get("top_k", 1):
            raise ValueError(f"expected at least top_k, which is {info.data['top_k']}")
        return num_candidates

    @property
    def candidates(self) -> int:
        """`num_candidates`; at least the number of items if the request leaves it out."""
        return max(self.num_candidates, self.count)


Interest = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LIMITS.max_interest_length)]


class UserRequest(RequestWithSize):
    """Recommend items to a user, or order given items for the user."""

    user_id: Identifier = Field(
        description="The user. A user that is not in the training data is no error. A whole number is taken as its "
        "digits."
    )
    history: list[HistoryEvent] = Field(
        [],
        max_length=LIMITS.max_history,
        fail_fast=True,
        description="Events that the model has not seen, oldest first. They are the history of a new user, and extend "
        "that of a known user. An event replaces earlier events of the same item, those of the training data too.",
    )
    interests: list[Interest] = Field(
        [],
        max_length=LIMITS.max_interests,
        fail_fast=True,
        description="Interests of the user, a few words each, such as `black leather boots`. Items with matching "
        "titles and attributes count as events of the user, and get a share of the response.",
    )
    rank: Annotated[list[Identifier], Field(min_length=1, max_length=LIMITS.max_top_k, fail_fast=True)] | None = Field(
        None,
        description="IDs of items to order for the user: the response has these, and no others. By default `top_k` is "
        "their number, and seen ones stay. Items that the model does not know come last, with score 0.",
    )
    exclude_seen: bool = Field(
        LIMITS.exclude_seen, description="Leave out the items of the user's history, known and new."
    )

    @field_validator("history")
    @classmethod
    def _as_events(cls, history: list[HistoryEvent]) -> list[Event]:
        """Return the events in the pipeline's form: pydantic's objects take many times the memory."""
        return [Event(event.item_id, event.rating, event.timestamp) for event in history]

    @property
    def events(self) -> list[Event]:
        """The history in the pipeline's form; see `_as_events`."""
        return cast("list[Event]", self.history)

    @property
    def count(self) -> int:
        """`top_k`; the number of items to order if the request leaves it out."""
        return self.top_k if self.rank is None or "top_k" in self.model_fields_set else len(self.rank)

    @property
    def user(self) -> str:
        """The user."""
        return self.user_id

    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the items for the user."""
        size: dict[str, Any] = {"top_k": self.count, "num_candidates": self.candidates, "pause": pause}
        if self.rank is None:
            return recommender.recommend(
                self.user_id,
                self.events,
                interests=self.interests,
                exclude_seen=self.exclude_seen,
                **size,
                **self._rules,
            )
        return recommender.rank(
            self.user_id,
            self.rank,
            self.events,
            interests=self.interests,
            exclude_seen=self.exclude_seen and "exclude_seen" in self.model_fields_set,
            **size,
            **self._rules,
        )


class ItemRequest(RequestWithSize):
    """Recommend items that go with an item."""

    item_id: Identifier = Field(
        description="The item, which is left out. An item that the model does not know gets popular items."
    )

    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the items that go with the item."""
        return recommender.related(
            self.item_id, top_k=self.top_k, num_candidates=self.candidates, pause=pause, **self._rules
        )


class BasketRequest(RequestWithSize):
    """Recommend items that go with those of a basket."""

    items: Annotated[list[Identifier], Field(min_length=1, max_length=LIMITS.max_history, fail_fast=True)] = Field(
        description="The items of the basket, oldest first. They are left out. Those that the model does not know have "
        "no effect."
    )

    @property
    def events(self) -> list[Event]:
        """The items as events."""
        return [Event(item_id) for item_id in self.items]

    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the items that go with the basket."""
        return recommender.for_basket(
            self.items, top_k=self.top_k, num_candidates=self.candidates, pause=pause, **self._rules
        )


class OnboardingRequest(Request):
    """Return items to ask a new user about."""

    onboarding: WholeNumber = Field(
        ge=1,
        le=LIMITS.max_onboarding,
        description="Number of items to ask a new user about. The answers go on as the `history` of a request.",
    )

    @property
    def count(self) -> int:
        """The number of items."""
        return self.onboarding

    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the items to ask about."""
        return recommender.onboarding(self.onboarding, pause=pause, **self._rules)


def _true(value: object) -> object:
    if value is not True:  # 1 and 1.0 are equal to it
        raise ValueError("expected true")
    return value


class TrendingRequest(RequestWithSize):
    """Return the popular items of the last weeks."""

    trending: Annotated[Literal[True], BeforeValidator(_true)] = Field(
        description="The popular items of the last weeks, the same for all users; with `filter`, those that meet it."
    )

    def respond(self, recommender: Recommender, pause: Pause) -> Recommendations:
        """Return the trending items."""
        return recommender.trending(top_k=self.top_k, num_candidates=self.candidates, pause=pause, **self._rules)


# Field -> the request that it makes; a request has one of them.
REQUESTS: dict[str, type[Request]] = {
    "user_id": UserRequest,
    "item_id": ItemRequest,
    "items": BasketRequest,
    "onboarding": OnboardingRequest,
    "trending": TrendingRequest,
}


def parse(value: Any) -> Request:  # noqa: ANN401 - any JSON value
    """Return the request of a decoded JSON value.

    Raises:
        RequestError: names the field and what was expected.
    """
    if not isinstance(value, dict):
        hint = ': send several records as {"instances": [...]}' if isinstance(value, list) else ""
        raise RequestError("", f'expected a JSON object like {{"user_id": "..."}}, got {shown(value)}{hint}')
    kind = next((kind for name, kind in REQUESTS.items() if name in value), UserRequest)
    try:
        return kind.model_validate(_bounded(value))
    except ValidationError as error:
        field, message = first_problem(error, kind)
        if field in REQUESTS and message.startswith(UNKNOWN):
            message = f"expected one of {', '.join(REQUESTS)} in a request"
        if field.startswith("history[") and message == UNKNOWN:
            message += f"; known here are {', '.join(HistoryEvent.model_fields)}"
        raise RequestError(_shown_name(field), message) from None


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


def within_work_limits(records: Iterable[Request | RequestError]) -> Iterator[Request | RequestError]:
    """Yield the records of one request, and limit its work, so that it ends in time and leaves room for others.

    Raises:
        RequestError: all records together have too many candidates, items or events; the message names the limit.
    """
    candidates = items = events = 0
    for record in records:
        if isinstance(record, Request):
            candidates += record.candidates
            items += record.count
            events += len(record.events)
        _check_sum("num_candidates", candidates, LIMITS.max_candidates_in_all)
        _check_sum("top_k", items, LIMITS.max_items_in_all)
        _check_sum("events of history", events, LIMITS.max_history_in_all)
        yield record


def _check_sum(name: str, found: int, most: int) -> None:
    if found > most:
        raise RequestError(
            "instances", f"expected {name} of at most {most} in all records: send fewer records or a smaller number"
        )
