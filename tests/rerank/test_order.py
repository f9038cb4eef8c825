import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.rerank.order import rank

scores = st.lists(st.floats(-10, 10), min_size=1, max_size=20).map(lambda values: np.array(sorted(values)[::-1]))


@given(scores, st.sampled_from([0.0, 0.3, 1.0]), st.data())
def test_the_order_is_the_weighted_score_and_untitled_items_follow(
    recall: np.ndarray, weight: float, data: st.DataObject
) -> None:
    similarity = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(recall), max_size=len(recall))))
    has_title = np.array(data.draw(st.lists(st.booleans(), min_size=len(recall), max_size=len(recall))), bool)
    similarity[~has_title] = 0
    spread = recall[0] - recall[-1]
    scaled = (recall - recall[-1]) / spread if spread > 0 else np.ones(len(recall))
    score = (1 - weight) * scaled + weight * similarity
    last = [not titled and weight == 1 for titled in has_title]

    ranking = rank(recall, similarity, has_title, weight)
    expected = sorted(range(len(recall)), key=lambda place: (last[place], -score[place], place))
    assert ranking.position.tolist() == expected
    assert ranking.score.tolist() == score[expected].tolist()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_without_a_profile_the_order_is_that_of_recall(weight: float) -> None:
    ranking = rank(np.array([5.0, 3.0, 1.0]), None, np.array([False, True, True]), weight)
    assert ranking.position.tolist() == [0, 1, 2]
    assert ranking.score.tolist() == [1.0, 0.5, 0.0]


def test_nothing_to_rank_is_an_empty_ranking() -> None:
    assert rank(np.empty(0), None, np.empty(0, bool), 1.0).position.tolist() == []
