"""Times of several units in one channel: seconds beside milliseconds, or zeros for times that are missing."""

import numpy as np
from numpy.typing import NDArray

from recommender.common.output import say
from recommender.data.clock import NANOSECOND, UNITS, unit_name
from recommender.data.columns import Rows

BOUNDS = np.array([bound for bound, _ in UNITS])
SECONDS = [*(seconds for _, seconds in UNITS), NANOSECOND]  # in one unit of each range of numbers


class TimeUnits:
    """Counts the times of a channel that are numbers, by the unit that each alone seems to have."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(SECONDS), np.int64)
        self._first: dict[int, str] = {}  # where the first time of a unit is, and what it is

    def add(self, times: NDArray[np.int64], rows: Rows) -> None:
        """Count the times of some rows."""
        unit = np.digitize(np.abs(times), BOUNDS)
        counts = np.bincount(unit, minlength=len(SECONDS))
        for number in np.flatnonzero(counts).tolist():
            row = int(np.argmax(unit == number))
            self._first.setdefault(number, f"{times[row]} in {rows.row(row)}")
        self._counts += counts

    def say_what_they_mean(self) -> None:
        """Print whether times are only an order, and how many seem to have another unit than the largest time.

        The unit of the largest time counts for all.
        """
        *others, largest = sorted(self._first) or [0]
        if SECONDS[largest] is None and largest in self._first:
            say(
                f"the times are only an order, without days and sessions: the first is {self._first[largest]}, and "
                "none is as large as a time since 1973; write dates as 2018-01-10"
            )
        for number in others:
            say(
                f"{self._counts[number]:,} of {self._counts.sum():,} times look like {unit_name(SECONDS[number])}, the "
                f"first is {self._first[number]}: all are taken as {unit_name(SECONDS[largest])}, the unit of the "
                "largest time; if they differ, give all times in one unit"
            )
