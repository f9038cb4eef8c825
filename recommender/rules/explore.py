"""Explore: a share of the response for items with few events, by their titles."""

from typing import Annotated, Self

from pydantic import Field

from recommender.artifacts.model_folder import Model
from recommender.errors import RequestError
from recommender.rules.base import Lane, Rule

FEW_EVENTS = 5  # an item with fewer is cold: sources that learn from events know little about it


class Explore(Rule):
    """A share of the response for cold items.

    Events can't show that a title alone is worth a place, so the learned ranking puts cold items last.
    """

    name = "explore"
    Value = Annotated[float, Field(ge=0, le=1)]
    description = (
        f"Share of the response for items with fewer than {FEW_EVENTS} events, in the order of their titles' "
        "similarity to the user's history; without a history there are none. Those that are not among the best by "
        "score have `rule` explore in the response."
    )

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    @classmethod
    def of(cls, value: float, model: Model) -> Self:
        """Return the rule with this share."""
        source = next((source for source in model.sources.values() if source.is_content), None)
        if source is None:
            raise RequestError(
                cls.name,
                "expected a model that proposes items by their titles: train with the pipeline auto, the source titles "
                "and titles in the items channel",
            )
        return cls(Lane(cls.name, value, model.num_events < FEW_EVENTS, source))

    def lane(self) -> Lane:
        """Return the share for cold items."""
        return self._lane
