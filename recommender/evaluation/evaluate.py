"""A test channel -> metrics of the recommendations that the server returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.candidates.popularity import Popularity
from recommender.components.fit_context import Metrics
from recommender.components.query import NO_EVENTS
from recommender.data.clock import seconds_per_unit
from recommender.data.histories import Histories
from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.metric_names import CUTS, DEPTH, FINAL, LISTED
from recommender.evaluation.ranking import NO_ITEM, NOT_RANKED, Rankings, coverage, gini, novelty, ranks_in
from recommender.pipeline.recommender import Recommender

Progress = Callable[[Any], Iterable[Any]]
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """One order of the items for each user of a test channel, as positions of the test items and metrics.

    Attributes:
        rank: (n,), the position of each row's item, from 0, or `NOT_RANKED`.
        coverage: share of the catalogue among the first `LISTED` items of all users.
        gini: inequality of items, 0 to 1, by the number of users with the item among their first `LISTED`.
        novelty: mean self-information of the first `LISTED` items, in bits.
    """

    rank: Ranks
    coverage: float
    gini: float
    novelty: float

    @property
    def rankings(self) -> Rankings:
        """Return the positions of the rows' items among the first `DEPTH`."""
        return Rankings.of_ranks(self.rank, DEPTH)

    def metrics(self, prefix: str) -> Metrics:
        """Return hit rate, NDCG and MRR at each of `CUTS`, then coverage, Gini index and novelty, by name."""
        found = self.rankings
        accuracy = {"hit_rate": found.hit_rate, "ndcg": found.ndcg, "mrr": found.reciprocal_rank}
        diversity = {name: getattr(self, name) for name in ("coverage", "gini", "novelty")}
        return {
            **{f"{prefix}_{name}_at_{k}": float(of(k).mean()) for name, of in accuracy.items() for k in CUTS},
            **{f"{prefix}_{name}_at_{LISTED}": value for name, value in diversity.items()},
        }


@dataclass(frozen=True)
class Rows:
    """The rows of a test channel with their measurements.

    Attributes:
        test: the rows, from `channels.read_events`.
        user_num, item_num: (n,) int64; -1 for a user or item that the model does not know.
        predicted: predicted ratings, (n,) float64, not clipped; None if no source predicts ratings.
        final: the final order.
        candidates: the order of the candidates before the ranking.
        sources: the order of each source that proposes items, by name.
        others: the final orders of other recommenders, by name.
    """

    test: pd.DataFrame
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    predicted: NDArray[np.float64] | None
    final: Order
    candidates: Order
    sources: Mapping[str, Order]
    others: Mapping[str, Order]

    def __len__(self) -> int:
        return len(self.test)

    @property
    def rating(self) -> NDArray[np.float64] | None:
        """Return the actual ratings, (n,) float64; None without ratings."""
        return self.test["rating"].to_numpy(np.float64) if "rating" in self.test else None

    @property
    def squared_error(self) -> NDArray[np.float64] | None:
        """Return the squared error of each prediction, (n,) float64; None without predictions or ratings."""
        predicted, rating = self.predicted, self.rating
        return None if predicted is None or rating is None else (predicted - rating) ** 2

    def metrics(self) -> Metrics:
        """Return the metrics of metrics.json.

        `test_*` measure the final order, `<source>_*` a source alone, and `<name>_*` another recommender.
        """
        final = self.final.rankings
        hits, gain = mean_estimate(final.hit_rate(10)), mean_estimate(final.ndcg(10))
        metrics = self._rmse() | self.final.metrics(FINAL)
        metrics |= {"test_hit_rate_at_10_interval": [hits.low, hits.high]}
        metrics |= {"test_ndcg_at_10_interval": [gain.low, gain.high]}
        for name, order in {**self.others, **self.sources}.items():
            metrics |= order.metrics(name)
        return {
            **metrics,
            "num_test_ratings": len(self),
            "num_test_unknown_users": int((self.user_num < 0).sum()),
            "num_test_unknown_items": int((self.item_num < 0).sum()),
        }

    @property
    def warning(self) -> str | None:
        """Return a warning if the final order has a lower hit rate at 10 than popularity, beyond noise; else None."""
        popular = self.sources.get(Popularity.name)
        if popular is None:
            return None
        ours, theirs = self.final.rankings.hit_rate(10), popular.rankings.hit_rate(10)
        if mean_estimate(ours - theirs).high >= 0:
            return None
        return (
            f"on the test channel the final order is worse than {Popularity.name} alone, beyond noise: its hit rate at "
            f"10 is {ours.mean():.2%}, the hit rate of {Popularity.name} is {theirs.mean():.2%}"
        )

    def _rmse(self) -> Metrics:
        if self.squared_error is None:
            return {}
        error = rmse_of_squares(self.squared_error)
        return {"test_rmse": error.value, "test_rmse_interval": [error.low, error.high]}


