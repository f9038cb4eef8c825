"""Metrics of recommendations, compared with those of trec_eval and with known results."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from recommender.evaluation.ranking import (
    ACCURACY,
    NO_ITEM,
    Rankings,
    accuracy,
    coverage,
    gini,
    mean_popularity,
    novelty,
)

INDEPENDENT = {"hit_rate": Success, "precision": P, "recall": R, "ndcg": nDCG, "map": AP, "mrr": RR}
ITEMS, DEPTH = 12, 8

users = st.lists(
    st.tuples(
        st.permutations(range(ITEMS)).map(lambda order: order[:DEPTH]),
        st.integers(0, DEPTH),
        st.sets(st.integers(0, ITEMS - 1), min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=6,
)


def arrays(drawn: list[tuple[list[int], int, set[int]]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return recommended and relevant items of drawn users."""
    recommended = np.array([row for row, _, _ in drawn], np.int64)
    for row, (_, length, _) in zip(recommended, drawn, strict=True):
        row[length:] = NO_ITEM
    return recommended, [np.array(sorted(items), np.int64) for _, _, items in drawn]


@given(users, st.integers(1, DEPTH))
def test_every_metric_equals_that_of_trec_eval(drawn: list[tuple[list[int], int, set[int]]], k: int) -> None:
    recommended, relevant = arrays(drawn)
    rankings = Rankings.of(recommended, relevant)
    qrels = [ir_measures.Qrel(str(user), str(item), 1) for user, items in enumerate(relevant) for item in items]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(DEPTH - place))
        for user, row in enumerate(recommended)
        for place, item in enumerate(row)
        if item != NO_ITEM
    ]
    for name, measure in INDEPENDENT.items():
        found = {m.query_id: m.value for m in ir_measures.iter_calc([measure @ k], qrels, run)}
        expected = [found.get(str(user), 0.0) for user in range(len(recommended))]
        assert ACCURACY[name](rankings, k) == pytest.approx(expected), name


def test_every_metric_is_1_for_a_perfect_ranking_and_0_for_a_useless_one() -> None:
    recommended = np.array([[3, 1], [0, 2]])
    perfect = accuracy(recommended, [np.array([3, 1]), np.array([0, 2])], 2)
    useless = accuracy(recommended, [np.array([7]), np.array([7])], 2)
    assert {estimate.value for estimate in perfect.values()} == {1.0}
    assert {estimate.value for estimate in useless.values()} == {0.0}


def test_an_interval_contains_its_mean() -> None:
    random = np.random.default_rng(0)
    recommended = np.array([random.permutation(50)[:10] for _ in range(200)])
    relevant = [random.integers(0, 50, 1) for _ in range(200)]
    for estimate in accuracy(recommended, relevant, 10).values():
        assert estimate.low < estimate.value < estimate.high


def test_the_same_popular_items_for_all_users_have_no_novelty_and_low_coverage() -> None:
    popular = np.tile([0, 1], (10, 1))
    assert coverage(popular, 100) == 0.02
    assert gini(popular, 100) == pytest.approx(0.98)
    assert novelty(popular, np.array([10, 10, *[0] * 98]), 10) == 0
    assert mean_popularity(popular, np.array([10, 4, *[0] * 98])) == 7


def test_if_each_item_is_recommended_once_coverage_is_1_and_gini_0() -> None:
    once = np.arange(100).reshape(50, 2)
    assert coverage(once, 100) == 1
    assert gini(once, 100) == pytest.approx(0)
    assert novelty(once, np.ones(100, np.int64), 8) == pytest.approx(3)  # one user of eight: 3 bits


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_gini_equals_half_the_relative_mean_difference(items: list[int]) -> None:
    counts = np.bincount(items, minlength=10)
    expected = np.abs(counts[:, None] - counts[None, :]).sum() / (2 * 100 * counts.mean())
    assert gini(np.array(items)[:, None], 10) == pytest.approx(expected)


def test_without_recommendations_all_metrics_are_0() -> None:
    nothing = np.full((2, 3), NO_ITEM)
    assert {estimate.value for estimate in accuracy(nothing, [np.array([1])] * 2, 3).values()} == {0.0}
    ratings = np.ones(4, np.int64)
    assert (
        coverage(nothing, 4)
        == gini(nothing, 4)
        == novelty(nothing, ratings, 2)
        == mean_popularity(nothing, ratings)
        == 0
    )


@pytest.mark.parametrize(
    ("recommended", "relevant", "message"),
    [
        ([[1, 2]], [], "expected one array for each of 1 users, got 0"),
        ([[1, 2]], [[]], "at least one item for every user, user 0 has none"),
        ([[1, 2], [3, 3]], [[1], [3]], "different items, user 1 has an item twice"),
    ],
)
def test_an_invalid_ranking_is_refused(recommended: list[list[int]], relevant: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rankings.of(np.array(recommended), [np.array(items, np.int64) for items in relevant])


@pytest.mark.parametrize(
    ("recommended", "relevant", "message"),
    [
        (np.zeros((0, 5), np.int64), [], "expected at least one user, got none"),
        (np.array([["B01", "B02"]]), [np.array([0])], r"expected item numbers \(integers\), got <U3"),
    ],
)
def test_empty_rankings_and_item_ids_in_place_of_numbers_are_refused(
    recommended: np.ndarray, relevant: list[np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Rankings.of(recommended, relevant)


def test_items_beyond_the_catalogue_are_refused() -> None:
    with pytest.raises(ValueError, match="item_count: expected more than the largest item number 7, got 5"):
        coverage(np.array([[1, 7]]), 5)
