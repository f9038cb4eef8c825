"""Allow: only items of a list."""

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.artifacts.model_folder import Model
from recommender.components.query import Query
from recommender.data.identifiers import Identifier
from recommender.data.vocabulary import Vocabulary
from recommender.rules.base import Mask, Rule

MAX_ITEMS = 10_000
ItemIds = Annotated[list[Identifier], Field(max_length=MAX_ITEMS, fail_fast=True)]


class Allow(Rule):
    """IDs of items; others are not recommended."""

    name = "allow"
    Value = ItemIds
    description = "IDs of items; only these are recommended. Unknown ones have no effect."

    def __init__(self, item_ids: frozenset[str], mask: Mask) -> None:
        self._item_ids, self._mask = item_ids, mask

    @classmethod
    def of(cls, value: Sequence[str], model: Model) -> Self:
        """Return the rule for these items."""
        mask = np.zeros(len(model.items), bool)
        mask[known_items(value, model.items)] = True
        return cls(frozenset(value), mask)

    def restrict(self, query: Query) -> Query:
        """Allow only the items of the list."""
        return query.restricted(self._mask)

    def allows_unknown(self, item_id: str) -> bool:
        """Return whether the list has the item."""
        return item_id in self._item_ids


def known_items(item_ids: Sequence[str], items: Vocabulary) -> NDArray[np.int64]:
    """Return the numbers of those of the items that the model knows."""
    found = items.numbers(item_ids)
    return found[found >= 0]
