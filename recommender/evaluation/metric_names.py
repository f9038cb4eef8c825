"""The names of an evaluation's metrics; no pandas here, since launching a job imports this module."""

from collections.abc import Iterable

DEPTH = 100  # recommendations among which a test item is searched
CUTS = (5, 10, DEPTH)  # of hit rates


def metric_names(sources: Iterable[str]) -> list[str]:
    """Return the metrics that an evaluation of these sources prints for SageMaker, without intervals and counts."""
    names = ["test_rmse", *(f"test_hit_rate_at_{k}" for k in CUTS), "test_ndcg_at_10"]
    return names + [f"{source}_hit_rate_at_{k}" for source in sources for k in CUTS]
