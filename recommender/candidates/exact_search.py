"""The top items of one user by predicted rating: exact, ties by item number.

For one user global_mean + user_bias is constant, so the order by predicted rating is the order by
item_bias + the inner product of the embeddings.

A request takes three steps, each with fewer items and more digits:
1. float32, all items: one product with the item *directions* (see `Factors`), spread over the items;
2. a threshold that at least `count` items reach (the count-th largest of block maxima), minus twice
   the largest possible rounding error of float32: items below it cannot be among the top;
3. float64, the few remaining items: the exact order.

O(num_directions x embedding_dim + num_items) time, O(num_items) scratch memory.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.topk import lower_bound_of_kth_largest, top_k
from recommender.components.query import Query
from recommender.models.factors import Factors, Floats

ANYTHING = Query()


class ExactSearch:
    """Top items of a user over a whole catalogue."""

    def __init__(self, factors: Factors, allowed: NDArray[np.bool_] | None = None) -> None:
        """Prepare a search.

        Args:
            factors: of all items.
            allowed: (num_items,), which items can be found; None: all.
        """
        self._factors, self._allowed = factors, allowed
        self._bias = factors.item_bias if allowed is None else np.where(allowed, factors.item_bias, -np.inf)
        self._direction_num = factors.item_direction_num.astype(np.intp)  # numpy would do so at every look-up
        lengths = np.sqrt(np.einsum("ij,ij->i", factors.item_direction, factors.item_direction))
        self._longest = float(np.max(np.abs(factors.item_scale) * lengths[factors.item_direction_num], initial=0))
        self._largest_bias = float(np.abs(factors.item_bias).max(initial=0))

    def top(
        self, user_embedding: Floats, count: int, query: Query = ANYTHING
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the best `count` items that the query allows; fewer if the catalogue has no more.

        Args:
            user_embedding: (embedding_dim,) float32.
            count: at least 1.
            query: says which items are allowed.

        Returns:
            `(item_num, score)`, best first, ties by item number; the score is `Factors.item_score`, float64.
        """
        if query.allowed is not None and query.allowed.are_few:
            return self._top_of(query.allowed.item_num[query.allows(query.allowed.item_num)], user_embedding, count)
        of_directions = self._factors.item_direction @ user_embedding
        return self._top(of_directions, user_embedding, count, query)

    def top_of_each(
        self, user_embedding: Floats, count: int, queries: Sequence[Query]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield the result of `top` for each user, with one matrix product for all of them.

        Args:
            user_embedding: (num_users, embedding_dim) float32; memory for num_users x num_directions is taken.
            count: see `top`.
            queries: of each user.
        """
        of_directions = user_embedding @ self._factors.item_direction.T
        for row, embedding, query in zip(of_directions, user_embedding, queries, strict=True):
            yield self._top(row, embedding, count, query)

    def _top(
        self, of_directions: Floats, user_embedding: Floats, count: int, query: Query
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        rough = self._rough_scores(of_directions)
        if query.allowed is not None:
            rough[~query.allowed.mask] = -np.inf
        rough[query.exclude] = -np.inf
        cut = max(lower_bound_of_kth_largest(rough, count) - 2 * self._error_bound(user_embedding), _LOWEST)
        return self._top_of(np.flatnonzero(rough >= cut), user_embedding, count)

    def _top_of(
        self, item_num: NDArray[np.int64], user_embedding: Floats, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the best of some items, ascending, by their exact scores."""
        if self._allowed is not None:
            item_num = item_num[self._allowed[item_num]]
        score = self._factors.item_score(user_embedding, item_num)
        order = top_k(score, count)
        return item_num[order], score[order]

    def _rough_scores(self, of_directions: Floats) -> Floats:
        """Return the float32 scores of all items, from the inner products with their directions."""
        factors = self._factors
        scores = of_directions.take(self._direction_num)
        scores *= factors.item_scale
        scores += self._bias
        return scores

    def _error_bound(self, user_embedding: Floats) -> float:
        # gamma_n |x||y| bounds the rounding error of an inner product of n terms in any order of
        # summation (Higham, Accuracy and Stability of Numerical Algorithms, 3.1); 4 more operations follow.
        size = float(np.linalg.norm(user_embedding)) * self._longest + self._largest_bias
        return (len(user_embedding) + 4) * float(np.finfo(np.float32).eps) * size


_LOWEST = float(np.finfo(np.float32).min)
