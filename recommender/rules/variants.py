"""Variants: items of one parent count as one item, if training names the attribute with the parent."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from recommender.artifacts.model_folder import Model
from recommender.components.query import Query
from recommender.rules.base import Cap, Rule
from recommender.rules.max_per import PerValue, cap_of


class Variants(Rule):
    """At most one variant of each parent, and none of a parent with a variant that is left out as seen.

    It has no field: the hyper-parameter `parent_attribute` sets it for all requests.
    """

    def __init__(self, cap: PerValue, model: Model) -> None:
        self._attribute, self._cap = cap.attribute, cap
        place, value = self._attribute.groups(np.arange(len(model.items)))
        order = np.argsort(value, kind="stable")
        self._value, self._item_num = value[order], place[order]

    @classmethod
    def of(cls, value: str, model: Model) -> Self:
        """Return the rule for the attribute of this name."""
        return cls(cap_of(value, 1, model, "parent_attribute"), model)

    def restrict(self, query: Query) -> Query:
        """Leave out the other variants of the items that the query leaves out."""
        parents = np.unique(self._attribute.groups(query.exclude)[1])
        begins, ends = (np.searchsorted(self._value, parents, side) for side in ("left", "right"))
        others = [self._item_num[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        return query.without(np.concatenate(others)) if others else query

    def caps(self) -> Sequence[Cap]:
        """Return the limit of one item for each parent."""
        return [self._cap]
