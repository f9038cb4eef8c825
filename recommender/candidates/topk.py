"""The highest scores, exactly: ties by position, which is the item number in a table of all items."""

import numpy as np
from numpy.typing import NDArray

FEW_EXCLUDED = 16
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
    few = len(exclude) <= FEW_EXCLUDED  # comparing all with all is faster than sorting
    left_out = (first == exclude[:, None]).any(axis=0) if few else np.isin(first, exclude)
    return first[~left_out][:count].astype(np.int64, copy=False)


def without(
    items: NDArray[np.integer], score: NDArray[np.float64], exclude: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the scores with -inf for the excluded items.

    Args:
        items: (n,), ascending, each once.
        score: (n,), of the items.
        exclude: item numbers.
    """
    if not len(items) or not len(exclude):
        return score
    place = np.minimum(np.searchsorted(items, exclude), len(items) - 1)
    allowed = score.copy()
    allowed[place[items[place] == exclude]] = -np.inf
    return allowed
