"""Promote: a share of the response for items that meet conditions."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from recommender.artifacts.model_folder import Model
from recommender.rules.base import Lane, Rule
from recommender.rules.filter import Conditions, mask_of


class Promotion(BaseModel):
    """The items to promote, and their share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    filter: Conditions = Field(description="Conditions on attributes of the promoted items, as in `filter`.")
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Share of the response: of the first n items, at least the whole part of share x n."
    )


class Promote(Rule):
    """A share of the response for promoted items."""

    name = "promote"
    Value = Promotion
    description = (
        "Promoted items, and their share of the response. They obey the other rules. Those that are not among the best "
        "by score have `rule` promote in the response."
    )

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    @classmethod
    def of(cls, value: Any, model: Model) -> Self:  # noqa: ANN401 - a `Promotion`
        """Return the rule for these items."""
        return cls(Lane(cls.name, value.share, mask_of(value.filter, model, f"{cls.name}.filter")))

    def lane(self) -> Lane:
        """Return the share for promoted items."""
        return self._lane
