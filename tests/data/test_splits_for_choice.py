"""The split inside the training data that serves to compare recommenders."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.data.splits import Split, split_for_choice

Row = tuple[str, str, float, int]
COLUMNS = ["user_id", "item_id", "rating", "timestamp"]

events = st.lists(
    st.tuples(st.sampled_from("uvwé"), st.sampled_from("abcdefgh"), st.sampled_from([1.0, 5.0]), st.integers(0, 6)),
    max_size=50,
)
seeds = st.integers(0, 3)
min_histories = st.integers(1, 4)


def interactions(rows: Sequence[Row]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(rows, columns=COLUMNS).astype({"rating": "float32", "timestamp": int}))


def rows_of(data: Interactions) -> list[Row]:
    columns = (data.user_num, data.item_num, data.ratings, data.time)
    return sorted(
        (data.users.id(user), data.items.id(item), rating, time)
        for user, item, rating, time in zip(*(column.tolist() for column in columns), strict=True)
    )


def in_order(rows: Sequence[Row], user: str, seed: int) -> list[Row]:
    def key(row: Row) -> tuple[int, str, float]:
        user, item, rating, time = row
        return time, sha256(f"{seed}\n{user}\n{item}".encode()).hexdigest(), rating

    return sorted((row for row in rows if row[0] == user), key=key)


def reference(rows: Sequence[Row], seed: int, min_history: int) -> tuple[list[Row], list[Row]]:
    """Return train and targets as the docstring describes them, in plain Python."""
    users_of = {item: {row[0] for row in rows if row[1] == item} for _, item, _, _ in rows}
    histories = {user: in_order(rows, user, seed) for user in {row[0] for row in rows}}
    end: dict[str, int] = {}
    for user, history in histories.items():
        for position, (_, item, _, _) in enumerate(history):
            is_new = item not in {row[1] for row in history[:position]}
            if is_new and len(users_of[item]) > 1 and position >= min_history:
                end[user] = position
    train = [row for user, history in histories.items() for row in history[: end.get(user)]]
    end = {user: at for user, at in end.items() if histories[user][at][1] in {row[1] for row in train}}
    train = [row for user, history in histories.items() for row in history[: end.get(user)]]
    return sorted(train), sorted(histories[user][at] for user, at in end.items())


def held_out(
    rows: Sequence[Row], seed: int = 0, min_history: int = 1, most: int | None = None, gap: float | None = None
) -> Split:
    return split_for_choice(interactions(rows), seed, min_history, most, gap)


@given(events, seeds, min_histories, st.integers(1, 3))
def test_with_a_gap_a_history_ends_before_the_target_or_before_its_session(
    rows: list[Row], seed: int, min_history: int, gap: int
) -> None:
    split, alone = held_out(rows, seed, min_history, gap=gap), held_out(rows, seed, min_history)
    train, targets = rows_of(split.train), rows_of(split.test)
    assert set(targets) <= set(rows_of(alone.test))  # with a gap, fewer items have train events
    for target in targets:
        everything = in_order(rows, target[0], seed)
        place = begin = everything.index(target)
        while begin and everything[begin][3] - everything[begin - 1][3] < gap:
            begin -= 1
        history = in_order(train, target[0], seed)
        assert history in (everything[:place], everything[:begin])
        assert len(history) >= min_history


def test_with_a_gap_half_of_the_users_begin_a_session() -> None:
    rows = [(f"u{user}", f"i{item}", 1.0, 9 * (item // 4)) for user in range(40) for item in range(12)]
    split = held_out(rows, gap=9.0)
    lengths = Counter(np.bincount(split.train.user_num).tolist())
    assert sum(lengths.values()) == 40
    assert lengths[8] == 20
    assert lengths.keys() <= {8, 11}
    assert held_out(rows, gap=9.0).train.time.tolist() == split.train.time.tolist()
    assert np.bincount(held_out(rows, min_history=9, gap=9.0).train.user_num).tolist() == [11] * 40


@given(events, seeds, min_histories)
def test_the_split_follows_its_docstring(rows: list[Row], seed: int, min_history: int) -> None:
    split = held_out(rows, seed, min_history)
    assert (rows_of(split.train), rows_of(split.test)) == reference(rows, seed, min_history)
    assert len(split.validation) == 0


@given(events, seeds, min_histories, st.none() | st.integers(0, 4))
def test_a_target_is_new_to_its_user_known_to_train_and_not_earlier_than_the_history(
    rows: list[Row], seed: int, min_history: int, most: int | None
) -> None:
    split = held_out(rows, seed, min_history, most)
    train, targets = rows_of(split.train), rows_of(split.test)
    assert max(Counter(row[0] for row in targets).values(), default=1) == 1
    assert most is None or len(targets) <= most
    for user, item, _, time in targets:
        history = [row for row in train if row[0] == user]
        assert len(history) >= min_history
        assert item not in {row[1] for row in history}
        assert item in {row[1] for row in train}
        assert all(row[3] <= time for row in history)


@given(events, seeds, min_histories, st.none() | st.integers(0, 4))
def test_users_without_a_target_keep_all_events_and_others_all_earlier_ones(
    rows: list[Row], seed: int, min_history: int, most: int | None
) -> None:
    split = held_out(rows, seed, min_history, most)
    targets = {row[0]: row for row in rows_of(split.test)}
    train = rows_of(split.train)
    for user in {row[0] for row in rows}:
        everything = in_order(rows, user, seed)
        kept = everything[: everything.index(targets[user])] if user in targets else everything
        assert in_order(train, user, seed) == kept


@given(events, seeds, min_histories, st.none() | st.integers(0, 4), st.randoms())
def test_the_order_of_the_input_does_not_matter(
    rows: list[Row], seed: int, min_history: int, most: int | None, random: Random
) -> None:
    one = held_out(rows, seed, min_history, most)
    random.shuffle(rows)
    other = held_out(rows, seed, min_history, most)
    assert rows_of(one.train) == rows_of(other.train)
    assert rows_of(one.test) == rows_of(other.test)


@given(events, seeds)
def test_events_without_ratings_are_split_like_events_with_equal_ratings(rows: list[Row], seed: int) -> None:
    rated = held_out([(user, item, 1.0, time) for user, item, _, time in rows], seed)
    frame = pd.DataFrame(rows, columns=COLUMNS).drop(columns="rating").astype({"timestamp": int})
    bare = split_for_choice(Interactions.from_frame(frame), seed, 1)
    for one, other in ((rated.train, bare.train), (rated.test, bare.test)):
        assert sorted(zip(one.user_num, one.item_num, one.time, strict=True)) == sorted(
            zip(other.user_num, other.item_num, other.time, strict=True)
        )


def history(user: str, items: str) -> list[Row]:
    return [(user, item, 1.0, time) for time, item in enumerate(items)]


@pytest.mark.parametrize(
    ("items", "target"),
    [
        ("abcd", "d"),
        ("abcda", "d"),  # a repeated item is not a target
        ("abcdx", "d"),  # an item that no other user has is not a target
        ("aaaab", "b"),
        ("aaaa", None),
        ("axb", "b"),
        ("ab", None),  # too short a history
        ("axy", None),
    ],
)
def test_the_target_is_the_last_new_item_that_others_have(items: str, target: str | None) -> None:
    split = held_out([*history("u", items), *history("v", "ab"), *history("w", "cd")], min_history=2)
    targets = {row[0]: row[1] for row in rows_of(split.test)}
    assert targets.get("u") == target
    end = items.index(target) if target else len(items)
    assert sorted(row[1] for row in rows_of(split.train) if row[0] == "u") == sorted(items[:end])


def test_two_users_keep_all_events_if_no_train_event_would_have_their_targets_item() -> None:
    rows = [*history("u", "abc"), *history("v", "abc")]
    split = held_out(rows, min_history=2)
    assert (rows_of(split.train), rows_of(split.test)) == (sorted(rows), [])


def test_the_seed_decides_between_events_with_equal_times() -> None:
    rows = [(user, item, 1.0, 0) for user in ("u", "v") for item in "abcdefghij"]
    chosen = {row[1] for seed in range(40) for row in rows_of(held_out(rows, seed).test)}
    assert len(chosen) > 8


def test_most_limits_the_targets_and_draws_users_uniformly() -> None:
    users = [f"u{number}" for number in range(10)]
    rows = [*history("known", "cab"), *(row for user in users for row in history(user, "abc"))]
    drawn = Counter(row[0] for seed in range(300) for row in rows_of(held_out(rows, seed, 2, 3).test))
    assert drawn.total() == 900
    assert set(drawn) <= {*users, "known"}
    assert min(drawn[user] for user in users) > 50  # 82 expected, with a standard deviation of 8
    assert rows_of(held_out(rows, 0, 2, 0).train) == sorted(rows)
    assert len(held_out(rows, 0, 2, 100).test) == 11


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="min_history: expected at least 1, got 0"):
        held_out(history("u", "ab"), min_history=0)
    with pytest.raises(ValueError, match="most: expected at least 0, got -1"):
        held_out(history("u", "ab"), most=-1)


def test_times_far_apart_are_sorted_as_well() -> None:
    far = 2**62
    rows: list[Row] = [("u", "a", 1.0, -far), ("u", "b", 1.0, far), *history("v", "ab"), *history("w", "b")]
    assert [row for row in rows_of(held_out(rows).test) if row[0] == "u"] == [("u", "b", 1.0, far)]


@pytest.mark.slow
def test_five_million_events_take_seconds() -> None:
    random, num = np.random.default_rng(0), 5_000_000
    user, item = random.integers(0, 500_000, num), random.integers(0, 200_000, num)
    frame = pd.DataFrame({"user_id": user, "item_id": item}).astype(str)
    data = Interactions.from_frame(frame.assign(rating=1.0, timestamp=random.integers(0, 10**11, num)))
    begin = perf_counter()
    assert len(split_for_choice(data, 0).test) > 400_000
    assert perf_counter() - begin < 10
