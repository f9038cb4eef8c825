"""Orders of items that are the same for all users: trending items, and items to ask a new user about."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates
from recommender.candidates.popularity import Popularity
from recommender.candidates.topk import first_allowed, top_k
from recommender.components.base import Reason
from recommender.components.query import Query

TRENDING, QUESTIONNAIRE = "trending", "questionnaire"
ORIGINS = {
    TRENDING: "popular items of the last weeks",
    QUESTIONNAIRE: "items to ask a new user about",
}


class Proposer(Protocol):
    """What proposes items: a source, or an order that is the same for all users."""

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the best `count` items that `query.allows`."""
        ...


class FixedOrder:
    """An order of items that is the same for all users.

    Attributes:
        name: how a response names it.
        is_content: as of a source.
    """

    is_content = False

    def __init__(self, name: str, item_num: NDArray[np.integer], score: NDArray[np.float64], reason: str) -> None:
        """Build the order.

        Args:
            name: how a response names it.
            item_num: (n,), best first.
            score: (num_items,), of all items.
            reason: a few words, for each item.
        """
        self.name = name
        self._item_num, self._score, self._reason = item_num, score, Reason(text=reason)

    def top(self, query: Query, count: int) -> Candidates:
        """Return the first `count` items that the query allows."""
        items = first_allowed(self._item_num, count, query)
        return Candidates(items, self._score[items], self.name)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the same words for every item."""
        return [self._reason] * len(item_num)

    def word_weights(self, item_num: int, title: str) -> Mapping[str, float]:
        """Return nothing."""
        return {}


def questions(model: Model) -> FixedOrder:
    """Return the items to ask a new user about."""
    item_num, share = model.questionnaire
    score = np.zeros(len(model.items))
    score[item_num] = share
    return FixedOrder(QUESTIONNAIRE, item_num, score, "had by many users")


def trending(model: Model) -> FixedOrder:
    """Return the items by their recent number of events, as a share of the largest; O(items log items).

    A model without the source popularity counts the events of all time.
    """
    source = next((source for source in model.sources.values() if isinstance(source, Popularity)), None)
    count = model.num_events.astype(np.float64) if source is None else source.recent
    return FixedOrder(TRENDING, top_k(count, len(count)), count / (count.max() or 1.0), "popular in the last weeks")
