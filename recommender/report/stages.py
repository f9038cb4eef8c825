"""Hit rates of the held-out items: of the two stages, and of recommenders to compare them with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.common.progress import progress
from recommender.evaluation.evaluate import Ranks, Rows
from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.item_neighbours import ItemNeighbours
from recommender.evaluation.metric_names import CUTS, DEPTH
from recommender.evaluation.ranking import NOT_RANKED, Rankings, ranks_in
from recommender.training.training_run import TrainingRun

MAX_USERS = 5_000  # most users for the item neighbours
MAX_WORK = 2e9  # most multiplications for them in all, a minute; it matters if items have many ratings


@dataclass(frozen=True)
class Stage:
    """The hit rates of one order of the items.

    Attributes:
        name: the name of the order.
        rows: number of test rows measured.
        rates: k -> share of the rows with their item among the first k, with its interval.
        ours: whether it is a stage of the recommender itself.
    """

    name: str
    rows: int
    rates: dict[int, Estimate]
    ours: bool


@dataclass(frozen=True)
class Stages:
    """Every order, those of the recommender first.

    Attributes:
        stages: the orders.
        drawn: number of test users for the item neighbours; None: all.
        unknown: test rows with a user who is not in train.
    """

    stages: list[Stage]
    drawn: int | None
    unknown: int


def stages(finished: TrainingRun) -> Stages | str:
    """Return the hit rates, or a sentence about what is missing for them."""
    rows = finished.rows
    if rows is None:
        return "There is no test channel: give the job one, and the report shows how often held-out items are found."
    model = finished.recommender.model
    neighbours = ItemNeighbours(model.histories.offsets, model.histories.item_num, len(model.items))
    chosen, known = drawn_rows(neighbours, rows, finished.config.seed), rows.user_num >= 0
    near = rows.candidate_rank.copy()  # for an unknown user it is the rank in the fallback
    near[chosen & known] = neighbour_ranks(neighbours, rows, chosen & known)
    config = finished.config
    pool = {} if len(config.source_names) == 1 else {"candidates": rows.candidate_rank}
    found = [
        _stage("final order", rows.rank, ours=True),
        *(_stage(name, rank, ours=True) for name, rank in pool.items()),
        *(_stage(name, rows.source_ranks[name], ours=name in config.source_names) for name in rows.source_ranks),
        _stage("item neighbours", near[chosen], ours=False),
    ]
    drawn = None if chosen.all() else rows.test["user_id"][chosen].nunique()
    return Stages(found, drawn, int((~known).sum()))


def _stage(name: str, rank: Ranks, ours: bool) -> Stage:
    return Stage(name, len(rank), {k: mean_estimate(Rankings.of_ranks(rank, DEPTH).hit_rate(k)) for k in CUTS}, ours)


def drawn_rows(neighbours: ItemNeighbours, rows: Rows, seed: int) -> NDArray[np.bool_]:
    """Draw users by the seed, at least one and as many as the limits allow; return which rows are theirs, (n,) bool."""
    user, distinct = pd.factorize(rows.test["user_id"])
    user_num = np.empty(len(distinct), np.int64)
    user_num[user] = rows.user_num
    drawn = np.random.default_rng(seed).permutation(len(distinct))[:MAX_USERS]
    work = np.where(user_num[drawn] < 0, 0, neighbours.work(user_num[drawn]))
    within = np.cumsum(work) <= MAX_WORK
    within[0] = True
    return np.isin(user, drawn[within])


def neighbour_ranks(neighbours: ItemNeighbours, rows: Rows, chosen: NDArray[np.bool_]) -> Ranks:
    """Return the ranks of the chosen rows' items, all with known users, among the neighbours of the user's items."""
    user_num, item_num = rows.user_num[chosen], rows.item_num[chosen]
    users, number = np.unique(user_num, return_inverse=True)
    rank = np.full(len(user_num), NOT_RANKED)
    order = np.argsort(number, kind="stable")
    of_each = np.split(order, np.searchsorted(number[order], np.arange(1, len(users))))
    tops = neighbours.top_of_each(users, DEPTH)
    for at, top in zip(progress(of_each, "ranking item neighbours"), tops, strict=False):
        rank[at] = ranks_in(top, item_num[at])
    return rank
