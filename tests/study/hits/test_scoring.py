"""Recommendations from scores: exact, ties by item number, no seen items."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.boards import interactions

from study.hits.scoring import BLOCK, DEPTH, best, by_factors, by_scores, matrix


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 50), st.integers(0, 1000))
def test_the_best_items_are_those_of_a_full_sort_with_many_ties(users: int, items: int, count: int, seed: int) -> None:
    score = np.random.default_rng(seed).choice([-np.inf, -1.0, 0.0, 1.0, 2.0], (users, items))
    for row, found in zip(score, best(score, count), strict=True):
        order = [item for item in np.lexsort((np.arange(items), -row)).tolist() if row[item] > -np.inf]
        assert found.tolist() == (order + [-1] * count)[:count]


def test_a_pair_with_two_ratings_counts_once() -> None:
    assert matrix(interactions([0, 0, 1], [1, 1, 0], [5, 3, 1])).toarray().tolist() == [[0, 1], [1, 0]]


def test_no_user_of_any_block_gets_seen_items() -> None:
    users = BLOCK + 3
    seen = matrix(interactions(np.arange(users), np.arange(users) % 2, np.full(users, 5)))
    recommended = by_scores(seen, lambda some: np.tile([2.0, 1.0], (len(some), 1)))(np.arange(users))
    assert recommended[:, 0].tolist() == [(user + 1) % 2 for user in range(users)]
    assert (recommended[:, 1:] == -1).all()
    assert recommended.shape == (users, DEPTH)


def test_factors_are_ordered_by_bias_and_inner_product() -> None:
    seen = matrix(interactions([0, 0, 1, 1], [0, 3, 2, 1], [5, 5, 5, 5]))
    user, item = np.array([[1.0], [-1.0]]), np.array([[0.0], [1.0], [2.0], [0.0]])
    bias = np.array([0.0, 0.0, 0.0, 9.0])
    recommended = by_factors(seen, user, item, bias)(np.array([0, 1]))
    assert recommended[:, :4].tolist() == [[2, 1, -1, -1], [3, 0, -1, -1]]
