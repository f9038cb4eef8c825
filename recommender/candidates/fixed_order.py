"""An order of items that is not learned from the user: trending items, or those that match some words."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.candidates.topk import first_allowed
from recommender.components.base import Reason
from recommender.components.query import Query


class Proposer(Protocol):
    """What proposes items: a source or a fixed order."""

    @property
    def name(self) -> str:
        """How a response names it."""
        ...

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the best `count` items that `query.allows`."""
        ...


class FixedOrder:
    """Items in a given order.

    Attributes:
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
        self._name = name
        self._item_num, self._score, self._reason = item_num, score, Reason(text=reason)

    @property
    def name(self) -> str:
        """How a response names it."""
        return self._name

    def top(self, query: Query, count: int) -> Candidates:
        """Return the first `count` items that the query allows."""
        items = first_allowed(self._item_num, count, query)
        return Candidates(items, self._score[items], self.name)

    def first(self, count: int) -> list[int]:
        """Return the first `count` items."""
        found: list[int] = self._item_num[:count].tolist()
        return found

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the same words for every item."""
        return [self._reason] * len(item_num)

    def word_weights(self, item_num: int, title: str) -> Mapping[str, float]:
        """Return nothing."""
        return {}
