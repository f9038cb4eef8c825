"""Candidates in recall order -> the final order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranking:
    """The final order of the candidates.

    Attributes:
        position: (n,) int64, positions in the recall order, best first.
        score: (n,) float64, in the same order, never ascending within the titled and the untitled.
    """

    position: NDArray[np.int64]
    score: NDArray[np.float64]


def rank(
    recall_score: NDArray[np.float64],
    similarity: NDArray[np.float64] | None,
    has_title: NDArray[np.bool_],
    rerank_weight: float,
) -> Ranking:
    """Order candidates by `(1 - rerank_weight) x recall + rerank_weight x similarity`.

    The recall score is scaled to 0..1 within the candidates. Ties follow the recall order. With
    `rerank_weight` 1, the paper's rerank, items without a title come last, in recall order; without a
    profile (`similarity` None) the order is the recall order.

    Args:
        recall_score: (n,) float64, descending.
        similarity: (n,) float64, 0 where there is no title; None where the shopper has no profile.
        has_title: (n,) bool.
        rerank_weight: 0..1.
    """
    scaled = _scaled(recall_score)
    if similarity is None:
        return Ranking(np.arange(len(scaled)), scaled)
    score = (1 - rerank_weight) * scaled + rerank_weight * similarity
    comes_last = ~has_title & (rerank_weight == 1)
    position = np.lexsort((-score, comes_last))  # stable: ties stay in recall order
    return Ranking(position, score[position])


def _scaled(score: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(score) or score[0] == score[-1]:
        return np.ones(len(score))
    return (score - score[-1]) / (score[0] - score[-1])
