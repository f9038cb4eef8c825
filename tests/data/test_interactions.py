from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.errors import DataError

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
        for user, item, rating, time in zip(data.user_num, data.item_num, data.ratings, data.time, strict=True)
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
        history = histories.of(data.users.number(user) or 0)
        assert [data.items.id(int(number)) for number in history.item_num] == [row[1] for row in expected]
        assert history.rating.tolist() == [row[2] for row in expected]
        times = [row[3] for row in expected]  # too small for seconds, so only an order
        assert history.time.tolist() == [len({time for time in times if time < own}) for own in times]
        assert history.weight.tolist() == [1] * len(expected)


def test_without_timestamps_the_order_of_the_rows_is_the_time() -> None:
    rows = frame([("u", "b", 1, 0), ("u", "a", 2, 0), ("u", "c", 3, 0)]).drop(columns="timestamp")
    data = Interactions.from_frame(rows)
    history = Histories.from_interactions(data).of(0)
    assert [data.items.id(int(number)) for number in history.item_num] == ["b", "a", "c"]
    assert history.time.tolist() == [0, 1, 2]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_timestamps_of_a_history_become_seconds_from_the_newest_event(unit: int) -> None:
    rows = frame([("u", "b", 1, 1_500_000_000), ("v", "a", 2, 1_500_000_100), ("u", "c", 3, 1_500_000_030)])
    histories = Histories.from_interactions(Interactions.from_frame(rows.assign(timestamp=rows["timestamp"] * unit)))
    assert histories.newest == 1_500_000_100
    assert histories.of(0).time.tolist() == [-100, -70]
    assert histories.of(1).time.tolist() == [0]


def test_events_without_ratings_have_a_history_of_unknown_ratings() -> None:
    rows = frame([("u", "b", 1, 1), ("u", "a", 2, 2)]).drop(columns="rating").assign(weight=[0.5, 2.0])
    history = Histories.from_interactions(Interactions.from_frame(rows)).of(0)
    assert np.isnan(history.rating).all()
    assert history.weight.tolist() == [0.5, 2.0]


@given(events, st.lists(st.sampled_from("abcdefghAz\u00e9"), max_size=6))
def test_adding_items_does_not_change_the_events(rows: list[tuple[str, str, int, int]], ids: list[str]) -> None:
    data = Interactions.from_frame(frame(rows))
    wider = data.with_items(ids)
    assert list(wider.items) == sorted({*(row[1] for row in rows), *ids})
    assert [wider.items.id(number) for number in wider.item_num.tolist()] == [row[1] for row in rows]
    assert wider.user_num.tolist() == data.user_num.tolist()


@given(events, st.sampled_from(["first", "last", "mean"]))
def test_one_rating_is_kept_for_each_pair(rows: list[tuple[str, str, int, int]], keep: str) -> None:
    frame_of_rows = frame(rows)
    by_time = frame_of_rows.sort_values(["timestamp", "rating"]).groupby(["user_id", "item_id"])["rating"]
    expected = (by_time.mean() if keep == "mean" else by_time.first() if keep == "first" else by_time.last()).to_dict()
    everything = Interactions.from_frame(frame_of_rows)
    data = everything.without_duplicates(keep)  # type: ignore[arg-type]  # one of the literals
    found = {
        (data.users.id(int(user)), data.items.id(int(item))): float(rating)
        for user, item, rating in zip(data.user_num, data.item_num, data.ratings, strict=True)
    }
    assert found == {pair: float(np.float32(rating)) for pair, rating in expected.items()}
    assert len(data) == len(found)
    assert everything.without_duplicates("keep") is everything


def test_of_two_ratings_with_equal_times_the_lower_one_is_first() -> None:
    data = Interactions.from_frame(frame([("u", "a", 5, 7), ("v", "a", 3, 7), ("u", "a", 1, 7)]))
    kept = {keep: data.without_duplicates(keep).ratings.tolist() for keep in ("keep", "first", "last", "mean")}
    assert kept == {"keep": [5, 3, 1], "first": [3, 1], "last": [5, 3], "mean": [3, 3]}


def test_known_keeps_only_ratings_of_known_users_and_items() -> None:
    data = Interactions.from_frame(frame([("u", "a", 1, 0), ("v", "b", 2, 0)]))
    rows = [("v", "a", 5, 1), ("v", "new", 4, 1), ("new", "a", 3, 1), ("u", "b", 2, 1)]
    known = data.known(frame(rows))
    assert (known.user_num.tolist(), known.item_num.tolist(), known.ratings.tolist()) == ([1, 0], [0, 1], [5, 2])
    assert known.users is data.users


def weighted(rows: list[tuple[str, str, int, int]]) -> Interactions:
    """Build interactions without ratings; the numbers in the rows are weights."""
    return Interactions.from_frame(frame(rows).rename(columns={"rating": "weight"}))


