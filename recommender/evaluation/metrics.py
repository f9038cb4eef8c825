"""Figures of rating prediction and of ranking, and how they are printed for SageMaker to read.

Every test row is one event with one relevant item; `rank` is that item's place in the
recommendations, 0 the first, and `NOT_RANKED` where it is not among them.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

NOT_RANKED = np.iinfo(np.int64).max

# What a training job prints as `name=value;` and SageMaker may read as a metric (contract T21).
METRIC_NAMES = (
    "validation_rmse",
    "test_rmse",
    "test_hit_rate_at_5",
    "test_hit_rate_at_10",
    "test_hit_rate_at_100",
    "test_ndcg_at_10",
    "popularity_hit_rate_at_5",
    "popularity_hit_rate_at_10",
    "popularity_hit_rate_at_100",
)


def metric_definitions() -> list[dict[str, str]]:
    """`MetricDefinitions` of a SageMaker training job: the name and the regular expression of each metric."""
    number = r"([-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)"
    return [{"Name": name, "Regex": rf"\b{re.escape(name)}={number};"} for name in METRIC_NAMES]


def metric_lines(values: Mapping[str, float | int]) -> list[str]:
    """`name=value;` for each."""
    return [f"{name}={value if isinstance(value, int) else format(value, '.6g')};" for name, value in values.items()]


def rmse(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - actual) ** 2)))


def mae(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - actual)))


def hit_rate_at_k(rank: NDArray[np.int64], k: int) -> float:
    """Share of the events whose item is among the first k."""
    return float(np.mean(rank < k))


def ndcg_at_k(rank: NDArray[np.int64], k: int) -> float:
    """Mean of 1 / log2(rank + 2) where the item is among the first k: NDCG with one relevant item."""
    hit = rank < k
    return float(np.mean(np.where(hit, 1 / np.log2(np.where(hit, rank, 0) + 2.0), 0)))


def interval(values: NDArray[np.floating], resamples: int = 2_000) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of `values`; the same values give the same interval.

    For a paired comparison of two models pass the differences, row by row.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    generator = np.random.default_rng(0)
    result = bootstrap((values,), np.mean, n_resamples=resamples, batch=100, method="percentile", rng=generator)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
