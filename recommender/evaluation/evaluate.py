"""A test channel -> figures of the very recommendations that the server gives."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.strings import Vocabulary
from recommender.evaluation.metrics import NOT_RANKED, hit_rate_at_k, interval, ndcg_at_k, rmse
from recommender.models.factors import Factors
from recommender.pipeline import Recommender
from recommender.recall.popularity import Popularity

DEPTH = 100  # how far down the recommendations a test item is looked for
CUTS = (5, 10, DEPTH)  # of hit rates

Metrics = dict[str, float | int | list[float]]
Progress = Callable[[Any], Iterable[Any]]
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Every row of a test channel and what was measured on it, (n,) each.

    A rank is the place of the row's item, from 0, or `NOT_RANKED`.

    Attributes:
        test: as `channels.read_ratings` returns it.
        user_num, item_num: int64; -1 where the model does not know them.
        predicted: float64, not clipped.
        rank: in the final order.
        recall_rank: in the order of recall, before the rerank.
        popular_rank: in the popular items.
    """

    test: pd.DataFrame
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    predicted: NDArray[np.float64]
    rank: Ranks
    recall_rank: Ranks
    popular_rank: Ranks

    def __len__(self) -> int:
        return len(self.test)

    @property
    def rating(self) -> NDArray[np.float64]:
        """What was rated, (n,) float64."""
        return self.test["rating"].to_numpy(np.float64)

    @property
    def squared_error(self) -> NDArray[np.float64]:
        """Of each prediction, (n,) float64."""
        return (self.predicted - self.rating) ** 2

    def metrics(self) -> Metrics:
        """The figures of metrics.json.

        `test_hit_rate_at_5` and `_10` and `test_ndcg_at_10` go by the final order, `test_hit_rate_at_100` by recall.
        """
        low, high = interval(self.squared_error)
        return {
            "test_rmse": rmse(self.predicted, self.rating),
            "test_rmse_interval": [low**0.5, high**0.5],
            **{f"test_hit_rate_at_{k}": hit_rate_at_k(self.rank, k) for k in CUTS},
            "test_hit_rate_at_10_interval": list(interval((self.rank < 10).astype(float))),
            "test_ndcg_at_10": ndcg_at_k(self.rank, 10),
            **{f"popularity_hit_rate_at_{k}": hit_rate_at_k(self.popular_rank, k) for k in CUTS},
            "num_test_ratings": len(self),
            "num_test_unknown_users": int((self.user_num < 0).sum()),
            "num_test_unknown_items": int((self.item_num < 0).sum()),
        }


def evaluate(recommender: Recommender, test: pd.DataFrame, progress: Progress = iter) -> Rows:
    """Measure on every row of `test`, over the whole catalogue, unknown users and items included.

    A row whose item the model does not know, or whose item is in the user's own history (those are left
    out of the recommendations), counts as a miss.

    Args:
        recommender: a loaded model.
        test: as `channels.read_ratings` returns it.
        progress: wraps the users that are gone through.
    """
    model = recommender.model
    predicted = predicted_ratings(model.users, model.items, model.factors, test)
    user_num, item_num = model.users.numbers(test["user_id"]), model.items.numbers(test["item_id"])
    ranks = _ranks(recommender, test["user_id"].to_numpy(), user_num, item_num, progress)
    return Rows(test, user_num, item_num, predicted, *ranks)


def predicted_ratings(
    users: Vocabulary, items: Vocabulary, factors: Factors, ratings: pd.DataFrame
) -> NDArray[np.float64]:
    """The prediction for each row's user and item, (n,) float64; see `Factors.predict`."""
    return factors.predict(users.numbers(ratings["user_id"]), items.numbers(ratings["item_id"]))


def _ranks(
    recommender: Recommender,
    user_ids: NDArray[np.object_],
    user_num: NDArray[np.int64],
    item_num: NDArray[np.int64],
    progress: Progress,
) -> tuple[Ranks, Ranks, Ranks]:
    """Where each row's item stands in the final order, in that of recall and in the popular items."""
    model = recommender.model
    popularity = Popularity(model.item_count)
    ranks = np.full((3, len(user_ids)), NOT_RANKED)
    rows_of_user = pd.Series(np.arange(len(user_ids))).groupby(user_ids, sort=False).indices
    for user_id, rows in progress(rows_of_user.items()):
        seen = model.histories.of(user_num[rows[0]])[0] if user_num[rows[0]] >= 0 else None
        orders = (*recommender.orders(user_id, DEPTH), popularity.top(DEPTH, seen)[0])
        ranks[:, rows] = [places(order, item_num[rows]) for order in orders]
    return ranks[0], ranks[1], ranks[2]


def places(order: NDArray[np.int64], item_num: NDArray[np.int64]) -> Ranks:
    """Where each item stands in an order of items, from 0, `NOT_RANKED` where it does not: (len(item_num),)."""
    found = {number: position for position, number in enumerate(order.tolist())}
    return np.array([found.get(number, NOT_RANKED) for number in item_num.tolist()], np.int64)
