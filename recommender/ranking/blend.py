"""Features of candidates -> the final order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.query import Query
from recommender.ranking.base import Feature

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The final order of the candidates.

    Attributes:
        position: (n,) int64, positions among the candidates, best first.
        score: (n,) float64, in that order, descending. Items that the features know nothing about follow the others.
        features: name -> (n,) float64, in that order; NaN if unknown.
    """

    position: NDArray[np.int64]
    score: Scores
    features: Mapping[str, Scores]


def rank(
    query: Query, candidates: Candidates, features: Sequence[Feature], weights: Mapping[str, float | None]
) -> Ranking:
    """Order candidates by the weighted sum of their features; ties stay in candidate order.

    The features with weight None share the weight that the others leave, and that of features that know nothing about
    the user. An item that no feature with a weight knows comes last, in candidate order.

    Args:
        query: of the candidates.
        candidates: what is ranked.
        features: at least one.
        weights: `Feature.weight` of each, by its name.
    """
    known: dict[str, Scores] = {}
    for feature in features:
        scores = feature.score(query, candidates)
        if scores is not None:
            known[feature.name] = scores
    score, is_known = np.zeros(len(candidates.item_num)), np.zeros(len(candidates.item_num), bool)
    for name, weight in shares({name: weights[name] for name in known}).items():
        has_value = ~np.isnan(known[name])
        score += np.where(has_value, weight * known[name], 0)
        is_known |= has_value & (weight > 0)
    position = np.lexsort((-score, ~is_known))
    return Ranking(position, score[position], {name: scores[position] for name, scores in known.items()})


def check_weights(given: Mapping[str, float | None]) -> None:
    """Check that the weights of the features sum to at most 1.

    Args:
        given: hyper-parameter -> weight; None for the feature that takes the rest.

    Raises:
        ValueError: the sum of the weights is above 1.
    """
    weights = {name: weight for name, weight in given.items() if weight}
    if sum(weights.values()) > 1:
        found = " + ".join(f"{name} {weight:g}" for name, weight in weights.items())
        raise ValueError(f"the weights of the ranking features must sum to at most 1, got {found}: lower one of them")


def shares(weights: Mapping[str, float | None]) -> dict[str, float]:
    """Return the weight of each feature, in their order; those with weight None share the rest equally."""
    given = sum(weight for weight in weights.values() if weight is not None)
    sharing = sum(weight is None for weight in weights.values())
    return {name: (1 - given) / sharing if weight is None else weight for name, weight in weights.items()}
