"""Item neighbours: the sparse products compared with the whole matrix of cosines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from recommender.evaluation.item_neighbours import BLOCK, ItemNeighbours

ITEMS = 9
histories = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6), min_size=1, max_size=8)


def neighbours_of(rated: list[list[int]], items: int = ITEMS) -> ItemNeighbours:
    """Return the recommender for the rated items of each user."""
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in rated])]).astype(np.int64)
    return ItemNeighbours(offsets, np.array([item for own in rated for item in own], np.int32), items)


@given(histories)
def test_scores_and_order_equal_those_of_the_whole_matrix_of_cosines(rated: list[list[int]]) -> None:
    matrix = np.zeros((len(rated), ITEMS))
    for user, own in enumerate(rated):
        matrix[user, own] = 1
    expected = matrix @ cosine_similarity(matrix.T)
    expected[matrix > 0] = 0
    users = np.arange(len(rated))
    assert np.allclose(neighbours_of(rated).scores(users).toarray(), expected)
    for user, top in enumerate(neighbours_of(rated).top_of_each(users, 4)):
        best = np.sort(expected[user])[::-1][:4]
        assert np.allclose(expected[user, top], best[best > 1e-12])
        assert len(set(top.tolist())) == len(top)


@given(histories)
def test_the_work_counts_the_ratings_of_all_raters_of_each_item(rated: list[list[int]]) -> None:
    own = [set(items) for items in rated]
    expected = [sum(len(other) for item in items for other in own if item in other) for items in own]
    assert neighbours_of(rated).work(np.arange(len(rated))).tolist() == expected


def test_ties_are_ordered_by_item_number_and_rated_items_are_left_out() -> None:
    top = list(neighbours_of([[0], [0, 5, 3], [7]]).top_of_each(np.arange(3), 5))
    assert [items.tolist() for items in top] == [[3, 5], [], []]


def test_a_repeated_rating_counts_once() -> None:
    twice, once = ([[0, 0], [0, 5], [5, 7, 7]], [[0], [0, 5], [5, 7]])
    doubled, single = (neighbours_of(rated).scores(np.arange(3)).toarray() for rated in (twice, once))
    assert np.allclose(doubled, single)


def test_results_are_in_the_order_of_the_given_users() -> None:
    rated = [[user % ITEMS, (user + 1) % ITEMS] for user in range(2 * BLOCK + 3)]
    users = np.arange(len(rated))[::-1]
    alone = [next(neighbours_of(rated).top_of_each(np.array([user]), 3)).tolist() for user in users]
    assert [top.tolist() for top in neighbours_of(rated).top_of_each(users, 3)] == alone
