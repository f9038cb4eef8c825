"""A contestant and a data set -> a row: choose parameters on validation, fit each seed, measure on test once."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.ranking import Items, Rankings, coverage, gini, mean_popularity, novelty
from study.data import Data
from study.hits.contestants import CRITERION, Contestant, Params

Row = dict[str, Any]  # as in hits.json
CUTS = (5, 10, 100)
ACCURACY = {
    f"{name}@{k}": (values, k)
    for name, values in (
        ("hit_rate", Rankings.hit_rate),
        ("recall", Rankings.recall),
        ("ndcg", Rankings.ndcg),
        ("mrr", Rankings.reciprocal_rank),
    )
    for k in CUTS
}


def choose(data: Data, contestant: Contestant) -> Row:
    """Return the parameters with the best NDCG at 100 on validation, and all that were tried.

    `seconds_choose` is the time for the choice. With one entry in the grid, nothing is tried.
    """
    began = time.perf_counter()
    if contestant.choose is not None:
        tried = contestant.choose(data.inner)
    elif len(contestant.grid) > 1:
        inner = data.inner
        tried = [{**params, CRITERION: _criterion(inner, contestant, params)} for params in contestant.grid]
    else:
        return {"chosen": dict(contestant.grid[0]), "tried": [], "seconds_choose": 0.0}
    best = max(tried, key=lambda one: one[CRITERION])
    chosen = {name: value for name, value in best.items() if name != CRITERION}
    return {"chosen": chosen, "tried": tried, "seconds_choose": round(time.perf_counter() - began, 3)}


def _criterion(inner: Data, contestant: Contestant, params: Params) -> float:
    recommended = contestant.fitted(inner, params, 0)(inner.users)
    return float(Rankings.of(recommended, inner.relevant).ndcg(100).mean())


def recommended_by(data: Data, contestant: Contestant, params: Params, seed: int) -> tuple[Items, Row]:
    """Fit all of train and recommend to the test users once; return the items and the seconds of each step."""
    began = time.perf_counter()
    recommend = contestant.fitted(data, params, seed)
    fitted = time.perf_counter()
    items = recommend(data.users)
    return items, {
        "seconds_fit": round(fitted - began, 3),
        "seconds_recommend": round(time.perf_counter() - fitted, 3),
    }


def metrics(data: Data, lists: Sequence[Items]) -> Row:
    """Return every metric as a mean over the seeds; accuracy metrics have 95 % intervals over users.

    `users_<metric>` holds the value of each user at 10 and 100, for paired comparisons.
    """
    rankings, relevant = [Rankings.of(items, data.relevant) for items in lists], data.relevant
    of_users = {name: np.mean([values(one, k) for one in rankings], axis=0) for name, (values, k) in ACCURACY.items()}
    count = np.bincount(data.train.item_num, minlength=len(data.train.items))
    first = [items[:, :10] for items in lists]
    return {
        **{name: value for one, values in of_users.items() for name, value in flat(one, mean_estimate(values)).items()},
        "coverage@10": _mean([coverage(items, len(count)) for items in first]),
        "gini@10": _mean([gini(items, len(count)) for items in first]),
        "novelty@10": _mean([novelty(items, count, len(data.train.users)) for items in first]),
        "mean_popularity@10": _mean([mean_popularity(items, count) for items in first]),
        "seeds": len(lists),
        "users": len(relevant),
        "relevant": float(np.mean([len(items) for items in relevant])),
        "items": len(count),
        **{f"users_hit_rate@{k}": rounded(of_users[f"hit_rate@{k}"]) for k in (10, 100)},
    }


def difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return the mean difference over users, with its interval."""
    return mean_estimate(np.array(one) - np.array(other))


def flat(name: str, found: Estimate) -> Row:
    """Return an estimate as three fields of a row."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Return the values with 4 decimals, as a list for JSON."""
    return np.round(values, 4).tolist()


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
