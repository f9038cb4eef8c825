"""The names of an evaluation's metrics; no pandas here, since launching a job imports this module."""

from collections.abc import Iterable

DEPTH = 100  # recommendations among which a test item is searched
CUTS = (5, 10, DEPTH)  # of hit rate, NDCG and MRR
LISTED = 10  # recommendations whose coverage, Gini index and novelty are measured
FINAL, PAPER = "test", "paper"  # prefixes of the metrics of the final order, and of the paper's pipeline
NUM_TARGETS = "num_targets"

# The metrics of an order of the items, those that say most first.
OF_ORDER = (
    *("hit_rate_at_10", "ndcg_at_10", "hit_rate_at_100", "mrr_at_10", "hit_rate_at_5", "ndcg_at_100"),
    *("coverage_at_10", "gini_at_10", "novelty_at_10", "ndcg_at_5", "mrr_at_5", "mrr_at_100"),
)


def metric_names(orders: Iterable[str]) -> list[str]:
    """Return the metrics that an evaluation prints, without intervals and counts, those that say most first.

    Args:
        orders: the prefixes of the metrics of other orders than the final one.
    """
    others = list(orders)
    return [
        "test_rmse",
        *(f"{FINAL}_{metric}" for metric in OF_ORDER),
        *(f"{order}_{metric}" for metric in OF_ORDER for order in others),
    ]


def validation_name(order: str) -> str:
    """Return the metric of an order on the held-out targets inside the training data: `final` or a source."""
    return f"validation_{order}_ndcg_at_{DEPTH}"
