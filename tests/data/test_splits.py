from collections import Counter
from hashlib import sha256
from random import Random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out, split_at_time, split_leave_one_out, split_next_basket, time_share

events = st.lists(st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1)
Row = tuple[str, str, int]


def held_out_rows(rows: list[Row], seed: int = 0) -> list[int]:
    return [row for row, held_out in enumerate(leave_one_out(interactions(rows), seed)) if held_out]


def reference(rows: list[Row], seed: int = 0) -> list[int]:
    """Split by the paper's words in plain Python; rows with equal times are in the order of the seeded hash."""

    def time_and_hash(row: int) -> tuple[int, str]:
        user, item, time = rows[row]
        return time, sha256(f"{seed}\n{user}\n{item}".encode()).hexdigest()

    last: dict[str, int] = {}
    for row, (user, _, _) in enumerate(rows):
        if user not in last or time_and_hash(row) >= time_and_hash(last[user]):
            last[user] = row
    ratings_of = Counter(user for user, _, _ in rows)
    candidates = {row for user, row in last.items() if ratings_of[user] > 1}
    remaining_items = {item for row, (_, item, _) in enumerate(rows) if row not in candidates}
    return sorted(row for row in candidates if rows[row][1] in remaining_items)


def in_order(rows: list[Row], numbers: list[int]) -> list[Row]:
    return sorted(rows[number] for number in numbers)


@given(events, st.integers(0, 3))
def test_leave_one_out_is_the_papers_split(rows: list[Row], seed: int) -> None:
    assert in_order(rows, held_out_rows(rows, seed)) == in_order(rows, reference(rows, seed))


@given(events, st.randoms())
def test_leave_one_out_does_not_depend_on_the_order_of_the_input(rows: list[Row], random: Random) -> None:
    before = in_order(rows, held_out_rows(rows))
    random.shuffle(rows)
    assert in_order(rows, held_out_rows(rows)) == before


def test_the_last_event_of_a_basket_is_drawn_uniformly_by_the_seed() -> None:
    baskets = [(user, item, 1) for user in "uv" for item in "abcdefgh"] + [("w", item, 1) for item in "abcdefgh"]
    rows = [*baskets, ("u", "a", 0), ("v", "a", 0), ("w", "a", 2)]  # w's later row keeps w's basket in train
    drawn = Counter(rows[row][1] for seed in range(400) for row in held_out_rows(rows, seed) if rows[row][0] == "u")
    assert drawn.total() == 400
    assert set(drawn) == set("abcdefgh")
    assert all(25 < count < 80 for count in drawn.values())  # 50 expected, with a standard deviation of 7


def test_ids_with_line_breaks_are_hashed_as_they_are() -> None:
    rows = [("u\n", "\na", 1), ("u\n", "b", 1), ("u", "\n\na", 1), ("u", "b", 1), ("v", "\na", 0), ("v", "\n\na", 0)]
    assert held_out_rows(rows) == reference(rows)
    assert {rows[row][0] for row in held_out_rows(rows)} >= {"u", "u\n"}


@given(events)
def test_every_held_out_user_and_item_remains_known(rows: list[Row]) -> None:
    held_out = set(held_out_rows(rows))
    remaining = [row for number, row in enumerate(rows) if number not in held_out]
    for number in held_out:
        user, item, time = rows[number]
        assert item in {row[1] for row in remaining}
        assert [row[2] for row in remaining if row[0] == user]
        assert all(row[2] <= time for row in remaining if row[0] == user)


def interactions(rows: list[Row]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).assign(rating=1.0))


def rows_of(part: Interactions) -> list[Row]:
    columns = (part.user_num.tolist(), part.item_num.tolist(), part.time.tolist())
    return [(part.users.id(user), part.items.id(item), time) for user, item, time in zip(*columns, strict=True)]


def known_rows(rows: list[Row], train: list[Row]) -> list[Row]:
    users, items = {user for user, _, _ in train}, {item for _, item, _ in train}
    return [row for row in rows if row[0] in users and row[1] in items]


@given(events, st.booleans())
def test_leave_one_out_loses_no_row_and_holds_out_only_known_users_and_items(rows: list[Row], validation: bool) -> None:
    split = split_leave_one_out(interactions(rows), validation=validation)
    train, *held_out = map(rows_of, (split.train, split.validation, split.test))
    assert Counter(train + held_out[0] + held_out[1]) == Counter(rows)
    for part in held_out:
        assert known_rows(part, train) == part
        assert max(Counter(user for user, _, _ in part).values(), default=1) == 1
    assert sorted(rows_of(split.test)) == in_order(rows, reference(rows))
    assert validation or not held_out[0]


