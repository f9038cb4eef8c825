"""The final order is the weighted sum of the features, written out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.query import Query
from recommender.data.options import SharedOptions
from recommender.ranking.base import Feature, check_shown
from recommender.ranking.blend import check_weights, rank
from recommender.ranking.features.candidate_score import CandidateScore
from recommender.ranking.features.title_similarity import TitleSimilarity, TitleSimilarityOptions

scores = st.lists(st.floats(-10, 10), min_size=1, max_size=20).map(lambda values: np.array(sorted(values)[::-1]))


class Fixed(Feature):
    """A feature of given numbers."""

    name = "fixed"

    def __init__(self, values: NDArray[np.float64] | None) -> None:
        self._values = values

    @classmethod
    def fit(cls, context: Any, options: Any) -> "Fixed":  # noqa: ANN401
        return cls(None)

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        return {}, {}

    @classmethod
    def load(cls, arrays: Any, values: Any, options: Any) -> "Fixed":  # noqa: ANN401
        return cls(None)

    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        return self._values


def candidates_of(score: NDArray[np.float64]) -> Candidates:
    return Candidates(np.arange(len(score)), score, "x")


@given(scores, st.sampled_from([0.0, 0.3, 1.0]), st.data())
def test_the_order_is_the_weighted_score_and_unknown_items_follow(
    candidate_score: NDArray[np.float64], weight: float, data: st.DataObject
) -> None:
    size = len(candidate_score)
    similarity = np.array(data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)))
    known = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
    spread = candidate_score[0] - candidate_score[-1]
    scaled = (candidate_score - candidate_score[-1]) / spread if spread > 0 else np.ones(size)
    score = (1 - weight) * scaled + weight * np.where(known, similarity, 0)
    last = [not is_known and weight == 1 for is_known in known]

    features = [CandidateScore(), Fixed(np.where(known, similarity, np.nan))]
    ranking = rank(Query(), candidates_of(candidate_score), features, {"candidate_score": None, "fixed": weight})
    expected = sorted(range(size), key=lambda place: (last[place], -score[place], place))
    assert ranking.position.tolist() == expected
    assert ranking.score.tolist() == score[expected].tolist()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_candidate_score_gets_the_weight_of_a_feature_without_a_number(weight: float) -> None:
    features = [CandidateScore(), Fixed(None)]
    ranking = rank(
        Query(), candidates_of(np.array([5.0, 3.0, 1.0])), features, {"candidate_score": None, "fixed": weight}
    )
    assert ranking.position.tolist() == [0, 1, 2]
    assert ranking.score.tolist() == [1.0, 0.5, 0.0]
    assert ranking.features.keys() == {"candidate_score"}


def test_the_ranking_of_no_candidates_is_empty() -> None:
    assert (
        rank(Query(), candidates_of(np.empty(0)), [CandidateScore()], {"candidate_score": None}).position.tolist() == []
    )


def test_the_error_for_weights_above_1_names_the_hyper_parameters() -> None:
    check_weights({"rerank_weight": 0.5, "other_weight": 0.5, "candidate_score_weight": None})
    with pytest.raises(ValueError, match=r"at most 1, got rerank_weight 0\.6 \+ other_weight 0\.6: lower one"):
        check_weights({"rerank_weight": 0.6, "other_weight": 0.6, "candidate_score_weight": None})


def test_a_feature_without_an_option_weight_has_none_in_the_score() -> None:
    assert Fixed.weight(SharedOptions()) == 0
    assert TitleSimilarity.weight(TitleSimilarityOptions(weight=0.25)) == 0.25
    assert CandidateScore.weight(SharedOptions()) is None


def test_a_field_of_the_response_is_shown_by_one_feature_only() -> None:
    for taken in ("score", "similarity"):
        other = type("Other", (Fixed,), {"name": "other", "shown_as": taken})
        with pytest.raises(TypeError, match=f"shown_as '{taken}' is taken by"):
            check_shown([TitleSimilarity, other])
