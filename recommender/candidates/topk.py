"""The highest scores, exactly: ties by position, which is the item number in a table of all items."""

import numpy as np
from numpy.typing import NDArray

FEW = 4  # up to this multiple of the wanted scores, sorting all of them is as fast as a search for a threshold


def top_k(score: NDArray[np.floating] | NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Return the positions of the `count` highest scores, best first, ties by position.

    Scores of -inf are never included. O(n + count log count).

    Args:
        score: (n,).
        count: at least 1.
    """
    position = np.arange(len(score))
    if len(score) > FEW * count:
        position = np.flatnonzero(score >= np.partition(score, -count)[-count])
    chosen = position[np.argsort(-score[position], kind="stable")][:count]
    return chosen[score[chosen] > -np.inf]


def first_allowed(order: NDArray[np.integer], count: int, exclude: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the first `count` items of an order without the excluded ones; O(count + excluded)."""
    first = order[: count + len(exclude)]
    return first[~np.isin(first, exclude)][:count].astype(np.int64, copy=False)
