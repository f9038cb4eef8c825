"""A user's history in the form for sources: the latest event of each item, and its weight."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.worlds import WORLDS

from recommender.components.query import SECONDS_PER_DAY, Query
from recommender.components.recency import RecencyOptions
from recommender.data.histories import History

Event = tuple[int, int, float]  # item, time, weight
histories = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([-9, -4, -3, 0]), st.sampled_from([1.0, 2.0])), max_size=8
).map(lambda events: sorted(events, key=lambda event: event[1]))


def query_of(events: list[Event], has_clock: bool = True) -> Query:
    item_num, time = (np.array([event[column] for event in events], np.int32) for column in (0, 1))
    weight = np.array([event[2] for event in events], np.float32)
    time *= SECONDS_PER_DAY // 2
    return Query(None, History(item_num, np.full(len(events), np.nan, np.float32), time, weight), has_clock)


@given(histories, st.booleans())
def test_a_visit_is_the_latest_event_of_its_item(events: list[Event], has_clock: bool) -> None:
    latest = {item: place for place, (item, _, _) in enumerate(events)}
    rows = [events[place] for place in sorted(latest.values())]
    times = sorted({time for _, time, _ in events})
    visits = query_of(events, has_clock).visits
    assert visits.item_num.tolist() == [item for item, _, _ in rows]
    assert visits.weight.tolist() == [weight for _, _, weight in rows]
    assert visits.steps_back.tolist() == [len(times) - 1 - times.index(time) for _, time, _ in rows]
    days = [(times[-1] - time) / 2 if has_clock else 0 for _, time, _ in rows]
    assert visits.days_back.tolist() == days


@given(histories, st.sampled_from([1.0, 0.5]), st.sampled_from([0.0, 1.0, 30.0]))
def test_an_event_counts_less_by_steps_and_by_days(events: list[Event], step_decay: float, day_scale: float) -> None:
    query = query_of(events)
    visits = query.visits
    expected = [
        weight * step_decay**steps * (np.exp(-days / day_scale) if day_scale else 1)
        for weight, steps, days in zip(visits.weight, visits.steps_back, visits.days_back, strict=True)
    ]
    options = RecencyOptions(step_decay=step_decay, day_scale=day_scale)
    assert options.history_weights(query).tolist() == pytest.approx(expected)


def test_day_scales_and_sessions_are_tried_only_if_times_are_seconds() -> None:
    def values(has_clock: bool, option: str) -> set[object]:
        axes = RecencyOptions.recencies(has_clock)
        return {values[option] for axis in axes for values in axis if option in values}

    assert values(False, "day_scale") == {0.0}
    assert values(False, "before_session") == set()
    assert len(values(True, "day_scale")) > 1
    assert len(values(True, "before_session")) > 1


@given(histories, st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_in_a_session_earlier_events_count_less(events: list[Event], factor: float, in_session: bool) -> None:
    query = replace(query_of(events), in_session=in_session)
    options = RecencyOptions(step_decay=0.8, before_session=factor)
    latest = {item: time for item, time, _ in events}
    session: set[int] = set()  # times of the newest session; its events are at most half a day apart
    for time in sorted({time for _, time, _ in events}, reverse=True):
        if session and min(session) - time >= 1:
            break
        session.add(time)
    is_earlier = [in_session and latest[item] not in session for item in query.visits.item_num.tolist()]
    everything = options.history_weights(replace(query, in_session=False, memo={}))
    expected = [weight * (factor if earlier else 1) for weight, earlier in zip(everything, is_earlier, strict=True)]
    assert options.history_weights(query).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("hours", "in_session"), [(0, True), (11, True), (-11, True), (12, False), (400, False)])
def test_a_request_near_the_newest_event_of_its_user_is_in_its_session(hours: int, in_session: bool) -> None:
    histories = WORLDS["ratings"].histories
    newest = int(histories.of(3).time[-1])
    query = Query.of_known(histories, 3, now=newest + hours * 3_600)
    assert (query.in_session, query.now) == (in_session, newest + hours * 3_600)
    assert not Query.of_known(WORLDS["an order"].histories, 3, now=0).in_session


@pytest.mark.parametrize("world", ["ratings", "an order"])
def test_a_query_of_a_known_user_excludes_the_history_and_has_a_time(world: str) -> None:
    histories = WORLDS[world].histories
    for user in range(5):
        later, then = (Query.of_known(histories, user, as_of_history=as_of) for as_of in (False, True))
        assert later.exclude.tolist() == later.item_num.tolist() == histories.of(user).item_num.tolist()
        assert later.now is None
        assert then.now == (histories.of(user).time[-1] if world == "ratings" else None)
        assert not later.has_new_events
        assert not later.in_session
        assert not then.in_session


def test_a_new_query_keeps_no_results_of_sources() -> None:
    query = WORLDS["ratings"].known(3)
    WORLDS["ratings"].fitted("ease").top(query, 3)
    assert "ease" in query.memo
    assert query.without_memo().memo.keys() == {"visits"}
    assert query.without_memo().history is query.history
