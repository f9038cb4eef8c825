"""Figures of predicted ratings, of one model or of two on the same rows, with intervals.

Errors are `(seeds, n)` float64: what each of several fits of a model misses each of the n ratings by. A figure is the
mean over the fits; its interval is a 95 % percentile bootstrap over the ratings, the same ones for all fits and models.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from recommender.evaluation.ranking import Figure

RESAMPLES = 2_000
NUMBERS_AT_ONCE = 5_000_000

Errors = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]  # rows (..., n) -> figures (...)


def rmse_figure(errors: Errors) -> Figure:
    """Root mean squared error."""
    return _figure(_rmse_of(errors), errors)


def mae_figure(errors: Errors) -> Figure:
    """Mean absolute error."""
    size = np.abs(errors).mean(axis=0)
    return _figure(lambda rows: size[rows].mean(axis=-1), errors)


def rmse_difference(one: Errors, other: Errors) -> Figure:
    """The RMSE of one model less that of another on the same ratings; noise where the interval holds 0.

    Raises:
        ValueError: they are errors of different numbers of ratings.
    """
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"errors: expected those of the same ratings, got {one.shape[1]} and {other.shape[1]}")
    first, second = _rmse_of(one), _rmse_of(other)
    return _figure(lambda rows: first(rows) - second(rows), np.concatenate([one, other]))


def _rmse_of(errors: Errors) -> Statistic:
    squared = errors**2
    return lambda rows: np.sqrt(squared[:, rows].mean(axis=-1)).mean(axis=0)


def _figure(statistic: Statistic, errors: Errors) -> Figure:
    """The statistic of all rows, and its interval; O(resamples x errors)."""
    rows = np.arange(errors.shape[1])
    value = float(statistic(rows))
    if len(rows) < 2:
        return Figure(value, value, value)
    found = bootstrap(
        (rows,),
        lambda rows, axis: statistic(rows),
        n_resamples=RESAMPLES,
        batch=max(1, NUMBERS_AT_ONCE // errors.size),
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Figure(value, float(found.low), float(found.high))