@given(events)
def test_validation_is_held_out_of_the_rest_in_the_same_way_as_test(rows: list[Row]) -> None:
    split = split_leave_one_out(interactions(rows), validation=True, seed=2)
    rest = [row for number, row in enumerate(rows) if number not in set(reference(rows, 2))]
    assert sorted(rows_of(split.validation)) == in_order(rest, reference(rest, 2))


@given(events, st.integers(0, 6), st.integers(0, 6))
def test_a_split_at_a_time_holds_out_later_rows_of_known_users_and_items(rows: list[Row], one: int, other: int) -> None:
    begin, end = sorted((one, other))
    split = split_at_time(interactions(rows), end, begin)
    train = [row for row in rows if row[2] < begin]
    assert rows_of(split.train) == train
    assert rows_of(split.validation) == known_rows([row for row in rows if begin <= row[2] < end], train)
    assert rows_of(split.test) == known_rows([row for row in rows if row[2] >= end], train)


def last_sessions(rows: list[Row], gap: int) -> list[Row]:
    """Return the last session of each user that has several sessions, in plain Python."""
    found: list[Row] = []
    for user in sorted({row[0] for row in rows}):
        history = sorted((row for row in rows if row[0] == user), key=lambda row: row[2])
        session = [history.pop()]
        while history and (session[-1][2] == history[-1][2] or session[-1][2] - history[-1][2] < gap):
            session.append(history.pop())
        found += session if history else []
    return found


@given(events, st.integers(0, 7))
def test_the_next_basket_is_the_last_session_without_items_unknown_to_the_rest(rows: list[Row], gap: int) -> None:
    split = split_next_basket(interactions(rows), gap)
    rest = list((Counter(rows) - Counter(last_sessions(rows, gap))).elements())
    test = known_rows(last_sessions(rows, gap), rest)
    assert sorted(rows_of(split.test)) == sorted(test)
    assert sorted(rows_of(split.train)) == sorted((Counter(rows) - Counter(test)).elements())
    assert not len(split.validation)


@pytest.mark.parametrize(
    ("gap", "basket"),
    [(0, "f"), (1, "f"), (2, "ef"), (2.5, "def"), (3, "def"), (4, "def"), (5, "")],
)
def test_events_less_than_the_gap_apart_are_one_session(gap: float, basket: str) -> None:
    times = {"a": 0, "b": 0, "c": 1, "d": 5, "e": 7, "f": 8}
    others = [("v", item, 0) for item in times]
    split = split_next_basket(interactions([*(("u", item, time) for item, time in times.items()), *others]), gap)
    assert "".join(item for _, item, _ in rows_of(split.test)) == basket


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="gap: expected at least 0, got -1"):
        split_next_basket(interactions([("u", "a", 1)]), -1)


@given(events, st.floats(0, 1, exclude_min=True))
def test_the_time_of_a_share_is_the_latest_one_with_enough_events_from_then_on(rows: list[Row], share: float) -> None:
    found = time_share(interactions(rows), share)
    wanted = max(1, round(share * len(rows)))
    assert sum(time >= found for _, _, time in rows) >= wanted
    assert sum(time > found for _, _, time in rows) < wanted
    assert type(found) is int


@pytest.mark.parametrize(("share", "time"), [(0.01, 9), (0.1, 9), (0.2, 8), (0.3, 7), (0.5, 5), (1, 0)])
def test_the_newest_share_of_the_events_is_at_or_after_its_time(share: float, time: int) -> None:
    assert time_share(interactions([("u", "a", (7 * number) % 10) for number in range(10)]), share) == time


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_or_without_events_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share: expected a number above 0 and at most 1, got"):
        time_share(interactions([("u", "a", 1)]), share)
    with pytest.raises(ValueError, match="data: expected at least one event, got none"):
        time_share(interactions([]), 0.5)


def test_validation_after_test_is_refused() -> None:
    with pytest.raises(ValueError, match="validation_time: expected at most `time`, which is 3, got 4"):
        split_at_time(interactions([("u", "a", 1)]), 3, 4)
