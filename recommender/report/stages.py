"""How well each order finds the held-out items: the two stages, each source, and recommenders to compare with."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.candidates.popularity import Popularity
from recommender.common.progress import progress
from recommender.evaluation.evaluate import Order, Ranks, Rows
from recommender.evaluation.intervals import Estimate, mean_estimate
from recommender.evaluation.item_neighbours import ItemNeighbours
from recommender.evaluation.metric_names import CUTS, DEPTH
from recommender.evaluation.ranking import NOT_RANKED, Rankings, ranks_in
from recommender.training.training_run import TrainingRun

MAX_USERS = 5_000  # maximum number of users for the item neighbours
MAX_WORK = 2e9  # maximum multiplications for them, a minute; the limit matters if items have many ratings


class Kind(StrEnum):
    """The relation of an order to the recommender."""

    FINAL = "final"  # the order that it returns
    PART = "part"  # an input of that order
    OTHER = "other"  # another recommender, for comparison


@dataclass(frozen=True)
class Stage:
    """The accuracy of one order of the items.

    Attributes:
        name: the name of the order.
        rows: number of test rows measured.
        rates: k -> share of the rows with their item among the first k, with its interval.
        ndcg: NDCG at 10, with its interval.
        mrr: MRR at 10.
        lead: hit rate at 10 of the final order minus that of this one, on the same rows, with its interval.
        order: coverage, Gini index and novelty of the order; None if they were not measured.
        kind: its relation to the recommender.
    """

    name: str
    rows: int
    rates: dict[int, Estimate]
    ndcg: Estimate
    mrr: float
    lead: Estimate
    order: Order | None
    kind: Kind


@dataclass(frozen=True)
class Stages:
    """Every order, those of the recommender first.

    Attributes:
        stages: the orders.
        pool: share of the rows with their item among the candidates; the ranking cannot find more.
        drawn: number of test users for the item neighbours; None: all.
        unknown: test rows with a user who is not in train.
        silent: the candidate sources that propose nothing.
    """

    stages: list[Stage]
    pool: float
    drawn: int | None
    unknown: int
    silent: list[str]

    @property
    def verdict(self) -> str:
        """A sentence that compares the final order with popularity; empty if the model has no popularity."""
        popular = next((stage for stage in self.stages if stage.name == Popularity.name), None)
        if popular is None:
            return ""
        if popular.lead.low > 0:
            found = "finds more test items among its first 10 than popularity, beyond noise"
        elif popular.lead.high < 0:
            found = "finds fewer test items among its first 10 than popularity, beyond noise"
        else:
            found = "is not better than popularity beyond noise: the interval of the difference includes 0"
        return f"The final order {found}."


def stages(finished: TrainingRun) -> Stages | str:
    """Return the accuracy of each order, or a sentence that says why it is missing."""
    rows = finished.rows
    if rows is None:
        return "There is no test channel. `recommender split` makes one; then this section shows hit rates."
    model = finished.recommender.model
    neighbours = ItemNeighbours(model.histories.offsets, model.histories.item_num, len(model.items))
    chosen, known = drawn_rows(neighbours, rows, finished.config.seed), rows.user_num >= 0
    near = rows.candidates.rank.copy()  # the rank in the fallback, for an unknown user
    near[chosen & known] = neighbour_ranks(neighbours, rows, chosen & known)
    own = [name for name in finished.config.source_names if name in model.sources]
    pool = {} if len(own) == 1 else {"candidates": rows.candidates}
    found = [
        _stage("final order", rows.final, rows.final, Kind.FINAL),
        *(_stage(name, order, rows.final, Kind.PART) for name, order in pool.items()),
        *(
            _stage(name, order, rows.final, Kind.PART if name in own else Kind.OTHER)
            for name, order in rows.sources.items()
        ),
        *(_stage(name, order, rows.final, Kind.OTHER) for name, order in rows.others.items()),
        _accuracy("item neighbours", near[chosen], rows.final.rank[chosen], Kind.OTHER),
    ]
    return Stages(
        found,
        pool=float((rows.candidates.rank != NOT_RANKED).mean()),
        drawn=None if chosen.all() else rows.test["user_id"][chosen].nunique(),
        unknown=int((~known).sum()),
        silent=[name for name in own if name not in rows.sources],
    )


def _stage(name: str, order: Order, final: Order, kind: Kind) -> Stage:
    return replace(_accuracy(name, order.rank, final.rank, kind), order=order)


def _accuracy(name: str, rank: Ranks, final: Ranks, kind: Kind) -> Stage:
    found = Rankings.of_ranks(rank, DEPTH)
    lead = mean_estimate(Rankings.of_ranks(final, DEPTH).hit_rate(10) - found.hit_rate(10))
    rates = {k: mean_estimate(found.hit_rate(k)) for k in CUTS}
    ndcg, mrr = mean_estimate(found.ndcg(10)), float(found.reciprocal_rank(10).mean())
    return Stage(name, len(rank), rates, ndcg, mrr, lead, None, kind)


def drawn_rows(neighbours: ItemNeighbours, rows: Rows, seed: int) -> NDArray[np.bool_]:
    """Draw at least one user, and more within the limits, by the seed; return which rows are theirs, (n,) bool."""
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
