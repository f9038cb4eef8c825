"""The score of the candidate stage, scaled to 0..1 within the candidates."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.base import Arrays, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.options import SharedOptions
from recommender.ranking.base import Feature


class CandidateScore(Feature):
    """1 for the best candidate, 0 for the last one; 1 for all if their scores are equal."""

    name = "candidate_score"
    takes_the_rest = True
    only_paper = True

    @classmethod
    def fit(cls, context: FitContext, options: SharedOptions) -> Self:
        """Return the feature; it learns nothing."""
        return cls()

    def save(self) -> tuple[Arrays, Values]:
        """Return no arrays and no numbers."""
        return {}, {}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: SharedOptions) -> Self:
        """Return the feature."""
        return cls()

    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64]:
        """Return the scaled scores."""
        score = candidates.score
        if not len(score) or score[0] == score[-1]:
            return np.ones(len(score))
        return (score - score[-1]) / (score[0] - score[-1])
