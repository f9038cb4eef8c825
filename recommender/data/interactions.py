"""Events with numbered users and items."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.clock import seconds_per_unit, unit_name
from recommender.data.vocabulary import Vocabulary
from recommender.errors import DataError


@dataclass(frozen=True)
class Interactions:
    """Events with numbers for users and items, in the order of the input.

    Attributes:
        users, items: vocabularies of the numbers.
        user_num, item_num: (num_events,) int64.
        rating: (num_events,) float32; None without ratings.
        time: (num_events,) int64, in the unit of the file; without timestamps, the position in the input.
        weight: (num_events,) float32; None if every event counts 1.
        largest_time: the largest absolute timestamp of the whole data set that contains the rows; 0 if it has no
            timestamps. If None, the largest one of the rows counts.
    """

    users: Vocabulary
    items: Vocabulary
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    rating: NDArray[np.float32] | None
    time: NDArray[np.int64]
    weight: NDArray[np.float32] | None = None
    largest_time: int | None = None

    @classmethod
    def from_frame(cls, events: pd.DataFrame) -> "Interactions":
        """Build interactions from a frame of `channels.read_events`; number its users and items."""
        user_num, users = _number_ids(events["user_id"])
        item_num, items = _number_ids(events["item_id"])
        rating, weight = (
            events[name].to_numpy(np.float32) if name in events else None for name in ("rating", "weight")
        )
        if "timestamp" not in events:
            return cls(users, items, user_num, item_num, rating, np.arange(len(events)), weight, largest_time=0)
        time = events["timestamp"].to_numpy(np.int64)
        return cls(users, items, user_num, item_num, rating, time, weight, largest_time=_largest(time))

    def __len__(self) -> int:
        return len(self.user_num)

    def to_frame(self) -> pd.DataFrame:
        """Return the events with their IDs as a frame with the columns of a channel."""
        ids = {"user_id": [*self.users], "item_id": [*self.items]}
        numbers = {"user_id": self.user_num, "item_id": self.item_num}
        columns: dict[str, object] = {
            name: pd.Categorical.from_codes(numbers[name], pd.Index(ids[name], dtype="str")) for name in ids
        }
        columns |= {"rating": self.rating, "weight": self.weight}
        columns["timestamp"] = None if self.largest_time == 0 else self.time
        return pd.DataFrame({name: values for name, values in columns.items() if values is not None})

    @property
    def ratings(self) -> NDArray[np.float32]:
        """The ratings, (num_events,) float32, for code that requires them.

        Raises:
            DataError: the events have no ratings.
        """
        if self.rating is None:
            raise DataError("column 'rating' is missing: expected a rating in every row")
        return self.rating

    @property
    def seconds_per_unit(self) -> float | None:
        """The seconds per unit of `time`; None if times are only an order, such as positions."""
        return seconds_per_unit(_largest(self.time) if self.largest_time is None else self.largest_time)

    def where(self, mask: NDArray[np.bool_]) -> "Interactions":
        """Return the rows at which the mask is true, with the same vocabularies and unit of time."""
        return self._take_rows(mask)

    def known(self, events: pd.DataFrame) -> "Interactions":
        """Return the rows of another frame that have a known user and a known item, numbered as in this data set.

        Raises:
            DataError: the times have another unit than those of this data set.
        """
        numbered = Interactions.from_frame(events)
        self._check_unit(numbered.seconds_per_unit, "the other data")
        user_num = self.users.numbers(numbered.users)[numbered.user_num]
        item_num = self.items.numbers(numbered.items)[numbered.item_num]
        translated = replace(numbered, users=self.users, items=self.items, user_num=user_num, item_num=item_num)
        return translated.where((user_num >= 0) & (item_num >= 0))

    def check_unit_of(self, events: pd.DataFrame, name: str) -> None:
        """Check that the timestamps of another frame have the same unit; pass if one of the two has no timestamps.

        Raises:
            DataError: the units differ.
        """
        if "timestamp" in events and self.largest_time != 0:
            self._check_unit(seconds_per_unit(_largest(events["timestamp"].to_numpy(np.int64))), name)

    def with_items(self, ids: Iterable[str]) -> "Interactions":
        """Add items to the catalogue, renumber all items, and return the same events."""
        known = list(self.items)
        items = sorted({*known, *ids})
        number = {item_id: place for place, item_id in enumerate(items)}
        moved = np.fromiter((number[item_id] for item_id in known), np.int64, len(known))
        return replace(self, items=Vocabulary.from_sorted(items), item_num=moved[self.item_num])

    def without_duplicates(self, keep: Literal["keep", "first", "last", "mean"]) -> "Interactions":
        """Return one row for each pair of user and item; all rows if `keep` is "keep". O(n log n).

        "first" and "last" compare time, then rating (as in `prepare.steps`), then weight, then the order of the input.
        "mean" is the mean of the ratings, with the position, time and weight of the last row. Without ratings, "mean"
        is "last". The rows stay in the order of the input.
        """
        if keep == "keep":
            return self
        ties = [column for column in (self.weight, self.rating) if column is not None]
        order, begins, ends = self._by_pair(*ties, self.time)
        kept = order[begins] if keep == "first" else order[ends]
        rating = self.rating
        if keep == "mean" and rating is not None:
            length = np.flatnonzero(ends) - np.flatnonzero(begins) + 1
            sums = np.add.reduceat(rating[order].astype(np.float64), np.flatnonzero(begins))
            rating = rating.copy()
            rating[kept] = sums / length
        mask = np.zeros(len(self), bool)
        mask[kept] = True
        return replace(self, rating=rating).where(mask)

    def pairs(self) -> "Interactions":
        """Return the latest event of each pair of user and item, sorted by user, time and item; O(n log n).

        If times are equal, the later row counts as the latest. The weight is the largest one of the pair.
        """
        if not len(self):
            return self
        order, begins, ends = self._by_pair(self.time)
        latest, weight = order[ends], self.weight
        if weight is not None:
            largest = np.maximum.reduceat(weight[order], np.flatnonzero(begins))
            weight = np.empty_like(weight)
            weight[latest] = largest
        del order, begins, ends
        # `latest` is in the order of users and items.
        rows = latest[np.lexsort((self.time[latest], self.user_num[latest]))]
        return replace(self, weight=weight)._take_rows(rows)

    def _by_pair(self, *keys: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Sort the rows by user, item and keys (the last key first); also mark where each pair begins and ends."""
        pair = self.user_num * len(self.items) + self.item_num  # one key sorts faster than two
        order = np.lexsort((*keys, pair))
        pair = pair[order]
        same = pair[1:] == pair[:-1]
        edge = np.ones(min(1, len(order)), bool)
        return order, np.append(edge, ~same), np.append(~same, edge)

    def _take_rows(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Interactions":
        return Interactions(
            self.users,
            self.items,
            self.user_num[rows],
            self.item_num[rows],
            None if self.rating is None else self.rating[rows],
            self.time[rows],
            None if self.weight is None else self.weight[rows],
            _largest(self.time) if self.largest_time is None else self.largest_time,
        )

    def _check_unit(self, unit: float | None, other: str) -> None:
        if unit != self.seconds_per_unit:
            raise DataError(
                f"expected times in one unit, got {unit_name(self.seconds_per_unit)} in the training data and "
                f"{unit_name(unit)} in {other}: give both timestamps in the same unit, or none"
            )


def _largest(time: NDArray[np.int64]) -> int:
    return int(np.abs(time).max(initial=0))


def _number_ids(ids: "pd.Series[str]") -> tuple[NDArray[np.int64], Vocabulary]:
    first_seen, distinct = pd.factorize(ids)
    names = np.asarray(distinct, dtype=object)
    order = np.argsort(names, kind="stable")
    number = np.empty(len(names), np.int64)
    number[order] = np.arange(len(names))
    return number[first_seen], Vocabulary.from_sorted(names[order])
