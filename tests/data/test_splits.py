from collections import Counter

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out

events = st.lists(st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1)
Row = tuple[str, str, int]


def held_out_rows(rows: list[Row]) -> list[int]:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).assign(rating=1.0)
    return [row for row, held_out in enumerate(leave_one_out(Interactions.from_frame(frame))) if held_out]


def reference(rows: list[Row]) -> list[int]:
    """The paper's words, one by one, in plain Python."""
    last: dict[str, int] = {}
    for row, (user, _, time) in enumerate(rows):
        if user not in last or time >= rows[last[user]][2]:
            last[user] = row
    ratings_of = Counter(user for user, _, _ in rows)
    candidates = {row for user, row in last.items() if ratings_of[user] > 1}
    remaining_items = {item for row, (_, item, _) in enumerate(rows) if row not in candidates}
    return sorted(row for row in candidates if rows[row][1] in remaining_items)


@given(events)
def test_leave_one_out_is_the_papers_split(rows: list[Row]) -> None:
    assert held_out_rows(rows) == reference(rows)


@given(events)
def test_every_held_out_user_and_item_remains_known(rows: list[Row]) -> None:
    held_out = set(held_out_rows(rows))
    remaining = [row for number, row in enumerate(rows) if number not in held_out]
    for number in held_out:
        user, item, time = rows[number]
        assert item in {row[1] for row in remaining}
        assert [row[2] for row in remaining if row[0] == user]
        assert all(row[2] <= time for row in remaining if row[0] == user)
