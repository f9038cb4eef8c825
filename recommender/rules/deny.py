"""Deny: no items of a list."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.components.query import Query
from recommender.rules.allow import ItemIds, known_items
from recommender.rules.base import Rule


class Deny(Rule):
    """IDs of items that are not recommended."""

    name = "deny"
    Value = ItemIds
    description = "IDs of items that are not recommended. Unknown ones have no effect."

    def __init__(self, item_ids: frozenset[str], item_num: NDArray[np.int64]) -> None:
        self._item_ids, self._item_num = item_ids, item_num

    @classmethod
    def of(cls, value: Sequence[str], model: Model) -> Self:
        """Return the rule for these items."""
        return cls(frozenset(value), known_items(value, model.items))

    def restrict(self, query: Query) -> Query:
        """Leave the items of the list out."""
        return query.without(self._item_num)

    def allows_unknown(self, item_id: str) -> bool:
        """Return whether the list lacks the item."""
        return item_id not in self._item_ids
