"""Metrics of the recommendations of any recommender, over the full catalogue: no sampled negatives.

Recommendations are item numbers, `(n, depth)` int64, best first, padded with -1. Relevant items are one array of item
numbers per user. They were held out from the data that the recommender was fitted to. Accuracy metrics have one
value per user. So their mean has an interval, and two recommenders can be compared user by user.

Source: trec_eval (Success, P, recall, ndcg_cut, map_cut, recip_rank), with binary relevance. Novelty is mean
self-information (Vargas and Castells 2011), in bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.intervals import Estimate, mean_estimate

NO_ITEM = -1  # padding of recommendations
NOT_RANKED = np.iinfo(np.int64).max  # the rank of an item that is not recommended
Items = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rankings:
    """The positions of the relevant items among the recommendations.

    Attributes:
        hits: (n, depth) bool, whether the item at this position is relevant for this user.
        relevant_count: (n,) int64, number of relevant items of each user, at least one.
    """

    hits: NDArray[np.bool_]
    relevant_count: NDArray[np.int64]

    @classmethod
    def of(cls, recommended: Items, relevant: Sequence[Items]) -> "Rankings":
        """Build from recommendations and relevant items.

        Raises:
            ValueError: the numbers of users differ or are 0, items are not integers, a user has no relevant items, or
                a user gets an item twice.
        """
        if not len(recommended):
            raise ValueError("recommended: expected at least one user, got none: is the test part of the split empty?")
        if not np.issubdtype(recommended.dtype, np.integer):
            raise ValueError(f"recommended: expected item numbers (integers), got {recommended.dtype}")
        if len(recommended) != len(relevant):
            raise ValueError(f"relevant: expected one array for each of {len(recommended)} users, got {len(relevant)}")
        counts = np.array([len(np.unique(items)) for items in relevant], np.int64)
        if (counts == 0).any():
            raise ValueError(f"relevant: expected at least one item for every user, user {counts.argmin()} has none")
        ordered = np.sort(recommended, axis=1)
        twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)).any(axis=1)
        if twice.any():
            raise ValueError(f"recommended: expected different items, user {twice.argmax()} has an item twice")
        hits = [np.isin(row, items) & (row != NO_ITEM) for row, items in zip(recommended, relevant, strict=True)]
        return cls(np.array(hits, bool).reshape(recommended.shape), counts)

    @classmethod
    def of_ranks(cls, rank: NDArray[np.int64], depth: int) -> "Rankings":
        """Build from the position of each event's single relevant item, (n,), from 0, or `NOT_RANKED`."""
        hits = np.zeros((len(rank), depth), bool)
        found = np.flatnonzero(rank < depth)
        hits[found, rank[found]] = True
        return cls(hits, np.ones(len(rank), np.int64))

    def hit_rate(self, k: int) -> Values:
        """Return 1 for each user with a relevant item among the first k, else 0."""
        return np.asarray(self.hits[:, :k].any(axis=1), np.float64)

    def precision(self, k: int) -> Values:
        """Return the share of relevant items among the first k."""
        return np.asarray(self.hits[:, :k].sum(axis=1) / k)

    def recall(self, k: int) -> Values:
        """Return the share of all relevant items that is among the first k."""
        return np.asarray(self.hits[:, :k].sum(axis=1) / self.relevant_count)

    def ndcg(self, k: int) -> Values:
        """Return the discounted gain 1 / log2(position + 1) of the first k, as a share of its maximum."""
        gains = 1 / np.log2(np.arange(2, k + 2))
        best = np.cumsum(gains)[np.minimum(self.relevant_count, k) - 1]
        hits = self.hits[:, :k]
        return np.asarray(hits @ gains[: hits.shape[1]] / best)

    def average_precision(self, k: int) -> Values:
        """Return the mean, over the relevant items, of the precision at their position; 0 for items after k."""
        hits = self.hits[:, :k]
        precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        return (hits * precision).sum(axis=1) / self.relevant_count

    def reciprocal_rank(self, k: int) -> Values:
        """Return 1 / position of the first relevant item; 0 if it is after k."""
        hits = self.hits[:, :k]
        return np.asarray(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0))


ACCURACY = {
    "hit_rate": Rankings.hit_rate,
    "precision": Rankings.precision,
    "recall": Rankings.recall,
    "ndcg": Rankings.ndcg,
    "map": Rankings.average_precision,
    "mrr": Rankings.reciprocal_rank,
}


def accuracy(recommended: Items, relevant: Sequence[Items], k: int) -> dict[str, Estimate]:
    """Return every metric of `ACCURACY` at k with its interval.

    Raises:
        ValueError: see `Rankings.of`.
    """
    rankings = Rankings.of(recommended, relevant)
    return {name: mean_estimate(values(rankings, k)) for name, values in ACCURACY.items()}


def coverage(recommended: NDArray[np.integer], item_count: int) -> float:
    """Return the share of the catalogue that at least one user gets. Raise ValueError if `item_count` is too small."""
    if recommended.max(initial=NO_ITEM) >= item_count:
        raise ValueError(
            f"item_count: expected more than the largest item number {recommended.max()}, got {item_count}"
        )
    return len(np.unique(recommended[recommended != NO_ITEM])) / item_count


def gini(recommended: NDArray[np.integer], item_count: int) -> float:
    """Return the inequality of recommendations over items: 0 if all get equally many, near 1 if one gets all."""
    shown = np.sort(np.bincount(recommended[recommended != NO_ITEM], minlength=item_count))
    if not shown.any():
        return 0.0
    ranks = np.arange(1, item_count + 1)
    return float(((2 * ranks - item_count - 1) @ shown) / (item_count * shown.sum()))


def novelty(recommended: NDArray[np.integer], ratings_of_item: NDArray[np.int64], user_count: int) -> float:
    """Return the mean of -log2(share of users who rated the item), in bits. An item without raters counts one rater."""
    items = recommended[recommended != NO_ITEM]
    share = np.maximum(ratings_of_item[items], 1) / user_count
    return float(-np.log2(share).mean()) if len(items) else 0.0


def mean_popularity(recommended: Items, ratings_of_item: NDArray[np.int64]) -> float:
    """Return the mean number of ratings of the recommended items."""
    items = recommended[recommended != NO_ITEM]
    return float(ratings_of_item[items].mean()) if len(items) else 0.0


def ranks_in(order: Items, item_num: Items) -> Items:
    """Return the position of each item in an order, (len(item_num),), from 0; `NOT_RANKED` if it is absent."""
    found = {number: position for position, number in enumerate(order.tolist())}
    return np.array([found.get(number, NOT_RANKED) for number in item_num.tolist()], np.int64)
