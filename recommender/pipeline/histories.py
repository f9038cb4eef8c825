"""The events of a request -> the user's history as sources and features take it."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from recommender.common.messages import shown
from recommender.data.clock import parse_time, seconds_per_unit
from recommender.data.histories import OLDEST, History
from recommender.data.vocabulary import Vocabulary
from recommender.errors import RequestError
from recommender.pipeline.recommendations import Event

LATEST = -OLDEST - 1_000_000  # seconds after the newest event of the training data


class RequestLimits(NamedTuple):
    """The model's limits for the events of a request.

    Attributes:
        rating_min, rating_max: the range of ratings.
        newest: seconds since 1970 of the newest training event; None if times are only an order.
    """

    rating_min: float
    rating_max: float
    newest: int | None


class NewEvent(NamedTuple):
    """An event of a request with an item that the model knows.

    Attributes:
        item_num: the item.
        rating: NaN if the event has none.
        time: seconds from the newest training event, or any order if times are only that; None: newer than all others.
    """

    item_num: int
    rating: float
    time: float | None


def new_events(events: Sequence[Event], items: Vocabulary, limits: RequestLimits) -> list[NewEvent]:
    """Return the newest event of each known item, in their order; of equal times the later one is the newest.

    Raises:
        RequestError: a rating is out of range, an item ID is no text, or a timestamp is no time.
    """
    found: dict[int, NewEvent] = {}
    for position, event in enumerate(events):
        if not isinstance(event, Event):
            raise RequestError(f"history[{position}]", f"expected an Event, got {shown(event)}")
        rating = _rating(event.rating, f"history[{position}].rating", limits)
        time = _time(event.timestamp, f"history[{position}].timestamp", limits.newest)
        item_num = items.number(text_of(f"history[{position}].item_id", event.item_id))
        if item_num is None:
            continue
        before = found.get(item_num)
        if before is None or time is None or (before.time is not None and time >= before.time):
            found.pop(item_num, None)  # the newest event takes the newest place
            found[item_num] = NewEvent(item_num, rating, time)
    return list(found.values())


def with_new_events(known: History, events: Sequence[NewEvent], has_clock: bool) -> History:
    """Return a history with new events in their places by time, instead of known events of the same items."""
    kept = ~np.isin(known.item_num, [event.item_num for event in events])
    timed = sorted((event for event in events if event.time is not None), key=lambda event: event.time or 0.0)
    ordered = [*timed, *(event for event in events if event.time is None)]
    times = np.array([np.nan if event.time is None else event.time for event in ordered])
    before = known.time[kept].astype(np.float64)
    newest = max(float(before.max(initial=0.0)), 0.0)
    if has_clock and timed:
        newest = max(newest, float(np.nanmax(times)))
    elif timed:  # only an order: after the known events, as they are
        _, times[: len(timed)] = np.unique(times[: len(timed)], return_inverse=True)
        times[: len(timed)] += newest + 1
        newest = float(times[len(timed) - 1])
    untimed = np.isnan(times)
    times[untimed] = newest + np.arange(1, int(untimed.sum()) + 1)
    time = np.append(before, times)
    place = np.argsort(time, kind="stable")
    return History(
        np.append(known.item_num[kept], np.array([event.item_num for event in ordered], np.int32))[place],
        np.append(known.rating[kept], np.array([event.rating for event in ordered], np.float32))[place],
        np.clip(time, OLDEST, LATEST).astype(np.int32)[place],
        np.append(known.weight[kept], np.ones(len(ordered), np.float32))[place],
    )


def text_of(field: str, value: object) -> str:
    """Return an ID as text; a whole number becomes its digits, as in training.

    Raises:
        RequestError: the value is neither.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RequestError(field, f"expected a text, got {shown(value)}")
    return value


def texts_of(field: str, values: object) -> list[str]:
    """Return a list of IDs or other texts; see `text_of`.

    Raises:
        RequestError: it is a text and no list, or has something else than texts.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise RequestError(field, f"expected a list of texts, got {shown(values)}")
    found: Iterable[object] = values
    return [text_of(f"{field}[{place}]", value) for place, value in enumerate(found)]


def _rating(rating: float | None, field: str, limits: RequestLimits) -> float:
    if rating is None:
        return np.nan
    if not limits.rating_min <= rating <= limits.rating_max:
        expected = f"expected a number from {limits.rating_min:g} to {limits.rating_max:g}"
        raise RequestError(field, f"{expected}, got {rating:g}")
    return rating


def _time(timestamp: float | str | None, field: str, newest: int | None) -> float | None:
    """Return the time in seconds from the newest training event; unchanged if the model's times are only an order."""
    if timestamp is None:
        return None
    if isinstance(timestamp, str):
        try:
            seconds = parse_time(timestamp) / 1000
        except ValueError as error:
            raise RequestError(field, f"{error}, got {shown(timestamp)}") from None
        return seconds if newest is None else seconds - newest
    unit = seconds_per_unit(abs(timestamp))
    if newest is None and math.isfinite(timestamp):
        return float(timestamp)
    if newest is None or unit is None or not math.isfinite(timestamp):
        raise RequestError(
            field, f"expected seconds or milliseconds since 1970, or an ISO 8601 date or date-time, got {timestamp:g}"
        )
    return timestamp * unit - newest
