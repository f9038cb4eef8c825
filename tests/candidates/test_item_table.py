"""Sources with a table of items x items: a request adds the weighted rows of its history."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.worlds import NUM_ITEMS, WORLDS, World, named

from recommender.candidates import item_table
from recommender.candidates.ease import Ease, EaseOptions
from recommender.candidates.item_table import ItemTable
from recommender.candidates.neighbours import Neighbours, NeighboursOptions

WORLD = WORLDS["weights"]
TABLES = {
    "ease": Ease.fit(WORLD.context, EaseOptions(step_decay=0.5)),
    "neighbours": Neighbours.fit(WORLD.context, NeighboursOptions(day_scale=3.0, num_neighbours=7)),
}


def dense(source: ItemTable) -> NDArray[np.float64]:
    found = np.zeros((NUM_ITEMS, NUM_ITEMS))
    row = np.repeat(np.arange(NUM_ITEMS), np.diff(source.table.offsets))
    found[row, source.table.item_num] = source.table.score
    return found


@given(st.sampled_from(sorted(TABLES)), st.integers(0, len(WORLD.queries) - 1), st.sampled_from([0, 8, 10_000]))
def test_a_score_is_a_sum_of_weighted_rows_and_the_reason_is_the_largest_one(
    name: str, number: int, dense_factor: int
) -> None:
    """Check both ways of adding: a table of all items, and sorted entries."""
    source, query = TABLES[name], WORLD.queries[number].without_memo()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_table, "DENSE", dense_factor)
        score = source.score(query, np.arange(NUM_ITEMS))
    if score is None:
        assert not len(query.item_num)
        return
    rows = source.options.history_weights(query)[:, None] * dense(source)[query.visits.item_num]
    assert np.allclose(score, rows.sum(axis=0), atol=1e-9)
    for item, reason in enumerate(source.reasons(query, list(range(NUM_ITEMS)))):
        if reason is None:
            assert rows[:, item].max() <= 0
        else:
            (own,) = reason.item_num
            assert rows[query.visits.item_num.tolist().index(own), item] == pytest.approx(rows[:, item].max())


def test_only_items_that_users_had_together_are_proposed() -> None:
    """Check two tastes: users of wool have items 0 to 2, users of silk items 3 to 5."""
    rows = [(user, 3 * (user % 2) + item, 1_600_000_000 + user + item) for user in range(8) for item in range(3)]
    world = World.of(named(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])))
    for name in ("ease", "neighbours", "session_neighbours", "implicit_mf"):
        found = world.fitted(name).top(world.stranger([3]), 2)
        assert found.item_num.tolist() == [4, 5], name
        (reason, _) = world.fitted(name).reasons(world.stranger([3]), [4, 5])
        assert reason.item_num == (3,), name


@pytest.mark.parametrize(("decay", "expected"), [(1.0, [1, 4]), (0.5, [4, 1])])
def test_the_older_item_of_a_history_counts_less(decay: float, expected: list[int]) -> None:
    """Check the history 0, then 3: three users have 0 and 1 together, two have 3 and 4."""
    pairs = [(0, 1)] * 3 + [(3, 4)] * 2
    rows = [(user, item) for user, pair in enumerate(pairs) for item in pair]
    world = World.of(named(pd.DataFrame(rows, columns=["user_id", "item_id"])))
    source = Neighbours.fit(world.context, NeighboursOptions(step_decay=decay, length_power=0.0))
    found = source.top(world.stranger([0, 3]), 2)
    assert found is not None
    assert found.item_num.tolist() == expected


def test_the_power_of_the_history_divides_by_the_number_of_its_items_events() -> None:
    plain, divided = (Neighbours.fit(WORLD.context, NeighboursOptions(history_power=power)) for power in (0.0, 0.5))
    count = np.maximum(np.bincount(WORLD.data.pairs().item_num, minlength=NUM_ITEMS), 1)
    assert np.allclose(dense(divided), dense(plain) / np.sqrt(count)[:, None])
