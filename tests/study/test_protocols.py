"""Each protocol holds out the right events, and leaves no later ones in train."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from study import protocols
from study.protocols import cold_items, cold_items_again, last_events, last_of_file, newest, next_basket, pairs

Rows = list[tuple[int, int, int]]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 19), st.integers(0, 9)), min_size=2, max_size=80)


def events(rows: Rows) -> Interactions:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return Interactions.from_frame(
        frame.assign(user_id=frame["user_id"].map("u{:02d}".format), item_id=frame["item_id"].map("i{:02d}".format))
    )


def held_out(rows: Rows, protocol: protocols.Protocol) -> dict[str, str]:
    test = protocol(events(rows)).test
    return {test.users.id(user): test.items.id(item) for user, item in zip(test.user_num, test.item_num, strict=True)}


def test_last_of_file_holds_out_the_largest_item_id_among_equal_times() -> None:
    rows = [(0, 3, 7), (0, 9, 7), (0, 5, 7), (0, 1, 2), (1, 9, 0), (1, 5, 0), (1, 3, 1)]
    assert held_out(rows, last_of_file) == {"u00": "i09", "u01": "i03"}


def test_the_last_event_is_held_out_even_if_train_does_not_know_its_item() -> None:
    assert held_out([(0, 1, 1), (0, 2, 2), (1, 1, 1), (1, 3, 2)], last_events) == {"u00": "i02", "u01": "i03"}


def test_a_time_split_tests_the_first_new_item_of_known_users_and_items() -> None:
    old = [(0, 1, 0), (0, 2, 0), (1, 1, 1), (1, 3, 1), (0, 4, 2), (1, 4, 2), (0, 5, 3), (1, 6, 3)]
    new = [(0, 1, 8), (0, 3, 9)]  # an item that the user has seen is not in test
    assert held_out([*old, *new], newest) == {"u00": "i03"}
    assert held_out([*old, (0, 9, 8), (5, 1, 9)], newest) == {}


@given(ROWS)
def test_all_train_events_of_a_time_split_are_older_than_held_out_ones(rows: Rows) -> None:
    data = events(rows)
    split = newest(data)
    assert len(data) - len(split.train) >= round(0.2 * len(data))
    assert split.test.time.min(initial=99) > split.train.time.max(initial=-1)
    assert len(np.unique(split.test.user_num)) == len(split.test)
    assert not np.isin(pairs(split.test), pairs(split.train)).any()
    assert np.isin(split.test.item_num, split.train.item_num).all()
    assert np.isin(split.test.user_num, split.train.user_num).all()


def test_the_next_basket_has_all_events_of_the_last_session() -> None:
    day = 1_600_000_000
    first = [(user, item, day) for user in (0, 1) for item in range(5)]
    second = [(0, 5, day + 90_000), (0, 6, day + 90_000), (0, 7, day + 95_000), (1, 5, day + 10), (1, 6, day + 10)]
    last = [(1, 7, day + 200_000)]
    test = next_basket(events([*first, *second, *last])).test
    found = {(test.users.id(u), test.items.id(i)) for u, i in zip(test.user_num, test.item_num, strict=True)}
    assert found == {("u00", "i05"), ("u00", "i06")}  # train does not know item 7


def test_the_next_basket_needs_times_with_a_unit() -> None:
    with pytest.raises(ValueError, match="but these are positions"):
        next_basket(events([(0, 1, 1), (0, 2, 2)]))


@given(ROWS)
def test_train_has_no_cold_item_and_no_later_event_of_a_test_user(rows: Rows) -> None:
    split = cold_items(events(rows))
    assert not np.isin(split.test.item_num, split.train.item_num).any()
    for user, time in zip(split.test.user_num, split.test.time, strict=True):
        own = split.train.time[split.train.user_num == user]
        assert len(own)
        assert own.max() <= time


def test_a_tenth_of_the_items_is_cold_and_validation_has_other_cold_items() -> None:
    data = events([(user, item, 7) for user in range(6) for item in range(20)])
    outer = cold_items(data)
    inner = cold_items_again(outer.train)
    assert 20 - len(np.unique(outer.train.item_num)) == 2
    assert 18 - len(np.unique(inner.train.item_num)) == 1
    assert set(outer.test.item_num.tolist()).isdisjoint(inner.test.item_num.tolist())


@pytest.mark.parametrize("protocol", [newest, cold_items, last_of_file])
@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_order_of_the_input_does_not_matter(protocol: protocols.Protocol, rows: Rows, seed: int) -> None:
    distinct = list({(user, item): (user, item, time) for user, item, time in rows}.values())
    shuffled = [distinct[place] for place in np.random.default_rng(seed).permutation(len(distinct))]
    assert held_out(distinct, protocol) == held_out(shuffled, protocol)
