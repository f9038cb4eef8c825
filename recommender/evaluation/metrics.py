"""Metrics of predicted ratings."""

import numpy as np
from numpy.typing import NDArray


def rmse(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Return the root mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - actual) ** 2)))


def mae(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - actual)))