@given(events)
def test_events_need_no_ratings(rows: list[tuple[str, str, int, int]]) -> None:
    data = Interactions.from_frame(frame(rows).drop(columns="rating"))
    assert len(data) == len(rows)
    assert (data.rating, data.weight) == (None, None)
    assert data.where(data.time < 5).rating is None
    assert data.known(frame(rows).drop(columns="rating")).user_num.tolist() == data.user_num.tolist()
    rated = Interactions.from_frame(frame(rows).assign(rating=1.0))
    assert leave_one_out(data).tolist() == leave_one_out(rated).tolist()


def test_the_error_of_missing_ratings_names_the_column() -> None:
    with pytest.raises(DataError, match="column 'rating' is missing: expected a rating in every row"):
        _ = weighted([("u", "a", 1, 0)]).ratings


@given(events)
def test_weights_stay_with_their_rows(rows: list[tuple[str, str, int, int]]) -> None:
    data = weighted(rows)
    late = data.where(data.time >= 5)
    assert late.weight is not None
    assert late.weight.tolist() == [row[2] for row in rows if row[3] >= 5]
    known = data.known(frame(rows[::-1]).rename(columns={"rating": "weight"}))
    assert known.weight is not None
    assert known.weight.tolist() == [row[2] for row in rows[::-1]]


@given(events)
def test_without_ratings_the_mean_of_a_pair_is_its_last_event(rows: list[tuple[str, str, int, int]]) -> None:
    for data in (weighted(rows), Interactions.from_frame(frame(rows).drop(columns="rating"))):
        mean, last = data.without_duplicates("mean"), data.without_duplicates("last")
        assert mean.time.tolist() == last.time.tolist()
        assert len(last) == len({row[:2] for row in rows})


def test_of_events_with_equal_times_the_one_with_the_lowest_weight_is_first() -> None:
    rows = [("u", "a", 5, 7), ("u", "a", 1, 7), ("u", "a", 3, 7)]
    for keep, weight in (("first", 1), ("last", 5), ("mean", 5)):
        found = weighted(rows).without_duplicates(keep).weight  # type: ignore[arg-type]  # one of the literals
        assert found is not None
        assert found.tolist() == [weight]
    data = Interactions.from_frame(frame(rows).drop(columns="rating"))
    assert data.where(data.item_num == 0).without_duplicates("first").time.tolist() == [7]


@given(events, st.randoms())
def test_a_pair_keeps_its_latest_event_and_its_largest_weight(
    rows: list[tuple[str, str, int, int]], random: Random
) -> None:
    """Check also that pairs are sorted by user, time and item, whatever the order of the rows."""
    latest: dict[tuple[str, str], tuple[str, int, str]] = {}
    for user, item, _, time in rows:
        latest[user, item] = max((user, time, item), latest.get((user, item), (user, time, item)))
    expected = [
        (user, item, max(row[2] for row in rows if row[:2] == (user, item)), time)
        for user, time, item in sorted(latest.values())
    ]
    data = weighted(random.sample(rows, len(rows))).pairs()
    assert data.weight is not None
    found = [
        (data.users.id(int(user)), data.items.id(int(item)), weight, time)
        for user, item, weight, time in zip(data.user_num, data.item_num, data.weight, data.time, strict=True)
    ]
    assert found == expected


def test_a_pair_keeps_the_rating_of_its_latest_event() -> None:
    rows = [("u", "a", 5, 7), ("v", "a", 3, 1), ("u", "b", 4, 2), ("u", "a", 1, 7), ("u", "a", 2, 3)]
    data = Interactions.from_frame(frame(rows)).pairs()
    assert (data.ratings.tolist(), data.time.tolist()) == ([4, 1, 3], [2, 7, 1])
    assert data.weight is None
    assert len(data.where(data.time < 0).pairs()) == 0


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        (99_999_999, None),
        (100_000_000, 1.0),
        (-1_700_000_000, 1.0),
        (1_700_000_000_000, 1e-3),
        (1_700_000_000_000_000, 1e-6),
        (1_700_000_000_000_000_000, 1e-9),
    ],
)
def test_the_largest_time_determines_the_unit(time: int, unit: float | None) -> None:
    data = Interactions.from_frame(frame([("u", "a", 1, 0), ("u", "b", 1, time)]))
    assert data.seconds_per_unit == unit
    assert data.where(data.time == 0).seconds_per_unit == unit
    assert data.without_duplicates("last").pairs().seconds_per_unit == unit
    plain = Interactions(data.users, data.items, data.user_num, data.item_num, None, data.time)
    assert plain.seconds_per_unit == plain.where(data.time == 0).seconds_per_unit == unit


def test_positions_have_no_unit() -> None:
    data = Interactions.from_frame(frame([("u", "a", 1, 0)]).drop(columns="timestamp"))
    assert data.seconds_per_unit is None
    assert data.largest_time == 0


def test_times_with_another_unit_are_refused() -> None:
    data = Interactions.from_frame(frame([("u", "a", 1, 1_700_000_000_000)]))
    with pytest.raises(DataError, match="got milliseconds in the training data and seconds in the other data"):
        data.known(frame([("u", "a", 1, 1_700_000_000)]))
    with pytest.raises(DataError, match="and an order without a unit in the other data"):
        data.known(frame([("u", "a", 1, 0)]).drop(columns="timestamp"))
