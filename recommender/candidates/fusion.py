"""Several sources' candidates -> one pool."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.candidates.topk import top_k

RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009


def fuse(found: Sequence[Candidates], count: int) -> Candidates:
    """Return one pool of at most `count` candidates; a single source keeps its own scores.

    Scores of several sources can't be compared. So the pool is ordered by reciprocal rank fusion: the sum over the
    sources of 1 / (60 + rank), ties by item number. O(n log n) for n candidates in all.

    Args:
        found: candidates of at least one source, in the order of the configuration; the first names the origin.
        count: at least 1.
    """
    if len(found) == 1:
        return found[0].first(count)
    items, place = np.unique(np.concatenate([one.item_num for one in found]), return_inverse=True)
    gain = np.concatenate([reciprocal_ranks(len(one.item_num)) for one in found])
    score = np.bincount(place, gain, len(items)).astype(np.float64, copy=False)
    best = top_k(score, count)
    return Candidates(items[best].astype(np.int64, copy=False), score[best], found[0].origin)


def reciprocal_ranks(count: int) -> NDArray[np.float64]:
    """Return the contribution of a source to each of its candidates, best first, (count,) float64."""
    return 1 / (RANK_CONSTANT + 1 + np.arange(count))
