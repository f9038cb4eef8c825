"""A contestant on a data set -> its row: hyper-parameters by validation, one fit, one look at the test ratings."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.data.splits import split_leave_one_out
from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.ranking import (
    NO_ITEM,
    Items,
    Rankings,
    coverage,
    gini,
    mean_popularity,
    novelty,
)
from study.data import Data
from study.hits.contestants import Contestant, Params

Row = dict[str, Any]  # as in hits.json
ACCURACY = {
    **{f"hit_rate@{k}": (Rankings.hit_rate, k) for k in (5, 10, 100)},
    "precision@5": (Rankings.precision, 5),
    "recall@10": (Rankings.recall, 10),
    "ndcg@10": (Rankings.ndcg, 10),
    "map@10": (Rankings.average_precision, 10),
    "mrr@10": (Rankings.reciprocal_rank, 10),
}


def measured(data: Data, contestant: Contestant) -> Row:
    """Choose on validation, fit all of train, recommend to the test users once."""
    began = time.perf_counter()
    chosen, tried = choose(data, contestant)
    chose = time.perf_counter()
    recommend = contestant.fit(data.train, data.titles, chosen)
    fitted = time.perf_counter()
    recommended = recommend(data.test.user_num)
    seconds = {"choose": chose - began, "fit": fitted - chose, "recommend": time.perf_counter() - fitted}
    return {
        "chosen": dict(chosen),
        "tried": tried,
        **{f"seconds_{name}": round(value, 3) for name, value in seconds.items()},
        **figures(data, recommended),
        "place": places(data, recommended),
    }


def choose(data: Data, contestant: Contestant) -> tuple[Params, list[Row]]:
    """The grid's best by hit rate at 10, then NDCG at 10, on each user's last train rating, and all that was tried."""
    if len(contestant.grid) == 1:
        return contestant.grid[0], []
    split = split_leave_one_out(data.train)
    inner = replace(data, train=split.train, test=split.test)
    tried: list[Row] = []
    for params in contestant.grid:
        recommended = contestant.fit(inner.train, inner.titles, params)(inner.test.user_num)
        rankings = Rankings.of(recommended, relevant(inner))
        scores = {"hit_rate@10": rankings.hit_rate(10).mean(), "ndcg@10": rankings.ndcg(10).mean()}
        tried.append({**params, **{name: float(score) for name, score in scores.items()}})
    best = max(range(len(tried)), key=lambda number: (tried[number]["hit_rate@10"], tried[number]["ndcg@10"]))
    return contestant.grid[best], tried


def relevant(data: Data) -> list[Items]:
    """The one item of each test rating."""
    return list(data.test.item_num[:, None])


def figures(data: Data, recommended: Items) -> Row:
    """Every figure of accuracy with its interval, and what is recommended."""
    rankings = Rankings.of(recommended, relevant(data))
    accuracy = {name: mean_estimate(values(rankings, k)) for name, (values, k) in ACCURACY.items()}
    first, count = recommended[:, :10], np.bincount(data.train.item_num, minlength=len(data.train.items))
    return {
        **{name: value for one, found in accuracy.items() for name, value in flat(one, found).items()},
        "coverage@10": coverage(first, len(count)),
        "gini@10": gini(first, len(count)),
        "novelty@10": novelty(first, count, len(data.train.users)),
        "mean_popularity@10": mean_popularity(first, count),
        "users": len(data.test),
        "items": len(count),
    }


def places(data: Data, recommended: Items) -> list[int]:
    """Where each test item stands, from 0; -1 where it is not recommended."""
    hit = recommended == data.test.item_num[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1), NO_ITEM).tolist()


def flat(name: str, found: Estimate) -> Row:
    """Return an estimate as three values of a row."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
