import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import Histories
from recommender.data.interactions import Interactions

events = st.lists(
    st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh"), st.integers(1, 5), st.integers(0, 9)), min_size=1
)


def frame(rows: list[tuple[str, str, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


@given(events)
def test_numbers_stand_for_the_ids_of_the_rows(rows: list[tuple[str, str, int, int]]) -> None:
    data = Interactions.from_frame(frame(rows))
    found = [
        (data.users.id(int(user)), data.items.id(int(item)), rating, time)
        for user, item, rating, time in zip(data.user_num, data.item_num, data.rating, data.time, strict=True)
    ]
    assert found == rows


@given(events, st.randoms())
def test_numbers_do_not_depend_on_the_order_of_the_rows(rows: list[tuple[str, str, int, int]], random: object) -> None:
    shuffled = rows.copy()
    np.random.default_rng(len(rows)).shuffle(shuffled)
    one, other = Interactions.from_frame(frame(rows)), Interactions.from_frame(frame(shuffled))
    for name in sorted({row[0] for row in rows}):
        assert one.users.number(name) == other.users.number(name)
    for name in sorted({row[1] for row in rows}):
        assert one.items.number(name) == other.items.number(name)


@given(events)
def test_a_history_is_the_users_events_oldest_first(rows: list[tuple[str, str, int, int]]) -> None:
    data = Interactions.from_frame(frame(rows))
    histories = Histories.from_interactions(data)
    for user in sorted({row[0] for row in rows}):
        expected = sorted((row for row in rows if row[0] == user), key=lambda row: row[3])
        item_num, rating = histories.of(data.users.number(user) or 0)
        assert [data.items.id(int(number)) for number in item_num] == [row[1] for row in expected]
        assert rating.tolist() == [row[2] for row in expected]


def test_without_timestamps_the_order_of_the_rows_is_the_time() -> None:
    rows = frame([("u", "b", 1, 0), ("u", "a", 2, 0), ("u", "c", 3, 0)]).drop(columns="timestamp")
    data = Interactions.from_frame(rows)
    item_num, _ = Histories.from_interactions(data).of(0)
    assert [data.items.id(int(number)) for number in item_num] == ["b", "a", "c"]
