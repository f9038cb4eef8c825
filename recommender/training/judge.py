"""Targets inside the training data. Training compares sources and rankings on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from recommender.candidates.base import Candidates, Source
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.clock import SESSION_SECONDS
from recommender.data.splits import split_for_choice
from recommender.evaluation.metric_names import DEPTH
from recommender.evaluation.ranking import NOT_RANKED

MAX_TARGETS = 4_000  # maximum number of targets; the weights of the ranking are fitted to them
MAX_FOR_OPTIONS = 1_500  # maximum number of these targets for the choice of options
MIN_HISTORIES = (4, 1)  # minimum number of earlier events of a user with a target; the second if targets are few
FEW = 200  # fewer targets are few
MAX_PAIRS = 400_000_000  # maximum number of pairs of events for each setting; counting them takes 1 to 2 s
PAIRED = 1_000  # maximum number of a user's events that an event is paired with, see `models.neighbour_table`


@dataclass(frozen=True)
class Judge:
    """Requests of users with a known next event: the target.

    Attributes:
        context: the data without the targets and the later events of their users.
        queries: one request per user, at the time of the target. With clock times, about half of the users with
            several events in their last session begin a new session.
        targets: (n,) int64, the item of each user's next event.
        seed: seed of the random choices.
    """

    context: FitContext
    queries: Sequence[Query]
    targets: NDArray[np.int64]
    seed: int = 0

    @classmethod
    def of(cls, context: FitContext, seed: int) -> Self:
        """Hold out targets from the training data; see `split_for_choice`."""
        unit = context.data.seconds_per_unit
        gap = None if unit is None else SESSION_SECONDS / unit
        for min_history in MIN_HISTORIES:
            split = split_for_choice(context.data, seed, min_history, MAX_TARGETS, gap)
            if len(split.test) >= FEW:
                break
        users, targets = split.test.user_num, split.test.item_num
        inner = FitContext(split.train, titles=context.titles, hosts=context.hosts)
        wanted = np.unique(inner.data.item_num[np.isin(inner.data.user_num, users)])
        inner = replace(inner, wanted_items=wanted)
        times = inner.histories.seconds(split.test.time, unit)
        queries = [
            Query.of_known(inner.histories, user, now=now) for user, now in zip(users.tolist(), times, strict=True)
        ]
        by_time = sorted(range(len(queries)), key=lambda place: queries[place].now or 0)  # equal times share work
        return cls(inner, [queries[place] for place in by_time], targets[by_time], seed)

    @cached_property
    def for_options(self) -> "Judge":
        """Return a judge with fewer targets. If all users have too many pairs of events, it also has fewer users."""
        count = min(len(self.targets), MAX_FOR_OPTIONS)
        chosen = np.linspace(0, len(self.targets) - 1, count).astype(np.int64)
        queries, data = [self.queries[place] for place in chosen], self.context.data
        users = np.array([query.user_num for query in queries], np.int64)
        kept = _with_few_pairs(np.bincount(data.user_num, minlength=len(data.users)), users, self.seed)
        if kept.all():
            return replace(self, queries=queries, targets=self.targets[chosen])
        sample = FitContext(data.where(kept[data.user_num]), titles=self.context.titles)
        sample = replace(sample, wanted_items=self.context.wanted_items)
        return replace(self, context=sample, queries=queries, targets=self.targets[chosen])

    @cached_property
    def _blas(self) -> ThreadpoolController:
        return ThreadpoolController()  # cached, because finding the libraries takes longer than a try on little data

    def ranks(self, source: Source) -> NDArray[np.int64]:
        """Return the position of each target among the source's candidates, from 0; 100 or more if it is absent."""
        queries = [query.without_memo() for query in self.queries]
        with self._blas.limit(limits=1, user_api="blas"):
            return source.target_ranks(queries, self.targets, DEPTH)

    def ndcg(self, source: Source) -> float:
        """Return the mean NDCG at 100 of the source's candidates; 0 without targets."""
        return float(ndcg_of_ranks(self.ranks(source)).mean()) if len(self.targets) else 0.0


def _with_few_pairs(count: NDArray[np.int64], users: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Return which users to keep: the given ones, and a random sample of others up to `MAX_PAIRS` pairs of events.

    Args:
        count: (num_users,), number of events of each user.
        users: the users to keep in any case.
        seed: seed of the sample.
    """
    pairs = count * np.minimum(count, PAIRED)
    kept = np.zeros(len(count), bool)
    kept[users] = True
    others = np.random.default_rng(seed).permutation(np.flatnonzero(~kept))
    kept[others[np.cumsum(pairs[others]) + pairs[users].sum() <= MAX_PAIRS]] = True
    return kept


def ranks_of(found: Iterable[Candidates | None], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each target among its query's candidates, from 0, or `NOT_RANKED`."""
    ranks = np.full(len(targets), NOT_RANKED)
    for place, (candidates, target) in enumerate(zip(found, targets.tolist(), strict=True)):
        position = np.flatnonzero(candidates.item_num == target) if candidates is not None else np.empty(0, np.int64)
        if len(position):
            ranks[place] = position[0]
    return ranks


def ndcg_of_ranks(rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 / log2(position + 2) for each position below 100, else 0."""
    gain = np.zeros(len(rank))
    found = rank < DEPTH
    gain[found] = 1 / np.log2(rank[found] + 2.0)
    return gain
