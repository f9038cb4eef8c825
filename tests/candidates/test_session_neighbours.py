"""Sessions: items that a user has within hours, and not within months."""

import numpy as np
import pandas as pd
import pytest
from support.worlds import World, named

from recommender.candidates.session_neighbours import SessionNeighbours, SessionNeighboursOptions

HOUR = 3600
NOON = 1_600_000_000


def visits(gap_hours: float) -> World:
    """Return events of users who have a pair of items, and after a pause another pair."""
    rows = []
    for user in range(4):
        first, second = NOON + user, NOON + user + int(gap_hours * HOUR)
        rows += [(user, 0, first), (user, 1, first + HOUR), (user, 2, second + HOUR), (user, 3, second + 2 * HOUR)]
    return World.of(named(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])))


def neighbours_of(item: int, world: World, hours: float) -> set[int]:
    source = SessionNeighbours.fit(world.context, SessionNeighboursOptions(session_hours=hours))
    found = source.top(world.stranger([item]), 10)
    assert found is not None
    return set(found.item_num.tolist())


@pytest.mark.parametrize(("hours", "neighbours"), [(0.5, set()), (12.0, {1}), (23.9, {1}), (24.0, {1, 2, 3})])
def test_a_session_ends_after_session_hours_without_an_event(hours: float, neighbours: set[int]) -> None:
    assert neighbours_of(0, visits(24 + 1e-9), hours) == neighbours


def test_each_session_length_has_its_own_table_in_one_context() -> None:
    world = visits(24)
    context = world.context
    short, long = (SessionNeighbours.fit(context, SessionNeighboursOptions(session_hours=hours)) for hours in (1, 48))
    assert np.diff(short.table.offsets)[:4].tolist() == [1, 1, 1, 1]
    assert np.diff(long.table.offsets)[:4].tolist() == [3, 3, 3, 3]
