"""One pool of several sources: reciprocal rank fusion, written out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.base import Candidates
from recommender.candidates.fusion import RANK_CONSTANT, fuse

lists = st.lists(st.lists(st.integers(0, 15), min_size=1, max_size=10, unique=True), min_size=2, max_size=4)


def candidates(items: list[int], origin: str = "x") -> Candidates:
    return Candidates(np.array(items, np.int64), np.arange(len(items), 0, -1, dtype=float), origin)


@given(lists, st.integers(1, 20))
def test_the_pool_is_ordered_by_the_sum_of_reciprocal_ranks(of_sources: list[list[int]], count: int) -> None:
    gain: dict[int, float] = {}
    for items in of_sources:
        for rank, item in enumerate(items, 1):
            gain[item] = gain.get(item, 0) + 1 / (RANK_CONSTANT + rank)
    pool = fuse([candidates(items) for items in of_sources], count)
    assert len(pool.item_num) == len(set(pool.item_num.tolist())) == min(count, len(gain))
    assert np.allclose(pool.score, sorted(gain.values(), reverse=True)[:count])
    assert np.allclose(pool.score, [gain[item] for item in pool.item_num.tolist()])


def test_of_equal_sums_the_lower_item_number_comes_first() -> None:
    assert fuse([candidates([7, 3]), candidates([3, 7])], 2).item_num.tolist() == [3, 7]


def test_a_single_source_keeps_its_scores_and_its_origin() -> None:
    pool = fuse([candidates([4, 2, 9], "mine")], 2)
    assert (pool.item_num.tolist(), pool.score.tolist(), pool.origin) == ([4, 2], [3.0, 2.0], "mine")
