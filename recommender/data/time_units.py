"""Detect several units of time in one channel, such as seconds next to milliseconds, or zeros for missing times."""

import numpy as np
from numpy.typing import NDArray

from recommender.common.output import say
from recommender.data.clock import NANOSECOND, UNITS, unit_name
from recommender.data.columns import Rows

BOUNDS = np.array([bound for bound, _ in UNITS])
SECONDS = [*(seconds for _, seconds in UNITS), NANOSECOND]  # seconds per unit, for each range of times


class TimeUnits:
    """Counts of the numeric times of a channel, by the unit that each time alone seems to have."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(SECONDS), np.int64)
        self._first: dict[int, str] = {}  # unit -> its first time and where it is

    def add(self, times: NDArray[np.int64], rows: Rows) -> None:
        """Count the times of some rows."""
        unit = np.digitize(np.abs(times), BOUNDS)
        counts = np.bincount(unit, minlength=len(SECONDS))
        for number in np.flatnonzero(counts).tolist():
            row = int(np.argmax(unit == number))
            self._first.setdefault(number, f"{times[row]} in {rows.location(row)}")
        self._counts += counts

    def say_units(self) -> None:
        """Print whether times are only an order, and how many seem to have another unit than the largest time.

        The unit of the largest time applies to all times.
        """
        *others, largest = sorted(self._first) or [0]
        if SECONDS[largest] is None and largest in self._first:
            say(
                "the times are only an order, without days and sessions: none is as large as a Unix time since 1973; "
                f"the first is {self._first[largest]}; write dates as 2018-01-10"
            )
        for number in others:
            say(
                f"{self._counts[number]:,} of {self._counts.sum():,} times look like {unit_name(SECONDS[number])}, the "
                f"first is {self._first[number]}: all are read as {unit_name(SECONDS[largest])}, the unit of the "
                "largest time; if that is wrong, convert all times to one unit"
            )
