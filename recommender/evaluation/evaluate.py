"""A test channel -> figures of the very recommendations that the server gives."""

from collections.abc import Callable, Iterable
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

Metrics = dict[str, float | int | list[float]]
Progress = Callable[[Any], Iterable[Any]]


def evaluate(
    recommender: Recommender,
    test: pd.DataFrame,
    progress: Progress = iter,
) -> Metrics:
    """Measure on every row of `test`, over the whole catalogue, unknown users and items included.

    A row whose item the model does not know, or whose item is in the user's own history (those are left
    out of the recommendations), counts as a miss. `test_hit_rate_at_5` and `_10` and `test_ndcg_at_10`
    go by the final order, `test_hit_rate_at_100` by recall. An RMSE is of ratings that are not clipped.

    Args:
        recommender: a loaded model.
        test: as `channels.read_ratings` returns it.
        progress: wraps the users that are gone through.
    """
    model = recommender.model
    predicted = predicted_ratings(model.users, model.items, model.factors, test)
    user_num, item_num = model.users.numbers(test["user_id"]), model.items.numbers(test["item_id"])
    rating = test["rating"].to_numpy(np.float64)
    low, high = interval((predicted - rating) ** 2)
    rank, popular_rank = _ranks(recommender, test["user_id"].to_numpy(), user_num, item_num, progress)
    return {
        "test_rmse": rmse(predicted, rating),
        "test_rmse_interval": [low**0.5, high**0.5],
        **{f"test_hit_rate_at_{k}": hit_rate_at_k(rank, k) for k in (5, 10, DEPTH)},
        "test_hit_rate_at_10_interval": list(interval((rank < 10).astype(float))),
        "test_ndcg_at_10": ndcg_at_k(rank, 10),
        **{f"popularity_hit_rate_at_{k}": hit_rate_at_k(popular_rank, k) for k in (5, 10, DEPTH)},
        "num_test_ratings": len(test),
        "num_test_unknown_users": int((user_num < 0).sum()),
        "num_test_unknown_items": int((item_num < 0).sum()),
    }


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
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each row's item stands in the final order, and where in the popular items."""
    model = recommender.model
    popularity = Popularity(model.item_count)
    rank, popular_rank = np.full((2, len(user_ids)), NOT_RANKED)
    rows_of_user = pd.Series(np.arange(len(user_ids))).groupby(user_ids, sort=False).indices
    for user_id, rows in progress(rows_of_user.items()):
        place = _places(recommender.ranked_items(user_id, DEPTH))
        seen = model.histories.of(user_num[rows[0]])[0] if user_num[rows[0]] >= 0 else None
        popular = _places(popularity.top(DEPTH, seen)[0])
        for row in rows:
            rank[row] = place.get(int(item_num[row]), NOT_RANKED)
            popular_rank[row] = popular.get(int(item_num[row]), NOT_RANKED)
    return rank, popular_rank


def _places(item_num: NDArray[np.int64]) -> dict[int, int]:
    return {number: position for position, number in enumerate(item_num.tolist())}
