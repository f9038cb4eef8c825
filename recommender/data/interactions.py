"""Ratings by ID -> ratings by number."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Interactions:
    """Ratings by row number, in the order of the input.

    Attributes:
        users, items: the vocabularies that the numbers refer to.
        user_num, item_num: (num_ratings,) int64.
        rating: (num_ratings,) float32.
        time: (num_ratings,) int64, any unit; the position in the input if there are no timestamps.
    """

    users: Vocabulary
    items: Vocabulary
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    rating: NDArray[np.float32]
    time: NDArray[np.int64]

    @classmethod
    def from_frame(cls, ratings: pd.DataFrame) -> "Interactions":
        """Build interactions from a frame as `channels.read_ratings` returns it; number its users and items."""
        user_num, users = _numbered(ratings["user_id"])
        item_num, items = _numbered(ratings["item_id"])
        position = np.arange(len(ratings))
        time = ratings["timestamp"].to_numpy(np.int64) if "timestamp" in ratings else position
        return cls(users, items, user_num, item_num, ratings["rating"].to_numpy(np.float32), time)

    def __len__(self) -> int:
        return len(self.rating)

    def where(self, mask: NDArray[np.bool_]) -> "Interactions":
        """Return the rows with a true mask, with the same vocabularies."""
        return Interactions(
            self.users, self.items, self.user_num[mask], self.item_num[mask], self.rating[mask], self.time[mask]
        )

    def known(self, ratings: pd.DataFrame) -> "Interactions":
        """Return the rows of another frame with user and item in this data set, with its numbering."""
        numbered = Interactions.from_frame(ratings)
        user_num = self.users.numbers(numbered.users)[numbered.user_num]
        item_num = self.items.numbers(numbered.items)[numbered.item_num]
        translated = Interactions(self.users, self.items, user_num, item_num, numbered.rating, numbered.time)
        return translated.where((user_num >= 0) & (item_num >= 0))

    def without_duplicates(self, keep: Literal["keep", "first", "last", "mean"]) -> "Interactions":
        """Return one row for each pair of user and item, or all rows with `keep`; O(n log n).

        `first` and `last` are by time, ties by rating, as in `prepare.steps`. `mean` is the mean of the ratings, at
        the position and time of the last one. The rows stay in the order of the input.
        """
        if keep == "keep":
            return self
        order = np.lexsort((self.rating, self.time, self.item_num, self.user_num))
        same = (np.diff(self.user_num[order]) == 0) & (np.diff(self.item_num[order]) == 0)
        begins, ends = np.append(True, ~same), np.append(~same, True)
        kept = order[begins] if keep == "first" else order[ends]
        rating = self.rating.copy()
        if keep == "mean":
            length = np.flatnonzero(ends) - np.flatnonzero(begins) + 1
            rating[kept] = np.add.reduceat(self.rating[order].astype(np.float64), np.flatnonzero(begins)) / length
        mask = np.zeros(len(self), bool)
        mask[kept] = True
        return replace(self, rating=rating).where(mask)


def _numbered(ids: "pd.Series[str]") -> tuple[NDArray[np.int64], Vocabulary]:
    first_seen, distinct = pd.factorize(ids)
    names = np.asarray(distinct, dtype=object)
    order = np.argsort(names, kind="stable")
    number = np.empty(len(names), np.int64)
    number[order] = np.arange(len(names))
    return number[first_seen], Vocabulary.from_sorted(names[order])
