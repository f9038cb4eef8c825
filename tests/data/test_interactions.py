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


@given(events, st.sampled_from(["first", "last", "mean"]))
def test_of_a_pair_that_was_rated_twice_one_rating_is_left(rows: list[tuple[str, str, int, int]], keep: str) -> None:
    frame_of_rows = frame(rows)
    by_time = frame_of_rows.sort_values(["timestamp", "rating"]).groupby(["user_id", "item_id"])["rating"]
    expected = (by_time.mean() if keep == "mean" else by_time.first() if keep == "first" else by_time.last()).to_dict()
    everything = Interactions.from_frame(frame_of_rows)
    data = everything.without_duplicates(keep)  # type: ignore[arg-type]  # one of the literals
    found = {
        (data.users.id(int(user)), data.items.id(int(item))): float(rating)
        for user, item, rating in zip(data.user_num, data.item_num, data.rating, strict=True)
    }
    assert found == {pair: float(np.float32(rating)) for pair, rating in expected.items()}
    assert len(data) == len(found)
    assert everything.without_duplicates("keep") is everything


def test_of_two_ratings_of_one_time_the_lower_is_first_whatever_the_order_of_the_rows() -> None:
    data = Interactions.from_frame(frame([("u", "a", 5, 7), ("v", "a", 3, 7), ("u", "a", 1, 7)]))
    kept = {keep: data.without_duplicates(keep).rating.tolist() for keep in ("keep", "first", "last", "mean")}
    assert kept == {"keep": [5, 3, 1], "first": [3, 1], "last": [5, 3], "mean": [3, 3]}


def test_of_other_ratings_only_those_of_known_users_and_items_are_taken() -> None:
    data = Interactions.from_frame(frame([("u", "a", 1, 0), ("v", "b", 2, 0)]))
    rows = [("v", "a", 5, 1), ("v", "new", 4, 1), ("new", "a", 3, 1), ("u", "b", 2, 1)]
    known = data.known(frame(rows))
    assert (known.user_num.tolist(), known.item_num.tolist(), known.rating.tolist()) == ([1, 0], [0, 1], [5, 2])
    assert known.users is data.users
