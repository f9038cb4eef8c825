"""Popular items, counted in plain Python: of all time, with weights, fading, and as of an earlier time."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.popularity import MAX_PERIODS, Popularity, PopularityOptions
from recommender.components.base import Reason
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.interactions import Interactions

DAY = 86_400
NEWEST = 1_600_000_000
ITEMS = [f"i{number}" for number in range(8)]

Event = tuple[int, int, float]  # item, seconds before the newest event, weight
weights = st.sampled_from([1.0, 2.0, 5.0])
events = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30 * DAY), weights), min_size=1, max_size=40)
years = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9_000 * DAY), weights), min_size=1, max_size=40)


def interactions(rows: Sequence[Event]) -> Interactions:
    """Return the events, and one of the last item at the newest time."""
    rows = [*rows, (7, 0, 1.0)]
    frame = pd.DataFrame(
        {
            "user_id": "u",
            "item_id": [ITEMS[item] for item, _, _ in rows],
            "timestamp": [NEWEST - seconds for _, seconds, _ in rows],
            "weight": [weight for _, _, weight in rows],
        }
    )
    return Interactions.from_frame(frame).with_items(ITEMS)


def fitted(rows: Sequence[Event], half_life: float = 0.0) -> Popularity:
    return Popularity.fit(FitContext(interactions(rows)), PopularityOptions(half_life=half_life))


def shares(source: Popularity, now: int | None = None) -> list[float]:
    score: list[float] = source.score(Query(now=now), np.arange(len(ITEMS))).tolist()
    return score


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.sets(st.integers(0, 29)), st.integers(1, 40))
def test_the_most_rated_unseen_items_come_first_and_ties_by_number(
    counts: list[int], seen: set[int], count: int
) -> None:
    seen = {number for number in seen if number < len(counts)}
    expected = sorted((-number_of, item) for item, number_of in enumerate(counts) if item not in seen)[:count]
    query = Query(exclude=np.array(sorted(seen), np.int64))
    items = [f"i{number:02d}" for number in range(len(counts))]
    rows = pd.DataFrame({"user_id": "u", "item_id": np.repeat(items, counts)})
    source = Popularity.fit(FitContext(Interactions.from_frame(rows).with_items(items)), PopularityOptions())
    found = source.top(query, count)
    assert found.item_num.tolist() == [item for _, item in expected]
    assert np.allclose(found.score * max(1, max(counts)), [-number_of for number_of, _ in expected])


@given(events, st.integers(0, 31 * DAY))
def test_as_of_an_earlier_time_the_days_that_ended_until_then_count(rows: list[Event], ago: int) -> None:
    total = [0.0] * len(ITEMS)
    for item, seconds, weight in [*rows, (7, 0, 1.0)]:
        if not ago or seconds // DAY >= math.ceil(ago / DAY):  # days end at the newest event
            total[item] += weight
    assert np.allclose(shares(fitted(rows), -ago), np.array(total) / (max(total) or 1))


@given(years, st.integers(1, 9_001 * DAY), st.sampled_from([0.0, 30.0]), st.data())
def test_as_of_an_earlier_time_nothing_later_counts(
    rows: list[Event], ago: int, half_life: float, data: st.DataObject
) -> None:
    """Change items and weights of all later events: with any length of the periods, nothing changes."""
    later = [row for row in rows if row[1] < ago]
    others = data.draw(st.lists(st.tuples(st.integers(0, 7), weights), min_size=len(later), max_size=len(later)))
    changed = [(item, row[1], weight) for row, (item, weight) in zip(later, others, strict=True)]
    earlier = [row for row in rows if row[1] >= ago]
    one, other = fitted(rows, half_life), fitted([*earlier, *changed], half_life)
    query = Query(now=-ago)
    assert shares(one, -ago) == pytest.approx(shares(other, -ago))
    assert one.top(query, 8).item_num.tolist() == other.top(query, 8).item_num.tolist()


@given(years, st.lists(st.integers(0, 9_001 * DAY), min_size=2, max_size=6), st.sampled_from([0.0, 30.0]))
def test_earlier_requests_do_not_change_a_response(rows: list[Event], agos: list[int], half_life: float) -> None:
    source = fitted(rows, half_life)
    assert [shares(source, -ago) for ago in agos] == [shares(fitted(rows, half_life), -ago) for ago in agos]


@given(years, st.integers(1, 9_001 * DAY))
def test_as_of_an_earlier_time_no_event_before_the_current_period_is_missing(rows: list[Event], ago: int) -> None:
    period = max(DAY, max(seconds for _, seconds, _ in rows) / MAX_PERIODS)
    surely = {item for item, seconds, _ in rows if seconds >= ago + period}
    assert surely <= {item for item, share in enumerate(shares(fitted(rows), -ago)) if share > 0}


@pytest.mark.parametrize("now", [None, 0, 5])
def test_a_request_after_all_events_counts_every_event(now: int | None) -> None:
    assert shares(fitted([(0, 0, 1.0), (1, 3 * DAY, 2.0)]), now) == [0.5, 1.0, 0, 0, 0, 0, 0, 0.5]


def test_an_event_counts_half_after_the_half_life() -> None:
    """Count four events of item 0 a month ago and three of item 1 today: 4 / 2 < 3."""
    rows = [(0, 30 * DAY, 1.0)] * 4 + [(1, 60, 1.0)] * 3
    assert shares(fitted(rows))[:2] == [1.0, 0.75]
    assert shares(fitted(rows, half_life=30.0))[:2] == pytest.approx([2 / 3, 1.0])
    # A month ago those four were new, and the three were not there yet.
    assert shares(fitted(rows, half_life=30.0), -30 * DAY)[:2] == [1.0, 0.0]


def test_a_weight_of_n_counts_as_n_events() -> None:
    heavy, often = [(0, 5 * DAY, 5.0), (1, DAY, 2.0)], [(0, 5 * DAY, 1.0)] * 5 + [(1, DAY, 1.0)] * 2
    for half_life in (0.0, 7.0):
        assert shares(fitted(heavy, half_life)) == pytest.approx(shares(fitted(often, half_life)))


def test_times_in_milliseconds_are_the_same_times() -> None:
    rows: list[Event] = [(item, item * DAY, 1.0) for item in range(8)]
    seconds = interactions(rows)
    milliseconds = replace(seconds, time=seconds.time * 1000, largest_time=None)
    options = PopularityOptions(half_life=7.0)
    one, other = (Popularity.fit(FitContext(data), options) for data in (seconds, milliseconds))
    for now in (None, -3 * DAY - 1, -6 * DAY):
        assert shares(one, now) == pytest.approx(shares(other, now))


@pytest.mark.parametrize(
    ("half_life", "text"),
    [(0.0, "popular"), (1.0, "popular today"), (7.0, "popular this week"), (30.0, "popular this month"),
     (90.0, "popular this quarter"), (365.0, "popular this year"), (5_000.0, "popular")],
)  # fmt: skip
def test_the_reason_names_the_period_of_popularity(half_life: float, text: str) -> None:
    assert fitted([(0, 0, 1.0)], half_life).reasons(Query(), [3, 1]) == [Reason(text=text)] * 2


def test_no_half_life_is_tried_if_times_are_only_an_order() -> None:
    rows = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]})
    assert not Popularity.choices(FitContext(Interactions.from_frame(rows)), PopularityOptions())
    assert Popularity.choices(FitContext(interactions([])), PopularityOptions())
