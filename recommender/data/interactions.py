"""Ratings by name -> ratings by number."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.strings import Vocabulary


@dataclass(frozen=True)
class Interactions:
    """Ratings by row number, in the order of the input.

    Attributes:
        users, items: the vocabularies the numbers refer to.
        user_num, item_num: (num_ratings,) int64.
        rating: (num_ratings,) float32.
        time: (num_ratings,) int64, any unit; the position in the input where there is no timestamp.
    """

    users: Vocabulary
    items: Vocabulary
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    rating: NDArray[np.float32]
    time: NDArray[np.int64]

    @classmethod
    def from_frame(cls, ratings: pd.DataFrame) -> "Interactions":
        """Number the users and items of a frame as `channels.read_ratings` returns it."""
        user_num, users = _numbered(ratings["user_id"])
        item_num, items = _numbered(ratings["item_id"])
        position = np.arange(len(ratings))
        time = ratings["timestamp"].to_numpy(np.int64) if "timestamp" in ratings else position
        return cls(users, items, user_num, item_num, ratings["rating"].to_numpy(np.float32), time)

    def __len__(self) -> int:
        return len(self.rating)

    def where(self, mask: NDArray[np.bool_]) -> "Interactions":
        """The rows where the mask is true, with the same vocabularies."""
        return Interactions(
            self.users, self.items, self.user_num[mask], self.item_num[mask], self.rating[mask], self.time[mask]
        )


def _numbered(ids: "pd.Series[str]") -> tuple[NDArray[np.int64], Vocabulary]:
    first_seen, distinct = pd.factorize(ids)
    names = np.asarray(distinct, dtype=object)
    order = np.argsort(names, kind="stable")
    number = np.empty(len(names), np.int64)
    number[order] = np.arange(len(names))
    return number[first_seen], Vocabulary.from_sorted(names[order])