def rmse_of_squares(squared_error: NDArray[np.float64]) -> Estimate:
    """Return the square root of the mean squared error, with its interval."""
    mean = mean_estimate(squared_error)
    return Estimate(float(np.sqrt(np.mean(squared_error))), mean.low**0.5, mean.high**0.5)


def evaluate(
    recommender: Recommender,
    test: pd.DataFrame,
    progress: Progress = iter,
    others: Mapping[str, Recommender] | None = None,
) -> Rows:
    """Measure on every row of `test`, over the whole catalogue, including unknown users and items.

    A row counts as a miss if the model does not know its item. It also does if the item is in the user's history,
    because recommendations leave out the history. There is one request per user, at the time of the user's first row.

    Args:
        recommender: a loaded model.
        test: the rows, from `channels.read_events`.
        progress: wraps the iteration over the users.
        others: recommenders to compare with, by name. They use a subset of the model's fitted sources.
    """
    model, others = recommender.model, others or {}
    user_num, item_num = model.users.numbers(test["user_id"]), model.items.numbers(test["item_id"])
    predicted = recommender.predict_pairs(user_num, item_num)
    rows_of_user = pd.Series(np.arange(len(test))).groupby(test["user_id"].to_numpy(), sort=False).indices
    names = ("final", "candidates", *others, *model.sources)
    ranks = {name: np.full(len(test), NOT_RANKED) for name in names}
    first = {name: np.full((len(rows_of_user), LISTED), NO_ITEM, np.int32) for name in names}
    is_known = np.zeros(len(rows_of_user), bool)
    with threadpool_limits(1, user_api="blas"):  # several threads would wait for each other in every product
        for place, (user_id, rows, now) in enumerate(progress(_requests(recommender, test, rows_of_user))):
            is_known[place] = user_num[rows[0]] >= 0
            for name, order in recommender.orders_by_name(user_id, DEPTH, others, now).items():
                ranks[name][rows] = ranks_in(order, item_num[rows])
                first[name][place, : len(order)] = order[:LISTED]
    raters = _raters(model.histories, len(model.items))
    orders = {name: _order(ranks[name], first[name], raters, len(model.users)) for name in names}
    silent = {name for name in model.sources if _proposes_nothing(first[name], first["final"], is_known)}
    return Rows(
        test,
        user_num,
        item_num,
        predicted,
        final=orders["final"],
        candidates=orders["candidates"],
        sources={name: orders[name] for name in model.sources if name not in silent},
        others={name: orders[name] for name in others},
    )


def _proposes_nothing(first: NDArray[np.int32], final: NDArray[np.int32], is_known: NDArray[np.bool_]) -> bool:
    """Return whether a source has no items for all users with a final order.

    Unknown users only count if no user is known, because they get the items of the fallback instead of the source's.
    """
    served = final[:, 0] != NO_ITEM
    counted = served & is_known if (served & is_known).any() else served
    return bool(counted.any() and (first[counted] == NO_ITEM).all())


def _order(rank: Ranks, first: NDArray[np.int32], raters: NDArray[np.int64], num_users: int) -> Order:
    num_items = len(raters)
    return Order(rank, coverage(first, num_items), gini(first, num_items), novelty(first, raters, num_users))


def _raters(histories: Histories, num_items: int) -> NDArray[np.int64]:
    """Return, for each item, the number of users with the item in their history, (num_items,) int64. O(n log n)."""
    user_num = np.repeat(np.arange(len(histories.offsets) - 1), np.diff(histories.offsets))
    pairs = np.unique(user_num * num_items + histories.item_num)
    return np.bincount(pairs % num_items, minlength=num_items)


def _requests(
    recommender: Recommender, test: pd.DataFrame, rows_of_user: Mapping[Any, Any]
) -> list[tuple[str, Any, int | None]]:
    """Return user, rows and time of each request, sorted by time, because requests at the same time share work.

    The time is None unless both the train and the test channel have timestamps; see `Recommender.orders_by_name`.
    """
    users, histories = recommender.model.users, recommender.model.histories
    times: list[int | None] = [None] * len(test)
    if "timestamp" in test:
        time = test["timestamp"].to_numpy(np.int64)
        times = histories.seconds(time, seconds_per_unit(float(np.abs(time).max(initial=0))))

    def newest(user_id: str) -> int:
        user_num = users.number(user_id)
        time = NO_EVENTS.time if user_num is None else histories.of(user_num).time
        return int(time[-1]) if len(time) else 0

    found = [
        (user_id, rows, min((then for row in rows if (then := times[row]) is not None), default=None))
        for user_id, rows in rows_of_user.items()
    ]
    return sorted(found, key=lambda request: newest(request[0]) if request[2] is None else request[2])
