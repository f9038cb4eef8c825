"""A request in the form that sources and features take."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recommender.data.histories import Histories, History

SECONDS_PER_DAY = 86_400
NO_ITEMS = np.empty(0, np.int32)
NO_EVENTS = History(NO_ITEMS, np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.float32))


class Visits(NamedTuple):
    """The latest event of each item of a history, oldest first, (n,) each.

    Attributes:
        item_num: int32, each once.
        steps_back: float64, the number of distinct later times in the history.
        days_back: float64, days to the newest event of the history; 0 if times are only an order.
        weight: float64, of the event.
    """

    item_num: NDArray[np.int32]
    steps_back: NDArray[np.float64]
    days_back: NDArray[np.float64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class Query:
    """A user, the user's history, and the items to leave out.

    Attributes:
        user_num: the user's row in training; None for an unknown user.
        history: the known events, then those of the request, oldest first.
        has_clock: whether times are seconds; else they are only an order.
        has_new_events: whether the request has events that are not in the training data.
        exclude: item numbers to leave out.
        now: the time of the request, in seconds from the newest event of the data; None: not before that event.
        memo: intermediate results of the sources for this query.
    """

    user_num: int | None = None
    history: History = NO_EVENTS
    has_clock: bool = False
    has_new_events: bool = False
    exclude: NDArray[np.integer] = field(default_factory=lambda: NO_ITEMS)
    now: int | None = None
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_known(cls, histories: Histories, user_num: int, *, as_of_history: bool = False) -> Self:
        """Return the query of a known user without new events, who has seen the history.

        Args:
            histories: of all users.
            user_num: the user.
            as_of_history: whether the request is made at the time of the user's newest event, so that nothing later
                counts. Else it is made after all training data.
        """
        history, has_clock = histories.of(user_num), histories.newest is not None
        now = int(history.time[-1]) if as_of_history and has_clock and len(history.time) else None
        return cls(user_num, history, has_clock, False, history.item_num, now)

    def anew(self) -> Self:
        """Return the same query without intermediate results, for sources that are fitted anew."""
        return replace(self, memo={"visits": self.visits})

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
            return Visits(item_num, *(np.empty(0) for _ in range(3)))
        rows = np.arange(len(item_num))
        _, last = np.unique(item_num[::-1], return_index=True)
        if len(last) < len(rows):
            rows = np.sort(len(rows) - 1 - last)
        later = np.cumsum(np.append(False, time[1:] != time[:-1]))[rows]
        time = time[rows].astype(np.float64)
        days = (time[-1] - time) / SECONDS_PER_DAY if self.has_clock else np.zeros(len(rows))
        return Visits(item_num[rows], (later[-1] - later).astype(np.float64), days, weight[rows].astype(np.float64))
