"""The events of a request, and the recommendations of a response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NOTHING = "none"  # the source of a response if no source proposes anything


@dataclass(frozen=True, slots=True)  # a request may have 50,000
class Event:
    """An event that comes with the request.

    Attributes:
        item_id: the item.
        rating: None if the event has none.
        timestamp: a number in the unit of the training data's timestamps, or an ISO 8601 date or date-time; None: the
            event is newer than all others before it.
    """

    item_id: str
    rating: float | None = None
    timestamp: float | str | None = None


@dataclass(frozen=True)
class Because:
    """A part of a recommendation's score.

    Attributes:
        source: the source or feature that gives this part.
        share: the part, from 0 to 1.
        item_ids: items of the user's history that this part mainly comes from.
        words: words that the item's title shares with theirs, if the part comes from titles.
        text: a few words, such as "popular this month"; None if the items say it.
    """

    source: str
    share: float
    item_ids: Sequence[str] = ()
    words: Sequence[str] = ()
    text: str | None = None


@dataclass(frozen=True)
class RecommendedItem:
    """One recommendation.

    Attributes:
        item_id: the item.
        title: None if unknown.
        score: the final ranking score, descending if no rule reserves places. Items that the features know nothing
            about follow the others.
        predicted_rating: not clipped to the rating scale; None if no source predicts one.
        features: the values that sources and features show, by field; None if unknown.
        sources: the sources that proposed the item.
        because: the largest parts of the score that have a reason, the largest first.
        rule: the rule that gave the item its place, such as promote; None: its score did.
    """

    item_id: str
    title: str | None
    score: float
    predicted_rating: float | None
    features: Mapping[str, float | None] = field(default_factory=dict)
    sources: Sequence[str] = ()
    because: Sequence[Because] = ()
    rule: str | None = None


@dataclass(frozen=True)
class Recommendations:
    """A response: items, best first, and how their candidates were found (one of a source's `origins`).

    Attributes:
        user_id: of the request; None if it is not about a user.
        source: how the candidates were found.
        items: the items.
        item_id: of the request; None if it is not about an item.
    """

    user_id: str | None
    source: str
    items: list[RecommendedItem]
    item_id: str | None = None
