"""Estimates: values with a 95 % percentile bootstrap interval. The same values always give the same interval."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
NUMBERS_AT_ONCE = 5_000_000

Values = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], Values]  # rows (..., n) -> statistics (...)


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def estimate(statistic: Statistic, num_rows: int, numbers_per_row: int = 1) -> Estimate:
    """Return the statistic of all rows and its interval over resampled rows.

    The time is O(resamples x rows x numbers_per_row), in batches of `NUMBERS_AT_ONCE` numbers.
    """
    rows = np.arange(num_rows)
    value = float(statistic(rows))
    if num_rows < 2:
        return Estimate(value, value, value)
    from scipy.stats import bootstrap  # this import takes nearly a second

    found = bootstrap(
        (rows,),
        lambda rows, axis: statistic(rows),
        n_resamples=RESAMPLES,
        batch=max(1, NUMBERS_AT_ONCE // (num_rows * numbers_per_row)),
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))


def mean_estimate(values: NDArray[np.floating]) -> Estimate:
    """Return the mean of values and its interval. With differences of two models per row, compare them in pairs."""
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(float(values.mean()), float(values.mean()), float(values.mean()))
    return estimate(lambda rows: np.asarray(values[rows].mean(axis=-1)), len(values))
