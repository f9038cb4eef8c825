"""A request in the form that sources and features take."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recommender.data.clock import SESSION_SECONDS
from recommender.data.histories import Histories, History

SECONDS_PER_DAY = 86_400
FEW = 16  # one of this many items is few
FEW_EXCLUDED, MANY_EXCLUDED = 16, 1_000
NO_ITEMS = np.empty(0, np.int32)
NO_EVENTS = History(NO_ITEMS, np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.float32))


class Visits(NamedTuple):
    """The latest event of each item of a history, oldest first, (n,) each.

    Attributes:
        item_num: int32, each once.
        steps_back: float64, the number of distinct later times in the history.
        days_back: float64, days to the newest event of the history; 0 if times are only an order.
        weight: float64, of the event.
        in_session: bool, whether the event belongs to the session of the request.
    """

    item_num: NDArray[np.int32]
    steps_back: NDArray[np.float64]
    days_back: NDArray[np.float64]
    weight: NDArray[np.float64]
    in_session: NDArray[np.bool_]


class Allowed:
    """The items that the rules of a request allow.

    Attributes:
        mask: (num_items,) bool.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.mask = mask

    @cached_property
    def item_num(self) -> NDArray[np.int64]:
        """The allowed items, (n,) int64, ascending."""
        return np.flatnonzero(self.mask)

    @cached_property
    def are_few(self) -> bool:
        """Whether it is faster to look at the allowed items alone than at the whole catalogue."""
        return int(np.count_nonzero(self.mask)) * FEW < len(self.mask)


@dataclass(frozen=True)
class Query:
    """A user, the user's history, and the items that may be recommended.

    Attributes:
        user_num: the user's row in training; None for an unknown user.
        history: the known events, then those of the request, oldest first.
        has_clock: whether times are seconds; else they are only an order.
        has_new_events: whether the request has events that are not in the training data.
        exclude: item numbers to leave out.
        allowed: the items that rules allow; None: all. `exclude` counts as well.
        now: the time of the request, in seconds from the newest event of the data; None: not before that event.
        in_session: whether the request is made within the session of the history's newest event; else it begins a
            session. Always false if times are only an order.
        memo: intermediate results of the sources for this query.
    """

    user_num: int | None = None
    history: History = NO_EVENTS
    has_clock: bool = False
    has_new_events: bool = False
    exclude: NDArray[np.integer] = field(default_factory=lambda: NO_ITEMS)
    allowed: Allowed | None = None
    now: int | None = None
    in_session: bool = False
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_known(
        cls, histories: Histories, user_num: int, *, now: int | None = None, as_of_history: bool = False
    ) -> Self:
        """Return the query of a known user without new events, who has seen the history.

        Args:
            histories: of all users.
            user_num: the user.
            now: the time of the request, in seconds from the newest event of the data. The request is made within the
                session of the user's newest event if less than `SESSION_SECONDS` lie between them. None: after all
                training data, and it begins a session.
            as_of_history: without `now`, whether nothing counts that is later than the user's newest event.
        """
        history, has_clock = histories.of(user_num), histories.newest is not None
        if not has_clock or not len(history.time):
            return cls(user_num, history, has_clock, False, history.item_num)
        newest = int(history.time[-1])
        in_session = now is not None and abs(now - newest) < SESSION_SECONDS
        then = newest if now is None and as_of_history else now
        return cls(user_num, history, has_clock, False, history.item_num, now=then, in_session=in_session)

    def without_memo(self) -> Self:
        """Return the same query without intermediate results, for sources that are fitted anew."""
        return replace(self, memo={"visits": self.visits})

    def restricted(self, mask: NDArray[np.bool_]) -> Self:
        """Return the query with only those of the allowed items that are in a mask, (num_items,) bool."""
        return replace(self, allowed=Allowed(mask if self.allowed is None else self.allowed.mask & mask))

    def without(self, item_num: NDArray[np.integer]) -> Self:
        """Return the query without some more items."""
        if len(item_num) <= MANY_EXCLUDED or self.allowed is None:
            return replace(self, exclude=np.concatenate([self.exclude, item_num]))
        mask = self.allowed.mask.copy()
        mask[item_num] = False
        return replace(self, allowed=Allowed(mask))

    def allows(self, item_num: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of some items may be recommended, (n,) bool."""
        if len(self.exclude) <= FEW_EXCLUDED:  # comparing all with all is faster than sorting
            found = ~(item_num == self.exclude[:, None]).any(axis=0)
        else:
            found = ~np.isin(item_num, self.exclude)
        return found if self.allowed is None else found & self.allowed.mask[item_num]

    @property
    def item_num(self) -> NDArray[np.int32]:
        """The items of the history, (n,) int32, oldest first."""
        return self.history.item_num

    @property
    def rating(self) -> NDArray[np.float32]:
        """The ratings of the history, (n,) float32; NaN for an event without one."""
        return self.history.rating

    @property
    def visits(self) -> Visits:
        """The latest event of each item."""
        found: Visits | None = self.memo.get("visits")
        if found is None:
            found = self.memo["visits"] = self._visits()
        return found

    def _visits(self) -> Visits:
        item_num, _, time, weight = self.history
        if not len(item_num):
            return Visits(item_num, np.empty(0), np.empty(0), np.empty(0), np.empty(0, bool))
        rows = np.arange(len(item_num))
        _, last = np.unique(item_num[::-1], return_index=True)
        if len(last) < len(rows):
            rows = np.sort(len(rows) - 1 - last)
        later = np.cumsum(np.append(False, time[1:] != time[:-1]))[rows]
        time = time[rows].astype(np.float64)
        days = (time[-1] - time) / SECONDS_PER_DAY if self.has_clock else np.zeros(len(rows))
        steps = (later[-1] - later).astype(np.float64)
        return Visits(item_num[rows], steps, days, weight[rows].astype(np.float64), self._is_in_session(time))

    def _is_in_session(self, time: NDArray[np.number]) -> NDArray[np.bool_]:
        if not self.in_session:
            return np.zeros(len(time), bool)
        ends = np.flatnonzero(np.diff(time) >= SESSION_SECONDS)
        return np.arange(len(time)) > (ends[-1] if len(ends) else -1)
