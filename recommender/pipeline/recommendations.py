"""What a request brings and what a recommender returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NOTHING = "none"  # the source of a response if no source proposes anything


@dataclass(frozen=True)
class Event:
    """A rating that comes with the request."""

    item_id: str
    rating: float


@dataclass(frozen=True)
class RecommendedItem:
    """One recommendation.

    Attributes:
        item_id: the item.
        title: None if unknown.
        score: the final ranking score, descending. Items that the features know nothing about follow the others.
        predicted_rating: not clipped to the rating scale; None if no source predicts one.
        features: the values that the ranking features show, by field; None if unknown.
        because: item_id of the event in the user's history that is the main reason; None if no event is.
    """

    item_id: str
    title: str | None
    score: float
    predicted_rating: float | None
    features: Mapping[str, float | None] = field(default_factory=dict)
    because: str | None = None


@dataclass(frozen=True)
class Recommendations:
    """A response: items, best first, and how their candidates were found (one of a source's `origins`)."""

    user_id: str
    source: str
    items: list[RecommendedItem]
