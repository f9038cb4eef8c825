"""A test channel -> metrics of the recommendations that the server returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.components.fit_context import Metrics
from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.metric_names import CUTS, DEPTH
from recommender.evaluation.ranking import NOT_RANKED, Rankings, ranks_in
from recommender.pipeline.recommender import Recommender

Progress = Callable[[Any], Iterable[Any]]
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The rows of a test channel with their measurements, (n,) each.

    A rank is the position of the row's item, from 0, or `NOT_RANKED`.

    Attributes:
        test: as `channels.read_events` returns it.
        user_num, item_num: int64; -1 if the model does not know them.
        predicted: float64, not clipped; None if no source predicts ratings.
        rank: in the final order.
        candidate_rank: among the candidates, before they are ranked.
        source_ranks: in the order of each source, by its name.
    """

    test: pd.DataFrame
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    predicted: NDArray[np.float64] | None
    rank: Ranks
    candidate_rank: Ranks
    source_ranks: Mapping[str, Ranks]

    def __len__(self) -> int:
        return len(self.test)

    @property
    def rating(self) -> NDArray[np.float64] | None:
        """The actual ratings, (n,) float64; None without ratings."""
        return self.test["rating"].to_numpy(np.float64) if "rating" in self.test else None

    @property
    def squared_error(self) -> NDArray[np.float64] | None:
        """The squared error of each prediction, (n,) float64; None without predictions or ratings."""
        predicted, rating = self.predicted, self.rating
        return None if predicted is None or rating is None else (predicted - rating) ** 2

    def metrics(self) -> Metrics:
        """Return the metrics of metrics.json.

        `test_hit_rate_at_5`, `test_hit_rate_at_10` and `test_ndcg_at_10` measure the final order.
        `test_hit_rate_at_100` measures the candidates, and `<source>_hit_rate_at_k` each source alone.
        """
        final = Rankings.of_ranks(self.rank, DEPTH)
        hits = mean_estimate(final.hit_rate(10))
        return {
            **self._rmse(),
            **{f"test_hit_rate_at_{k}": float(final.hit_rate(k).mean()) for k in CUTS},
            "test_hit_rate_at_10_interval": [hits.low, hits.high],
            "test_ndcg_at_10": float(final.ndcg(10).mean()),
            **{
                f"{name}_hit_rate_at_{k}": float(Rankings.of_ranks(rank, DEPTH).hit_rate(k).mean())
                for name, rank in self.source_ranks.items()
                for k in CUTS
            },
            "num_test_ratings": len(self),
            "num_test_unknown_users": int((self.user_num < 0).sum()),
            "num_test_unknown_items": int((self.item_num < 0).sum()),
        }

    def _rmse(self) -> Metrics:
        if self.squared_error is None:
            return {}
        error = rmse_of_squares(self.squared_error)
        return {"test_rmse": error.value, "test_rmse_interval": [error.low, error.high]}


def rmse_of_squares(squared_error: NDArray[np.float64]) -> Estimate:
    """Return the root of the mean of squared errors, with its interval."""
    mean = mean_estimate(squared_error)
    return Estimate(float(np.sqrt(np.mean(squared_error))), mean.low**0.5, mean.high**0.5)


def evaluate(recommender: Recommender, test: pd.DataFrame, progress: Progress = iter) -> Rows:
    """Measure on every row of `test`, over the whole catalogue, unknown users and items included.

    A row counts as a miss if the model does not know its item, or if the item is in the user's own history
    (which is left out of the recommendations).

    Args:
        recommender: a loaded model.
        test: as `channels.read_events` returns it.
        progress: wraps the iteration over the users.
    """
    model = recommender.model
    user_num, item_num = model.users.numbers(test["user_id"]), model.items.numbers(test["item_id"])
    predicted = recommender.predict_pairs(user_num, item_num)
    ranks = {name: np.full(len(test), NOT_RANKED) for name in ("final", "candidates", *model.sources)}
    rows_of_user = pd.Series(np.arange(len(test))).groupby(test["user_id"].to_numpy(), sort=False).indices
    for user_id, rows in progress(rows_of_user.items()):
        for name, order in recommender.orders(user_id, DEPTH).items():
            ranks[name][rows] = ranks_in(order, item_num[rows])
    final, candidates = ranks.pop("final"), ranks.pop("candidates")
    return Rows(test, user_num, item_num, predicted, final, candidates, ranks)
