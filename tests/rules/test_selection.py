"""The choice of the items of a response: what lanes keep, place by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.rules.base import Lane
from recommender.rules.selection import Selection

NUM_ITEMS = 60


def chosen(lanes: list[Lane], size: int, seed: int) -> list[int]:
    """Return the items that are chosen from all items in a random order."""
    items = np.random.default_rng(seed).permutation(NUM_ITEMS)
    found = Selection(lanes=lanes).select(items, np.linspace(1, 0, NUM_ITEMS), size, {})
    return [int(item) for item in items[found.place]]


def lane(rule: str, share: float, place: int) -> Lane:
    """Return a lane of every third item."""
    return Lane(rule, share, np.arange(NUM_ITEMS) % 3 == place)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 20), st.integers(0, 99))
def test_of_the_first_n_items_each_of_two_lanes_has_its_share(one: float, two: float, size: int, seed: int) -> None:
    if one + two > 1:
        one, two = 1 - one, 1 - two
    items = chosen([lane("one", one, 0), lane("two", two, 1)], size, seed)
    assert len(set(items)) == size
    for count in range(1, size + 1):
        for place, share in enumerate((one, two)):
            own = sum(item % 3 == place for item in items[:count])
            assert own >= np.floor(share * count - 1e-9)


@given(st.integers(1, 20), st.integers(0, 99))
def test_a_lane_without_items_takes_no_place_from_another_one(size: int, seed: int) -> None:
    empty = Lane("empty", 0.5, np.zeros(NUM_ITEMS, bool))
    other = lane("other", 0.5, 1)
    assert chosen([empty, other], size, seed) == chosen([other], size, seed)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_one_lane_has_an_item_as_late_as_its_share_allows(share: float) -> None:
    items = np.arange(NUM_ITEMS)  # those of the lane are the last
    found = Selection(lanes=[Lane("late", share, items >= 40)]).select(items, np.linspace(1, 0, NUM_ITEMS), 10, {})
    own = [bool(item >= 40) for item in items[found.place]]
    assert own == [int(share * (n + 1) + 1e-9) > int(share * n + 1e-9) for n in range(10)]
    assert [rule == "late" for rule in found.rule] == own
