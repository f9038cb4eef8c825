"""The names of an evaluation's metrics. Launching a job imports this module, so it does not import pandas."""

from collections.abc import Iterable

DEPTH = 100  # number of recommendations per test item; an item below them counts as a miss
CUTS = (5, 10, DEPTH)  # the k of hit rate, NDCG and MRR
LISTED = 10  # number of recommendations for coverage, Gini index and novelty
FINAL, PAPER = "test", "paper"  # prefixes of the metrics of the final order and of the paper's pipeline
NUM_TARGETS = "num_targets"

# The metrics of an order of the items, the most informative first.
OF_ORDER = (
    *("hit_rate_at_10", "ndcg_at_10", "hit_rate_at_100", "mrr_at_10", "hit_rate_at_5", "ndcg_at_100"),
    *("coverage_at_10", "gini_at_10", "novelty_at_10", "ndcg_at_5", "mrr_at_5", "mrr_at_100"),
)


def metric_names(orders: Iterable[str]) -> list[str]:
    """Return the names of an evaluation's metrics, without intervals and counts, the most informative first.

    Args:
        orders: prefixes of the metrics of all orders but the final one.
    """
    others = list(orders)
    return [
        "test_rmse",
        *(f"{FINAL}_{metric}" for metric in OF_ORDER),
        *(f"{order}_{metric}" for metric in OF_ORDER for order in others),
    ]


def validation_name(order: str) -> str:
    """Return the name of the metric of `final` or a source on held-out targets inside the training data."""
    return f"validation_{order}_ndcg_at_{DEPTH}"
