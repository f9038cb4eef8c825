"""Metrics of predicted ratings with intervals, for one model or for two models on the same rows.

Errors are `(seeds, n)` float64: one row per fit of a model, one column per rating. An estimate is the mean over the
fits. Its interval is a bootstrap over the ratings. All fits and models use the same resampled ratings.
"""

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.intervals import Estimate, Statistic, estimate

Errors = NDArray[np.float64]


def rmse_estimate(errors: Errors) -> Estimate:
    """Return the root mean squared error with its interval."""
    return _estimate(_rmse_of(errors), errors)


def mae_estimate(errors: Errors) -> Estimate:
    """Return the mean absolute error with its interval."""
    size = np.abs(errors).mean(axis=0)
    return _estimate(lambda rows: size[rows].mean(axis=-1), errors)


def rmse_difference(one: Errors, other: Errors) -> Estimate:
    """Return the RMSE of one model minus the RMSE of another on the same ratings.

    If the interval contains 0, the difference may be noise.

    Raises:
        ValueError: the numbers of ratings differ.
    """
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"errors: expected both on the same ratings, got {one.shape[1]} and {other.shape[1]}")
    first, second = _rmse_of(one), _rmse_of(other)
    return _estimate(lambda rows: first(rows) - second(rows), np.concatenate([one, other]))


def _rmse_of(errors: Errors) -> Statistic:
    squared = errors**2
    return lambda rows: np.sqrt(squared[:, rows].mean(axis=-1)).mean(axis=0)


def _estimate(statistic: Statistic, errors: Errors) -> Estimate:
    return estimate(statistic, errors.shape[1], len(errors))
