"""Features of candidates -> the final order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.query import Query
from recommender.data.options import SharedOptions
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


def rank(query: Query, candidates: Candidates, features: Sequence[Feature]) -> Ranking:
    """Order candidates by the weighted sum of their features; ties stay in candidate order.

    The features with weight None share the weight that the others leave, and that of features that know nothing about
    the user. An item that no feature with a weight knows comes last, in candidate order.
    """
    known: dict[str, Scores] = {}
    for feature in features:
        scores = feature.score(query, candidates)
        if scores is not None:
            known[feature.name] = scores
    weights = weights_of([feature for feature in features if feature.name in known])
    score, is_known = np.zeros(len(candidates.item_num)), np.zeros(len(candidates.item_num), bool)
    for name, weight in weights.items():
        has_value = ~np.isnan(known[name])
        score += np.where(has_value, weight * known[name], 0)
        is_known |= has_value & (weight > 0)
    position = np.lexsort((-score, ~is_known))
    return Ranking(position, score[position], {name: scores[position] for name, scores in known.items()})


def check_weights(options: Mapping[str, SharedOptions]) -> None:
    """Check that the weights of the features sum to at most 1.

    Raises:
        ValueError: the sum of the weights is above 1.
    """
    given = {name: float(getattr(own, "weight", 0)) for name, own in options.items()}
    if sum(given.values()) > 1:
        found = ", ".join(f"{name} {weight:g}" for name, weight in given.items() if weight)
        raise ValueError(f"the weights of the ranking features must sum to at most 1, got {found}")


def weights_of(features: Sequence[Feature]) -> dict[str, float]:
    """Return the weight of each feature, in their order; those with weight None share the rest equally."""
    given = sum(feature.weight for feature in features if feature.weight is not None)
    sharing = sum(feature.weight is None for feature in features)
    return {feature.name: (1 - given) / sharing if feature.weight is None else feature.weight for feature in features}
