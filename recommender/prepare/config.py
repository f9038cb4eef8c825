"""Options for preparing raw reviews, with their defaults."""

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from recommender.config import Config
from recommender.data.clock import SESSION_SECONDS


class PrepareConfig(Config):
    """Options for preparing raw reviews as the channels of a training job (paper, section 2.2)."""

    called = "option"

    item_key: Literal["asin", "parent_asin"] = Field(
        "asin", description="review field to use as item ID; the metadata must have it as parent_asin"
    )
    min_items: int = Field(5, ge=1, le=1_000_000, description="minimum number of distinct items per user")
    duplicates: Literal["keep", "first", "last"] = Field(
        "keep", description="how to handle repeated reviews of one item by one user: keep all, the first or the last"
    )
    split: Literal["leave-one-out", "leave-one-out-validation", "next-basket", "time"] = Field(
        "leave-one-out",
        description="reviews to hold out: each user's last one; the last one and one for validation; the last session; "
        "or all since split_time",
    )
    session_gap_hours: float = Field(
        SESSION_SECONDS / 3600,
        ge=0,
        le=8760,
        description="hours without a review that end a user's session (split next-basket)",
    )
    split_time: datetime | None = Field(
        None, description="beginning of the test period in UTC, such as 2022-06-30 or 2022-06-30T12:00 (split time)"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the order of a user's reviews with equal times")
    max_rejects: float = Field(
        0.01, ge=0, le=1, description="maximum share of bad lines, in the reviews and in the metadata"
    )

    @field_validator("split_time", mode="before")
    @classmethod
    def _date(cls, value: object) -> object:
        if value is None:
            return None
        try:
            parsed = datetime.fromisoformat(str(value))
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("expected a date such as 2022-06-30 or 2022-06-30T12:00") from None

    @model_validator(mode="after")
    def _time_is_for_split_time(self) -> Self:
        if (self.split == "time") != (self.split_time is not None):
            raise ValueError("split time needs the option split_time; other splits do not allow it")
        return self


PREPARE_MEMORY = "1GB"  # for DuckDB's tables; the results do not depend on it
