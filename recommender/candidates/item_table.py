"""The base of sources that keep a table of items x items: a history's rows are weighted and added."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates, Source
from recommender.candidates.topk import top_k, without_others
from recommender.components.base import LARGEST_SUM, Array, Arrays, Reason, Values
from recommender.components.query import Query
from recommender.components.recency import RecencyOptions
from recommender.models.table import Table

DENSE = 8  # if the catalogue is at most this many times as large as the entries, adding beats sorting


class Sums(NamedTuple):
    """The weighted rows of a history, entry by entry, and their sums.

    Attributes:
        row: (n,), the entry's item in the history, as a position in `Query.visits`.
        item_num: (n,), the entry's item.
        value: (n,) float64, what the entry adds.
        items: (m,) int64, each item once, ascending.
        scores: (m,) float64, the sum of each item.
    """

    row: NDArray[np.int64]
    item_num: NDArray[np.int32]
    value: NDArray[np.float64]
    items: NDArray[np.int64]
    scores: NDArray[np.float64]


class ItemTable(Source):
    """Candidates by the weighted sum of the table rows of the user's history.

    A request costs O(h N) for h items in the history and N entries in a row.
    """

    arrays: ClassVar = {
        "offsets": Array(np.int64, ("items+1",), offsets_of="entries"),
        "item_num": Array(np.int32, ("entries",), below="items"),
        "score": Array(np.float32, ("entries",), -LARGEST_SUM, LARGEST_SUM),
    }

    def __init__(self, table: Table, options: RecencyOptions) -> None:
        self.table = table
        self.options = options

    def save(self) -> tuple[Arrays, Values]:
        """Return the table."""
        return {name: getattr(self.table, name) for name in self.arrays}, {}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: RecencyOptions) -> Self:
        """Return the source with this table."""
        return cls(Table(**arrays), options)

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the items with the highest sums above 0; None for an empty history."""
        if not len(query.item_num):
            return None
        sums = self._sums(query)
        scores = without_others(sums.items, sums.scores, query)
        best = top_k(scores, count)
        best = best[scores[best] > 0]
        return Candidates(sums.items[best], scores[best], self.name)

    def target_ranks(self, queries: Sequence[Query], targets: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return the position of each target; see `Source.target_ranks`."""
        from recommender.models.target_ranks import target_ranks  # numba

        rows = [query.visits.item_num for query in queries]
        weights = [self.options.history_weights(query) for query in queries]
        return target_ranks(
            self.table, self.table.num_items, rows, weights, [query.exclude for query in queries], targets
        )

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the sum of each item; 0 for an item without an entry."""
        if not len(query.item_num):
            return None
        sums = self._sums(query)
        if not len(sums.items):
            return np.zeros(len(item_num))
        place = np.minimum(np.searchsorted(sums.items, item_num), len(sums.items) - 1)
        return np.where(sums.items[place] == item_num, sums.scores[place], 0.0)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the item of the history that adds most to each sum."""
        sums = self._sums(query)
        return [self._reason(query, sums, item) for item in item_num]

    @staticmethod
    def _reason(query: Query, sums: Sums, item: int) -> Reason | None:
        entries = np.flatnonzero(sums.item_num == item)
        if not len(entries) or sums.value[entries].max() <= 0:
            return None
        row = sums.row[entries[sums.value[entries].argmax()]]
        return Reason((int(query.visits.item_num[row]),))

    def _sums(self, query: Query) -> Sums:
        found: Sums | None = query.memo.get(self.name)
        if found is None:
            found = query.memo[self.name] = self._added(query)
        return found

    def _added(self, query: Query) -> Sums:
        row, item_num, score = self.table.entries(query.visits.item_num)
        value = self.options.history_weights(query)[row] * score
        if len(row) * DENSE > self.table.num_items:
            items = np.flatnonzero(np.bincount(item_num, minlength=self.table.num_items))
            scores = np.bincount(item_num, value, self.table.num_items).astype(np.float64, copy=False)
            return Sums(row, item_num, value, items, scores[items])
        order = np.argsort(item_num, kind="stable")
        ordered = item_num[order]
        begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else order
        scores = np.add.reduceat(value[order], begins) if len(ordered) else value
        return Sums(row, item_num, value, ordered[begins].astype(np.int64), scores)
