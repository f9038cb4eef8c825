import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, ndcg_score, root_mean_squared_error

from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.metrics import mae, rmse
from recommender.evaluation.ranking import NOT_RANKED, Rankings

ranks = st.lists(st.integers(0, 19) | st.just(NOT_RANKED), min_size=1, max_size=30)


@given(ranks, st.integers(1, 20))
def test_ndcg_equals_that_of_scikit_learn(rank: list[int], k: int) -> None:
    relevance = np.zeros((len(rank), 20))
    for row, place in enumerate(rank):
        if place < 20:
            relevance[row, place] = 1
    order = np.tile(-np.arange(20.0), (len(rank), 1))
    assert Rankings.of_ranks(np.array(rank), 20).ndcg(k).mean() == pytest.approx(ndcg_score(relevance, order, k=k))


@given(ranks, st.integers(1, 20))
def test_the_hit_rate_is_the_share_of_items_among_the_first_k(rank: list[int], k: int) -> None:
    assert Rankings.of_ranks(np.array(rank), 20).hit_rate(k).mean() == pytest.approx(
        sum(place < k for place in rank) / len(rank)
    )


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(1, 5)), min_size=1))
def test_rmse_and_mae_equal_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    predicted, actual = np.array(pairs).T
    assert mae(predicted, actual) == pytest.approx(mean_absolute_error(actual, predicted))
    assert rmse(predicted, actual) == pytest.approx(root_mean_squared_error(actual, predicted))


def test_a_95_percent_interval_covers_the_mean_about_95_times_in_100() -> None:
    random = np.random.default_rng(0)
    found = [mean_estimate(random.normal(1, 2, 100)) for _ in range(300)]
    covered = np.mean([one.low <= 1 <= one.high for one in found])
    assert 0.90 < covered < 0.98


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0, 0.0]])
def test_the_interval_of_equal_values_is_the_value(values: list[float]) -> None:
    assert mean_estimate(np.array(values)) == Estimate(values[0], values[0], values[0])
