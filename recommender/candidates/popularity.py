"""Popular items, for unknown users."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates, Role, Source
from recommender.candidates.topk import first_allowed, top_k
from recommender.components.base import Array, Arrays, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.options import SharedOptions

POPULAR = "popular"


class Popularity(Source):
    """Items by number of training ratings, ties by item number; the score is the share of the largest number."""

    name = "popularity"
    default_role = Role.FALLBACK
    origins = {POPULAR: "the items with most ratings, for an unknown user"}
    arrays = {"item_count": Array(np.int32, ("items",))}

    def __init__(self, item_count: NDArray[np.int32]) -> None:
        self._count = item_count
        self._order = top_k(item_count, len(item_count))

    @classmethod
    def fit(cls, context: FitContext, options: SharedOptions) -> Self:
        """Count the ratings of every item."""
        data = context.data
        return cls(np.bincount(data.item_num, minlength=len(data.items)).astype(np.int32))

    def save(self) -> tuple[Arrays, Values]:
        """Return the counts."""
        return {"item_count": self._count}, {}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: SharedOptions) -> Self:
        """Return the source with these counts."""
        return cls(arrays["item_count"])

    def top(self, query: Query, count: int) -> Candidates:
        """Return the items with most ratings, for any user."""
        items = first_allowed(self._order, count, query.exclude)
        return Candidates(items, self._count[items] / max(1, self._count[self._order[0]]), POPULAR)
