"""The history of each user. This module does not import pandas, because the server imports it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recommender.data.interactions import Interactions

OLDEST = -(2**31)  # seconds: 68 years before the newest event
AT_ONCE = 2**18  # events in one step of the check


class History(NamedTuple):
    """The events of one user, oldest first; every array is (num_events,). See `Histories`.

    Attributes:
        item_num: int32.
        rating: float32; NaN if the data has no ratings.
        time: int32.
        weight: float32; 1 if the data has no weights.
    """

    item_num: NDArray[np.int32]
    rating: NDArray[np.float32]
    time: NDArray[np.int32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class Histories:
    """The events of every user, oldest first; a pair of user and item with two events occurs twice.

    Attributes:
        offsets: (num_users + 1,) int64; user u's events are offsets[u]:offsets[u + 1].
        item_num: (num_events,) int32.
        rating: (num_events,) float32; None without ratings.
        time: (num_events,) int32. Seconds relative to the newest event of the data, at most 0. If times are only an
            order, the number of distinct earlier times of the user.
        weight: (num_events,) float32; None if every event counts 1.
        newest: seconds since 1970 of the newest event of the data; None if times are only an order.
    """

    offsets: NDArray[np.int64]
    item_num: NDArray[np.int32]
    rating: NDArray[np.float32] | None
    time: NDArray[np.int32]
    weight: NDArray[np.float32] | None = None
    newest: int | None = None

    @classmethod
    def from_interactions(cls, data: "Interactions") -> "Histories":
        """Group events by user and sort them by time (equal times keep the order of the input); O(n log n)."""
        order = np.lexsort((data.time, data.user_num))
        offsets = row_offsets(data.user_num, len(data.users))
        time, unit = data.time[order], data.seconds_per_unit
        if unit is None:
            kept, newest = steps(offsets, time), None
        else:
            seconds = np.floor(time * unit).astype(np.int64)
            newest = int(seconds.max(initial=0))
            kept = np.maximum(seconds - newest, OLDEST).astype(np.int32)
        rating, weight = (None if column is None else column[order] for column in (data.rating, data.weight))
        return cls(offsets, data.item_num[order].astype(np.int32), rating, kept, weight, newest)

    def seconds(self, time: NDArray[np.integer], unit: float | None) -> list[int | None]:
        """Return times in seconds relative to the newest event of the data; all None if times are only an order.

        Args:
            time: the times.
            unit: their unit in seconds; None if they are only an order.
        """
        if unit is None or self.newest is None:
            return [None] * len(time)
        found: list[int | None] = (np.floor(time * unit).astype(np.int64) - self.newest).tolist()
        return found

    def check(self) -> None:
        """Check that the times of each user ascend; O(events), in parts.

        Raises:
            ValueError: a time of a user is earlier than the previous one.
        """
        for begin in range(0, len(self.time), AT_ONCE):
            time = self.time[begin : begin + AT_ONCE + 1]
            earlier = np.flatnonzero(time[1:] < time[:-1]) + begin + 1
            if (self.offsets[np.searchsorted(self.offsets, earlier)] != earlier).any():  # not a user's first event
                raise ValueError("expected the events of each user from the oldest to the newest")

    def of(self, user_num: int) -> History:
        """Return the history of one user."""
        events = slice(self.offsets[user_num], self.offsets[user_num + 1])
        count = events.stop - events.start
        rating = np.full(count, np.nan, np.float32) if self.rating is None else self.rating[events]
        weight = np.ones(count, np.float32) if self.weight is None else self.weight[events]
        return History(self.item_num[events], rating, self.time[events], weight)


def row_offsets(row: NDArray[np.int64], num_rows: int) -> NDArray[np.int64]:
    """Return the offset of each row's entries, if the entries are sorted by row; (num_rows + 1,) int64."""
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=num_rows))])


def steps(offsets: NDArray[np.int64], time: NDArray[np.integer]) -> NDArray[np.int32]:
    """Count the distinct earlier times in each event's row; (num_events,) int32.

    Args:
        offsets: (num_rows + 1,), the offset of each row.
        time: (num_events,), ascending within each row.
    """
    if not len(time):
        return np.empty(0, np.int32)
    is_later = np.append(False, time[1:] != time[:-1])
    lengths = np.diff(offsets)
    begins, lengths = offsets[:-1][lengths > 0], lengths[lengths > 0]
    is_later[begins] = False
    count = np.cumsum(is_later, dtype=np.int32)
    count -= np.repeat(count[begins], lengths)
    return count
