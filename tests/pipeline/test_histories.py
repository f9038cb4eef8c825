"""The events of a request in the history of their user: by time, in any notation, or as the newest."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import OLDEST, History
from recommender.data.vocabulary import Vocabulary
from recommender.errors import RequestError
from recommender.pipeline.histories import LATEST, NewEvent, RequestLimits, new_events, with_new_events
from recommender.pipeline.recommendations import Event

NEWEST = 1_600_000_000  # 2020-09-13T12:26:40Z
ITEMS = Vocabulary.from_sorted("abcdefgh")
CLOCK = RequestLimits(1.0, 5.0, NEWEST)
ORDER = RequestLimits(1.0, 5.0, None)

Known = Sequence[tuple[int, int]]  # item, time
known_events = st.lists(st.tuples(st.integers(0, 7), st.integers(-5, 0)), max_size=8)
events = st.lists(
    st.builds(NewEvent, st.integers(0, 7), st.just(4.0), st.none() | st.integers(-8, 5).map(float)),
    max_size=8,
    unique_by=lambda event: event.item_num,
)


def history(known: Known) -> History:
    item_num, time = (np.array([event[column] for event in known], np.int32) for column in (0, 1))
    order = np.argsort(time, kind="stable")
    size = len(known)
    return History(item_num[order], np.full(size, 2, np.float32), time[order], np.full(size, 3, np.float32))


def found(known: Known, new: Sequence[NewEvent], has_clock: bool) -> list[tuple[int, float, int, float]]:
    merged = with_new_events(history(known), new, has_clock)
    assert [column.dtype for column in merged] == [np.int32, np.float32, np.int32, np.float32]
    return list(zip(*(column.tolist() for column in merged), strict=True))


@given(known_events, events)
def test_with_a_clock_events_are_in_their_places_by_time_and_others_newer_than_all(
    known: Known, new: list[NewEvent]
) -> None:
    fresh = {event.item_num for event in new}
    kept = sorted(((item, 2.0, time, 3.0) for item, time in known if item not in fresh), key=lambda event: event[2])
    timed = [(event.item_num, 4.0, int(event.time), 1.0) for event in new if event.time is not None]
    newest = max([0, *(event[2] for event in timed), *(event[2] for event in kept)])
    rest = [event.item_num for event in new if event.time is None]
    latest = [(item, 4.0, newest + place, 1.0) for place, item in enumerate(rest, 1)]
    expected = sorted([*kept, *timed], key=lambda event: event[2]) + latest  # of one time the known ones come first
    result = found(known, new, has_clock=True)
    assert [event[:3] for event in result if event[3] == 3] == [event[:3] for event in kept]
    assert sorted(result) == sorted(expected)
    assert [event[2] for event in result] == [event[2] for event in expected]


@given(known_events, events)
def test_without_a_clock_new_events_follow_the_known_ones_in_the_order_of_their_times(
    known: Known, new: list[NewEvent]
) -> None:
    fresh = {event.item_num for event in new}
    times = sorted({event.time for event in new if event.time is not None})
    last = max([0, *(time for item, time in known if item not in fresh)])
    place = {event.item_num: last + 1 + times.index(event.time) for event in new if event.time is not None}
    for event in new:
        if event.time is None:
            place[event.item_num] = max([last, *place.values()]) + 1
    result = {item: time for item, _, time, weight in found(known, new, has_clock=False) if weight == 1}
    assert result == place
    ordered = [time for *_, time, _ in found(known, new, has_clock=False)]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("has_clock", [True, False])
def test_times_out_of_range_are_cut(has_clock: bool) -> None:
    new = [NewEvent(0, 4.0, -1e17), NewEvent(1, 4.0, 1e17)]
    merged = with_new_events(history([(5, -3)]), new, has_clock)
    assert merged.item_num.tolist() == ([0, 5, 1] if has_clock else [5, 0, 1])
    assert merged.time.min() >= OLDEST
    assert merged.time.max() <= LATEST


# --- reading the events ---


def times(limits: RequestLimits, *timestamps: float | str | None) -> list[float | None]:
    some = [Event(ITEMS.id(number), 3.0, timestamp) for number, timestamp in enumerate(timestamps)]
    return [event.time for event in new_events(some, ITEMS, limits)]


ISO = datetime.fromtimestamp(NEWEST - 90, UTC).isoformat()


@pytest.mark.parametrize(
    "timestamp",
    [NEWEST - 90, float(NEWEST - 90), (NEWEST - 90) * 10**3, (NEWEST - 90) * 10**6, (NEWEST - 90) * 10**9, ISO,
     ISO.replace("+00:00", "Z"), "2020-09-13 12:25:10", "2020-09-13T14:25:10+02:00", np.int64(NEWEST - 90)],
)  # fmt: skip
def test_a_time_may_be_a_number_of_any_unit_or_iso_8601(timestamp: float | str) -> None:
    assert times(CLOCK, timestamp) == pytest.approx([-90])


def test_a_date_is_its_first_second() -> None:
    assert times(CLOCK, "2020-09-13") == [-(12 * 3600 + 26 * 60 + 40)]


def test_without_a_clock_a_time_is_an_order_as_it_is() -> None:
    assert times(ORDER, 5, 2.5, -1, None) == [5, 2.5, -1, None]
    assert times(ORDER, "1970-01-02") == [86_400]


@pytest.mark.parametrize(
    ("limits", "timestamp", "message"),
    [
        (CLOCK, 7, "expected seconds or milliseconds since 1970, .* got 7"),
        (CLOCK, float("nan"), "got nan"),
        (ORDER, float("nan"), "got nan"),
        (CLOCK, float("inf"), "got inf"),
        (ORDER, -float("inf"), "got -inf"),
        (CLOCK, "yesterday", "expected a date or time such as .*, got 'yesterday'"),
        (ORDER, "2020-13-01", "expected a date or time such as"),
    ],
)
def test_the_error_names_the_field_of_an_invalid_time(
    limits: RequestLimits, timestamp: float | str, message: str
) -> None:
    with pytest.raises(RequestError, match=rf"history\[1\]\.timestamp: .*{message}"):
        times(limits, None, timestamp)


@pytest.mark.parametrize("rating", [0.9, 5.1, float("nan"), float("inf")])
def test_a_rating_out_of_range_is_refused_and_none_is_unknown(rating: float) -> None:
    (event,) = new_events([Event("b")], ITEMS, CLOCK)
    assert (event.item_num, np.isnan(event.rating), event.time) == (1, True, None)
    with pytest.raises(RequestError, match=r"history\[0\]\.rating: expected a number from 1 to 5, got"):
        new_events([Event("b", rating)], ITEMS, CLOCK)


entries = st.lists(
    st.builds(
        Event, st.sampled_from("abcdefghxyz"), st.sampled_from([1.0, 3.0]), st.none() | st.integers(NEWEST, NEWEST + 9)
    ),
    max_size=12,
)


@given(entries)
def test_the_newest_event_of_an_item_counts_and_the_later_one_of_equal_times(some: list[Event]) -> None:
    newest: dict[str, tuple[float, int]] = {}
    for position, event in enumerate(some):
        time = float("inf") if event.timestamp is None else float(event.timestamp)
        if event.item_id in list(ITEMS):
            newest[event.item_id] = max(newest.get(event.item_id, (-1.0, -1)), (time, position))
    expected = [some[position] for position in sorted(position for _, position in newest.values())]
    events_found = new_events(some, ITEMS, CLOCK)
    assert [ITEMS.id(event.item_num) for event in events_found] == [event.item_id for event in expected]
    assert [event.rating for event in events_found] == [event.rating for event in expected]
    assert [event.time is None for event in events_found] == [event.timestamp is None for event in expected]


@given(entries.map(lambda some: [event for event in some if event.timestamp is not None]), st.randoms())
def test_with_distinct_times_the_order_of_the_events_does_not_matter(some: list[Event], random: Random) -> None:
    timed = [Event(event.item_id, event.rating, NEWEST - 50 + place) for place, event in enumerate(some)]
    shuffled = random.sample(timed, len(timed))
    one, other = (with_new_events(history([]), new_events(part, ITEMS, CLOCK), True) for part in (timed, shuffled))
    assert [column.tolist() for column in one] == [column.tolist() for column in other]
