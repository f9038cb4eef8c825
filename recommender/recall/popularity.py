"""Popular items: the answer for a shopper of whom nothing is known."""

import numpy as np
from numpy.typing import NDArray


class Popularity:
    """Items by number of training ratings, ties by item number."""

    def __init__(self, item_count: NDArray[np.int32]) -> None:
        self._count = item_count
        self._order = np.argsort(-item_count, kind="stable")

    def top(self, count: int, seen: NDArray[np.integer] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The `count` most rated items without the seen ones.

        Returns:
            `(item_num, share)`: share of the most rated item's number of ratings, 0..1, float64.
        """
        seen = np.empty(0, np.int64) if seen is None else seen
        first = self._order[: count + len(seen)]
        items = first[~np.isin(first, seen)][:count]
        return items, self._count[items] / max(1, self._count[self._order[0]])
