"""The names of what an evaluation measures; without pandas, since launching a job needs them too."""

from collections.abc import Iterable

DEPTH = 100  # how far down the recommendations a test item is looked for
CUTS = (5, 10, DEPTH)  # of hit rates


def metric_names(sources: Iterable[str]) -> list[str]:
    """Return the metrics that an evaluation of these sources prints for SageMaker, without intervals and counts."""
    names = ["test_rmse", *(f"test_hit_rate_at_{k}" for k in CUTS), "test_ndcg_at_10"]
    return names + [f"{source}_hit_rate_at_{k}" for source in sources for k in CUTS]
