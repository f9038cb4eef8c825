"""Options that every part of a training job has, with their defaults."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from recommender.config import Config, Range, joined
from recommender.data.bounds import MAX_ATTRIBUTES, MAX_NAME_CHARACTERS
from recommender.data.column_names import parse_columns
from recommender.data.event_types import parse_event_weights


class SharedOptions(Config):
    """Base class of the options of candidate sources and ranking features."""

    called: ClassVar[str] = "hyper-parameter"
    ranges: ClassVar[Mapping[str, Range]] = {}  # option -> values that a search tries

    duplicates: Literal["keep", "first", "last", "mean"] = Field(
        "keep", description="how to handle repeated ratings of one item by one user: keep all, keep one, or their mean"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of every random choice")
    rating_min: float = Field(
        1.0, ge=-1e6, le=1e6, description="lowest rating allowed; a lower one in a channel is an error"
    )
    rating_max: float = Field(
        5.0, ge=-1e6, le=1e6, description="highest rating allowed; a higher one in a channel is an error"
    )

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if not self.rating_min < self.rating_max:
            raise ValueError(f"rating_min must be below rating_max, which is {self.rating_max:g}")
        return self

    @property
    def unused(self) -> set[str]:
        """The options that have no effect with the values of the others."""
        return set()

    @property
    def search_space(self) -> dict[str, Range]:
        """Option -> values that a search tries, for options that have an effect and were not set."""
        return {name: values for name, values in self.ranges.items() if name not in self.model_fields_set}

    @property
    def is_quick(self) -> bool:
        """Whether a fit on about 100,000 ratings takes seconds at most, so that a report may repeat it."""
        return False


class EventOptions(SharedOptions):
    """Options for reading the channels of a job."""

    columns: str = Field(
        "",
        description="names that the files use for user_id, item_id, rating, timestamp, weight, event_type and title, "
        "if they differ, such as user_id=visitorid,item_id=itemid",
    )
    event_weights: str = Field(
        "",
        description="weight of each event_type, such as purchase=5,view=1; events of other types are left out; by "
        "default every event counts 1",
    )

    item_attributes: str = Field(
        "*",
        description="columns of the items channel to keep as attributes for filters and other rules, separated by "
        "commas; *: all further columns; empty: none",
    )

    _joined = field_validator("columns", "event_weights", "item_attributes", mode="before")(joined)

    @field_validator("item_attributes")
    @classmethod
    def _are_names(cls, text: str) -> str:
        names = [name.strip() for name in text.split(",")] if text.strip() else []
        if len(set(names)) < len(names) or len(names) > MAX_ATTRIBUTES:
            raise ValueError(f"expected at most {MAX_ATTRIBUTES} names, separated by commas, without repeats")
        if any(not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable() for name in names):
            raise ValueError(f"expected names of 1 to {MAX_NAME_CHARACTERS} characters, separated by commas")
        if taken := {"item_id", "title"}.intersection(names):
            raise ValueError(f"{min(taken)} is no attribute: leave it out")
        return ",".join(names)

    @field_validator("columns")
    @classmethod
    def _are_columns(cls, text: str) -> str:
        return ",".join(f"{name}={given}" for name, given in parse_columns(text).items())

    @field_validator("event_weights")
    @classmethod
    def _are_weights(cls, text: str) -> str:
        parse_event_weights(text)
        return text.strip()

    @property
    def column_names(self) -> dict[str, str]:
        """Our name -> the name in the files, as `columns` gives it."""
        return parse_columns(self.columns)

    @property
    def type_weights(self) -> dict[str, float]:
        """Event type -> weight; empty if the type does not matter."""
        return parse_event_weights(self.event_weights)
