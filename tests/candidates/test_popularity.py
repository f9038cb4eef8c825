import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.popularity import Popularity
from recommender.components.query import Query


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.sets(st.integers(0, 29)), st.integers(1, 40))
def test_the_most_rated_unseen_items_come_first_and_ties_by_number(
    counts: list[int], seen: set[int], count: int
) -> None:
    seen = {number for number in seen if number < len(counts)}
    expected = sorted((-number_of, item) for item, number_of in enumerate(counts) if item not in seen)[:count]
    query = Query(exclude=np.array(sorted(seen), np.int64))
    found = Popularity(np.array(counts, np.int32)).top(query, count)
    assert found.item_num.tolist() == [item for _, item in expected]
    assert np.allclose(found.score * max(1, max(counts)), [-number_of for number_of, _ in expected])
