"""Each user's history; no pandas here, since the server imports this module."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recommender.data.interactions import Interactions


@dataclass(frozen=True)
class Histories:
    """The ratings of every user, oldest first; a pair that was rated twice occurs twice.

    Attributes:
        offsets: (num_users + 1,) int64; user u's events are offsets[u]:offsets[u + 1].
        item_num: (num_ratings,) int32.
        rating: (num_ratings,) float32.
    """

    offsets: NDArray[np.int64]
    item_num: NDArray[np.int32]
    rating: NDArray[np.float32]

    @classmethod
    def from_interactions(cls, data: "Interactions") -> "Histories":
        """Group by user and sort by time (equal times keep the order of the input); O(n log n)."""
        order = np.lexsort((data.time, data.user_num))
        return cls(
            row_offsets(data.user_num, len(data.users)), data.item_num[order].astype(np.int32), data.ratings[order]
        )

    def of(self, user_num: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return `(item_num, rating)` of one user."""
        events = slice(self.offsets[user_num], self.offsets[user_num + 1])
        return self.item_num[events], self.rating[events]


def row_offsets(row: NDArray[np.int64], num_rows: int) -> NDArray[np.int64]:
    """Return the offset of each row's entries when they are sorted by row, (num_rows + 1,) int64."""
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=num_rows))])
