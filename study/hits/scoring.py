"""Scores of the whole catalogue -> recommendations; the same code for every contestant with scores."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recommender.candidates.topk import top_k
from recommender.data.interactions import Interactions
from recommender.evaluation.ranking import NO_ITEM, Items

DEPTH = 100  # recommendations per user
BLOCK = 256  # users scored at once: 54 MB of float32 for 52,619 items

Matrix = csr_matrix[np.float32]
Users = NDArray[np.int64]
Recommend = Callable[[Users], Items]  # user numbers -> (num_users, DEPTH) item numbers, see `best`
Scores = Callable[[Users], NDArray[np.floating]]  # user numbers -> (num_users, num_items); -inf: not recommended


def matrix(data: Interactions) -> Matrix:
    """Return a (num_users, num_items) float32 matrix: 1 for a pair with one or more events."""
    shape = len(data.users), len(data.items)
    counts = csr_matrix((np.ones(len(data), np.float32), (data.user_num, data.item_num)), shape)
    counts.sum_duplicates()
    counts.data[:] = 1
    return counts


def by_scores(seen: Matrix, scores: Scores, cold: bool = False) -> Recommend:
    """Recommend the unseen items with the highest scores; takes O(num_items) per user in addition to the scores.

    Args:
        seen: the train events.
        scores: returns the scores of all items for some users.
        cold: whether to recommend items without events too; most libraries do not know them.
    """
    unknown = np.flatnonzero(np.bincount(seen.indices, minlength=seen.shape[1]) == 0)

    def recommend(users: Users) -> Items:
        parts = [users[begin : begin + BLOCK] for begin in range(0, len(users), BLOCK)]
        return np.concatenate([best(allowed(part), DEPTH) for part in parts])

    def allowed(users: Users) -> NDArray[np.floating]:
        score = _unseen(scores(users), seen[users])
        if not cold:
            score[:, unknown] = -np.inf
        return score

    return recommend


def by_factors(
    seen: Matrix, user: NDArray[np.floating], item: NDArray[np.floating], item_bias: NDArray[np.floating] | None = None
) -> Recommend:
    """Recommend by item bias + inner product of the user's and the item's vectors."""
    bias = np.zeros(len(item), item.dtype) if item_bias is None else item_bias
    return by_scores(seen, lambda users: user[users] @ item.T + bias)


def best(score: NDArray[np.floating], count: int) -> Items:
    """Return the best items of each row, (num_users, count) int64: ties by item number, then -1."""
    result = np.full((len(score), count), NO_ITEM, np.int64)
    for row, places in zip(score, result, strict=True):
        chosen = top_k(row, count)
        places[: len(chosen)] = chosen
    return result


def _unseen(score: NDArray[np.floating], seen: Matrix) -> NDArray[np.floating]:
    user, item = seen.nonzero()
    score[user, item] = -np.inf
    return score
