"""Groups of users and of sessions, compared with plain Python."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.models.groups import Groups

NOON = 1_600_000_000
events = st.lists(
    st.tuples(
        st.sampled_from("uvw"), st.sampled_from("abcdef"), st.integers(0, 20), st.sampled_from([0.5, 1.0, 2.0, 8.0])
    ),
    min_size=1,
    max_size=30,
)

Row = tuple[str, str, int, float]
Found = list[tuple[str, int, float]]


def pairs_of(rows: list[Row], seconds_per_step: int = 1) -> Interactions:
    """Return the pairs of events at times of so many seconds per step."""
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "weight"])
    frame["timestamp"] = NOON + frame["timestamp"] * seconds_per_step
    return Interactions.from_frame(frame).pairs()


def expected_groups(rows: list[Row], gap: float) -> list[Found]:
    """Return the items, steps and weights of each group. A pause longer than `gap` ends a user's group."""
    latest: dict[tuple[str, str], tuple[int, float]] = {}
    for user, item, time, weight in rows:
        before = latest.get((user, item), (time, weight))
        latest[user, item] = max(time, before[0]), max(weight, before[1])
    largest = max(weight for _, weight in latest.values())
    found: list[Found] = []
    last_user, last_time, step = "", 0, 0
    for user, time, item, weight in sorted((user, time, item, w) for (user, item), (time, w) in latest.items()):
        if user != last_user or time - last_time > gap:
            found.append([])
            step = 0
        elif time != last_time:
            step += 1
        found[-1].append((item, step, weight / largest))
        last_user, last_time = user, time
    return found


def found_groups(groups: Groups, pairs: Interactions) -> list[Found]:
    """Return groups in the form of `expected_groups`."""
    items = [pairs.items.id(int(number)) for number in groups.item_num]
    events = list(zip(items, groups.step.tolist(), groups.weight.tolist(), strict=True))
    return [events[begin:end] for begin, end in zip(groups.offsets[:-1], groups.offsets[1:], strict=True)]


@given(events)
def test_a_users_group_has_all_pairs_of_the_user_oldest_first(rows: list[Row]) -> None:
    pairs = pairs_of(rows)
    assert found_groups(Groups.of_users(pairs), pairs) == expected_groups(rows, float("inf"))


@given(events, st.integers(0, 20), st.sampled_from([1, 1_000]))
def test_a_pause_longer_than_the_gap_ends_a_session(rows: list[Row], gap: int, seconds_per_step: int) -> None:
    pairs = pairs_of(rows, seconds_per_step)
    assert found_groups(Groups.of_sessions(pairs, gap * seconds_per_step), pairs) == expected_groups(rows, gap)


def test_users_without_events_have_an_empty_group_and_no_session() -> None:
    pairs = pairs_of([("u", "a", 0, 1.0), ("v", "a", 1, 1.0), ("w", "b", 2, 1.0)])
    rest = pairs.where(pairs.user_num != 1)
    assert Groups.of_users(rest).offsets.tolist() == [0, 1, 1, 2]
    assert Groups.of_sessions(rest, 10).offsets.tolist() == [0, 1, 2]
    nothing = pairs.where(np.zeros(3, bool))
    assert Groups.of_users(nothing).offsets.tolist() == [0, 0, 0, 0]
