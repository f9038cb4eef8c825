"""The highest scores are those of a plain sort, ties by position."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.topk import first_allowed, top_k
from recommender.components.query import Query


@given(st.lists(st.integers(0, 5) | st.just(-np.inf), max_size=200), st.integers(1, 30))
def test_the_top_equals_a_plain_sort_without_minus_infinity(scores: list[float], count: int) -> None:
    expected = sorted((-score, position) for position, score in enumerate(scores) if score > -np.inf)[:count]
    assert top_k(np.array(scores, float), count).tolist() == [position for _, position in expected]


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.integers(1, 15))
def test_the_first_allowed_keep_their_order(order: list[int], excluded: set[int], count: int) -> None:
    expected = [item for item in order if item not in excluded][:count]
    assert first_allowed(np.array(order), count, Query(exclude=np.array(sorted(excluded), int))).tolist() == expected
