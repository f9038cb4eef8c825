"""TF-IDF vectors of the titles, the user's profile and similarities, in plain numpy.

The results are those of scipy's sparse products, at a fraction of their fixed cost per call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TitleVectors:
    """Sparse rows of length 1, one for each item; empty if the item has no title.

    Attributes:
        offsets: (num_items + 1,) int64; item i's entries are offsets[i]:offsets[i + 1].
        term: (num_entries,) int32.
        weight: (num_entries,) float32.
        num_terms: size of the vocabulary.
    """

    offsets: NDArray[np.int64]
    term: NDArray[np.int32]
    weight: NDArray[np.float32]
    num_terms: int

    @classmethod
    def empty(cls, num_items: int) -> "TitleVectors":
        """Return the vectors of a catalogue without titles."""
        return cls(np.zeros(num_items + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), 0)

    def known(self, item_num: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of the items have a title, (n,) bool."""
        return self.offsets[item_num + 1] > self.offsets[item_num]

    def profile(self, item_num: NDArray[np.integer], rating: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Return the user's profile: the average of the items' vectors weighted by rating, scaled to length 1.

        Returns:
            (num_terms,) float64, or None if no item has a title or the average is zero.
        """
        row, term, weight = self._entries(item_num)
        if not len(term):
            return None
        profile = np.zeros(self.num_terms)
        np.add.at(profile, term, weight * rating[row])
        length = np.linalg.norm(profile)
        return profile / length if length > 0 else None

    def similarity(self, item_num: NDArray[np.integer], profile: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cosine of each item's title and the profile, (n,) float64; 0 for items without a title."""
        row, term, weight = self._entries(item_num)
        # (bincount with weights is float64 whatever its type hints say.)
        cosine = np.bincount(row, weight * profile[term], len(item_num)).astype(np.float64, copy=False)
        return np.minimum(cosine, 1.0)  # float32 rows with equal titles exceed 1 slightly

    def explain(
        self, items: Sequence[int], history_num: NDArray[np.integer], rating: NDArray[np.floating]
    ) -> list[int | None]:
        """Return for each of `items` the item of the history that adds most to its similarity.

        An item of the history adds the similarity of its title, times its rating; the item itself does not count.

        Returns:
            Item numbers (of equal ones the first in the history); None if no item adds anything.
        """
        row, term, weight = self._entries(history_num)
        weight = weight * rating[row]
        wanted = np.zeros(self.num_terms)  # the title of one item at a time
        reasons: list[int | None] = []
        for item in items:
            own = slice(self.offsets[item], self.offsets[item + 1])
            wanted[self.term[own]] = self.weight[own]
            share = np.bincount(row, weight * wanted[term], len(history_num))
            wanted[self.term[own]] = 0
            share[history_num == item] = 0
            reasons.append(int(history_num[share.argmax()]) if share.max(initial=0) > 0 else None)
        return reasons

    def _entries(
        self, item_num: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return all entries of these rows: the row (a position in `item_num`), term and weight."""
        begin = self.offsets[item_num]
        length = self.offsets[item_num + 1] - begin
        row = np.repeat(np.arange(len(item_num)), length)
        where = np.arange(len(row)) + (begin - np.cumsum(length) + length)[row]
        return row, self.term[where], self.weight[where]
