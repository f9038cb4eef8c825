"""Item neighbours: a plain recommender to compare with, "users who rated this also rated that".

X is the users x items matrix with 1 for each rating and 0 elsewhere. The similarity of two items is the cosine of their
columns. An item's score for a user is the sum of its cosines to the items that the user has rated (Sarwar et al. 2001,
with all neighbours). N is X with columns of length 1; then the scores of user u are (x_u N') N. These are two sparse
products. The items x items matrix of cosines is never built.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.candidates.topk import top_k

BLOCK = 32  # users per product; memory holds the scores of these users and their similarities to all other users


class ItemNeighbours:
    """A recommender of neighbours of the items that a known user has rated."""

    def __init__(self, offsets: NDArray[np.int64], item_num: NDArray[np.integer], num_items: int) -> None:
        """Build from histories: user u rated item_num[offsets[u]:offsets[u + 1]]. Repeated items count once."""
        shape = (len(offsets) - 1, num_items)
        rated = sp.csr_array((np.ones(len(item_num)), item_num, offsets), shape=shape, copy=True)
        rated.sum_duplicates()
        rated.data[:] = 1
        raters: NDArray[np.float64] = np.asarray(rated.sum(axis=0))
        self._rated = rated
        self._unit = sp.csr_array(rated * (1 / np.sqrt(np.maximum(raters, 1)))[None, :])
        self._unit_of_items = sp.csr_array(self._unit.T)

    def top_of_each(self, user_num: NDArray[np.integer], count: int) -> Iterator[NDArray[np.int64]]:
        """Yield the best `count` items of each user, best first, without rated items. Ties are ordered by item number.

        Only items with a score above 0 are included. The time is O(`work`) for each user.
        """
        for begin in range(0, len(user_num), BLOCK):
            scores = self.scores(user_num[begin : begin + BLOCK])
            for row in range(scores.shape[0]):
                own = slice(scores.indptr[row], scores.indptr[row + 1])
                order = np.argsort(scores.indices[own], kind="stable")
                item_num, score = scores.indices[own][order], scores.data[own][order]
                yield item_num[top_k(score, count)].astype(np.int64)

    def work(self, user_num: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the number of multiplications for each user's scores, (n,).

        For each item of the user, and each rater of the item, these are as many as the rater's ratings.
        """
        ratings: NDArray[np.float64] = np.asarray(self._rated.sum(axis=1))
        return np.asarray(self._rated[user_num] @ (ratings @ self._rated))

    def scores(self, user_num: NDArray[np.integer]) -> sp.csr_array:
        """Return the scores above 0 of items that a user has not rated, (len(user_num), num_items), sparse."""
        rated = sp.csr_array(self._rated[user_num])
        scores = sp.csr_array((rated @ self._unit_of_items) @ self._unit)
        unrated = scores - scores * rated
        unrated.eliminate_zeros()
        return sp.csr_array(unrated)
