"""The fingerprint of a job, which separates its checkpoints from those of other jobs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.data.vocabulary import Vocabulary
from recommender.models.checkpoints import fingerprint

EVENTS = Interactions(
    users=Vocabulary.from_sorted(["a", "b"]),
    items=Vocabulary.from_sorted(["x", "y", "z"]),
    user_num=np.array([0, 0, 1]),
    item_num=np.array([0, 1, 2]),
    rating=None,
    time=np.array([3, 4, 5]),
)
ONES = np.ones(3, np.float32)
NONE_AND_ONES = [None, ONES]


def test_events_without_ratings_have_a_fingerprint() -> None:
    assert len(fingerprint({}, EVENTS, None)) == 16
    assert fingerprint({}, EVENTS, EVENTS) != fingerprint({}, EVENTS, None)


def test_ratings_and_weights_of_the_same_values_have_different_fingerprints() -> None:
    jobs = [replace(EVENTS, rating=rating, weight=weight) for rating in NONE_AND_ONES for weight in NONE_AND_ONES]
    assert len({fingerprint({}, job, None) for job in jobs}) == 4


@pytest.mark.parametrize("column", ["user_num", "item_num", "rating", "time", "weight"])
@given(place=st.integers(0, 2))
def test_changing_one_number_changes_the_fingerprint(column: str, place: int) -> None:
    events = replace(EVENTS, rating=ONES, weight=ONES)
    values = getattr(events, column).copy()
    values[place] += 1
    assert fingerprint({}, replace(events, **{column: values}), None) != fingerprint({}, events, None)


def test_changing_one_name_or_option_changes_the_fingerprint() -> None:
    named = replace(EVENTS, items=Vocabulary.from_sorted(["x", "y", "zz"]))
    found = {fingerprint({}, EVENTS, None), fingerprint({}, named, None), fingerprint({"seed": 1}, EVENTS, None)}
    assert len(found) == 3
