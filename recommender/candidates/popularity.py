"""Popular items: of all time, or recently, as of the time of the request."""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.candidates.base import Axis, Candidates, Role, Source
from recommender.candidates.topk import first_allowed, top_k
from recommender.components.base import LARGEST_SUM, Array, Arrays, Reason, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import SECONDS_PER_DAY, Query
from recommender.data.options import SharedOptions

POPULAR = "popular"
MAX_PERIODS = 1_000
TREND_HALF_LIFE = 7.0  # days
FIRST = 4_000  # items that are sorted as of an earlier time
HALF_LIVES = (0.0, 7.0, 30.0, 90.0, 365.0)
NAMES = ((2, "today"), (10, "this week"), (60, "this month"), (200, "this quarter"), (1000, "this year"))  # days


class PopularityOptions(SharedOptions):
    """The options of popularity."""

    half_life: float = Field(
        0.0, ge=0, le=1e6, description="days after which an event counts half in popularity; 0: all count alike"
    )


class Popularity(Source):
    """Items by number of events, ties by item number; the score is the share of the largest number.

    Events are counted by period, so that a request can be made as of an earlier time. Periods end at the newest event
    of the data and are at least a day; an earlier time sees the periods that ended until then, and nothing later.
    """

    name = "popularity"
    default_roles = (Role.CANDIDATES, Role.FALLBACK)
    prior_weight = 0.2
    Options = PopularityOptions
    origins = {POPULAR: "the popular items, for a user without known events"}
    arrays = {
        "item_count": Array(np.float64, ("items",), 0, LARGEST_SUM),
        "period_offsets": Array(np.int64, ("periods+1",), offsets_of="counts"),
        "period_item_num": Array(np.int32, ("counts",), below="items"),
        "period_count": Array(np.float32, ("counts",), 0, LARGEST_SUM),
    }
    values = ("period_days",)

    def __init__(
        self,
        item_count: NDArray[np.float64],
        period_offsets: NDArray[np.int64],
        period_item_num: NDArray[np.int32],
        period_count: NDArray[np.float32],
        period_days: float,
        options: PopularityOptions,
    ) -> None:
        self._count = item_count
        self._periods = period_offsets, period_item_num, period_count
        self._days, self._options = period_days, options
        self._order = top_k(item_count, len(item_count))
        # Of the latest request as of an earlier time: periods that had ended, counts, and the first items.
        self._earlier: tuple[int, NDArray[np.float64], NDArray[np.int64]] | None = None

    @classmethod
    def fit(cls, context: FitContext, options: PopularityOptions) -> Self:
        """Count the events of every item in every period."""
        data, num_items = context.data, len(context.data.items)
        if not context.has_clock:
            empty = np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
            return cls(np.bincount(data.item_num, data.weight, num_items).astype(np.float64), *empty, 0.0, options)
        days = (int(data.time.max()) - data.time) * ((data.seconds_per_unit or 1) / SECONDS_PER_DAY)
        length = max(1.0, float(days.max()) / MAX_PERIODS)
        last = int(days.max() / length)
        days /= length
        key = (last - days.astype(np.int32)) * np.int64(num_items) + data.item_num  # by period, before the newest event
        del days
        key, count = _counted(key, data.weight)
        period, item_num = np.divmod(key, num_items)
        offsets = np.searchsorted(period, np.arange(last + 2))
        made = cls(np.zeros(num_items), offsets, item_num.astype(np.int32), count, length, options)
        return cls(made._counts(last + 1), offsets, made._periods[1], count, length, options)

    @classmethod
    def choices(cls, context: FitContext, options: PopularityOptions) -> Sequence[Axis]:
        """Return the half-lives, if there is a clock."""
        return [[{"half_life": days} for days in HALF_LIVES]] if context.has_clock else []

    def save(self) -> tuple[Arrays, Values]:
        """Return the counts."""
        offsets, item_num, count = self._periods
        arrays: Arrays = {"period_offsets": offsets, "period_item_num": item_num, "period_count": count}
        return {"item_count": self._count, **arrays}, {"period_days": self._days}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: PopularityOptions) -> Self:
        """Return the source with these counts."""
        offsets, item_num, count = (arrays[f"period_{name}"] for name in ("offsets", "item_num", "count"))
        days, num_periods = float(values["period_days"]), len(offsets) - 1
        if days < (1 if num_periods else 0):
            raise ValueError(f"popularity.period_days: expected the length of the periods, at least 1, got {days:g}")
        if num_periods > MAX_PERIODS + 1:
            raise ValueError(f"popularity.period_offsets: expected at most {MAX_PERIODS + 1:,} periods")
        return cls(arrays["item_count"], offsets, item_num, count, days, options)

    def top(self, query: Query, count: int) -> Candidates:
        """Return the popular items, for any user."""
        counts, order = self._as_of(query.now)
        most = counts[order[0]] or 1.0
        if query.allowed is not None and query.allowed.are_few:
            own = query.allowed.item_num[query.allows(query.allowed.item_num)]
            items = own[top_k(counts[own], count)]
        else:
            if (query.allowed is not None or count + len(query.exclude) > len(order)) and len(order) < len(counts):
                order = top_k(counts, len(counts))
            items = first_allowed(order, count, query)
        return Candidates(items, counts[items] / most, POPULAR)

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the share of the largest number."""
        counts, order = self._as_of(query.now)
        return counts[item_num] / (counts[order[0]] or 1.0)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return that the item is popular, and when."""
        days = self._options.half_life
        when = next((name for limit, name in NAMES if 0 < days <= limit), "")
        return [Reason(text=f"popular {when}".strip())] * len(item_num)

    @cached_property
    def recent(self) -> NDArray[np.float64]:
        """The number of events of each item, decayed with `TREND_HALF_LIFE`; without times, of all time alike."""
        num_periods = len(self._periods[0]) - 1
        if not num_periods:
            return self._count
        options = self._options.model_copy(update={"half_life": TREND_HALF_LIFE})
        return Popularity(np.zeros(len(self._count)), *self._periods, self._days, options)._counts(num_periods)

    def _as_of(self, now: int | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return every item's number of events as of a time, in seconds from the newest event, and the first items.

        Requests of one period share the work, if they follow each other.
        """
        num_periods = len(self._periods[0]) - 1
        if now is None or now >= 0 or not num_periods:
            return self._count, self._order
        ended = max(0, num_periods - int(np.ceil(-now / (self._days * SECONDS_PER_DAY))))
        if self._earlier is None or self._earlier[0] != ended:
            counts = self._counts(ended)
            self._earlier = ended, counts, top_k(counts, FIRST)
        return self._earlier[1], self._earlier[2]

    def _counts(self, ended: int) -> NDArray[np.float64]:
        """Return the decayed counts after a number of periods, (num_items,) float64.

        The counts of the latest request are continued, if it was earlier: O(items) for each period between the two.
        """
        begun, counts = 0, np.zeros(len(self._count))
        if self._earlier is not None and self._earlier[0] <= ended:
            begun, counts = self._earlier[0], self._earlier[1].copy()
        offsets, item_num, count = self._periods
        decay = 2.0 ** (-self._days / self._options.half_life) if self._options.half_life else 1.0
        for period in range(begun, ended):
            own = slice(offsets[period], offsets[period + 1])
            counts *= decay
            counts[item_num[own]] += count[own]
        return counts


def _counted(
    key: NDArray[np.int64], weight: NDArray[np.float32] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the distinct keys, ascending, and the sum of the weights of each; sort `key` in place if all count 1."""
    if weight is None:
        key.sort()
        begins = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        return key[begins], np.diff(np.append(begins, len(key))).astype(np.float32)
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    return key[begins], np.add.reduceat(weight[order], begins, dtype=np.float64).astype(np.float32)
