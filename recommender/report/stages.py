"""How often the held-out items are found: by the two stages, and by recommenders to compare them with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.artifacts import Model
from recommender.evaluation.evaluate import CUTS, DEPTH, Ranks, Rows, places
from recommender.evaluation.metrics import NOT_RANKED
from recommender.evaluation.ranking import Figure, figure
from recommender.progress import progress
from recommender.recall.neighbours import ItemNeighbours
from recommender.report.finished import Finished

MAX_USERS = 5_000  # whose neighbours are looked up, some milliseconds each where items have many ratings


@dataclass(frozen=True)
class Stage:
    """The hit rates of one order of the items.

    Attributes:
        name: whose order it is.
        rows: test rows that were looked at.
        rates: k -> share of the rows whose item is among the first k, with its interval.
        ours: whether it is a stage of the recommender itself.
    """

    name: str
    rows: int
    rates: dict[int, Figure]
    ours: bool


@dataclass(frozen=True)
class Stages:
    """Every order, ours first.

    Attributes:
        stages: the orders.
        drawn: how many test users the neighbours were looked up for; None where for all.
        unknown: test rows whose user is not in train.
    """

    stages: list[Stage]
    drawn: int | None
    unknown: int


def stages(finished: Finished) -> Stages | str:
    """The hit rates, or what is missing for them."""
    rows = finished.rows
    if rows is None:
        return "There is no test channel: give the job one, and the page says how often a held-out item is found."
    asked, known = asked_rows(rows.test["user_id"], finished.config.seed), rows.user_num >= 0
    near = rows.popular_rank.copy()  # what is there for a user of whom nothing is known
    near[asked & known] = neighbour_ranks(finished.recommender.model, rows, asked & known)
    found = [
        _stage("final order", rows.rank, ours=True),
        _stage("recall alone", rows.recall_rank, ours=True),
        _stage("item neighbours", near[asked], ours=False),
        _stage("popular items", rows.popular_rank, ours=False),
    ]
    return Stages(found, None if asked.all() else MAX_USERS, int((~known).sum()))


def _stage(name: str, rank: Ranks, ours: bool) -> Stage:
    return Stage(name, len(rank), {k: figure((rank < k).astype(np.float64)) for k in CUTS}, ours)


def asked_rows(user_id: "pd.Series[str]", seed: int) -> NDArray[np.bool_]:
    """The rows of at most `MAX_USERS` users, drawn with the seed; (n,) bool."""
    user, distinct = pd.factorize(user_id)
    if len(distinct) <= MAX_USERS:
        return np.ones(len(user), bool)
    drawn = np.random.default_rng(seed).choice(len(distinct), MAX_USERS, replace=False)
    return np.isin(user, drawn)


def neighbour_ranks(model: Model, rows: Rows, chosen: NDArray[np.bool_]) -> Ranks:
    """Where the items of the chosen rows, of known users all, stand among the neighbours of what the user has rated."""
    histories = model.histories
    neighbours = ItemNeighbours(histories.offsets, histories.item_num, len(model.items))
    user_num, item_num = rows.user_num[chosen], rows.item_num[chosen]
    users, number = np.unique(user_num, return_inverse=True)
    rank = np.full(len(user_num), NOT_RANKED)
    order = np.argsort(number, kind="stable")
    of_each = np.split(order, np.searchsorted(number[order], np.arange(1, len(users))))
    tops = neighbours.top_of_each(users, DEPTH)
    for at, top in zip(progress(of_each, "asking item neighbours"), tops, strict=False):
        rank[at] = places(top, item_num[at])
    return rank
