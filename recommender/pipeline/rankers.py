"""The rankers of the two pipelines: candidates -> the final order, and the parts of each score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates, Source
from recommender.candidates.factorization import FOLDED_IN, TRAINED
from recommender.candidates.fixed_order import FixedOrder
from recommender.candidates.fusion import fuse
from recommender.candidates.popularity import POPULAR
from recommender.components.query import Query
from recommender.ranking.blend import rank
from recommender.ranking.blend import shares as shares_of_weights
from recommender.ranking.learned import LearnedRanking, Pool, column_names, parts_of, shares

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Ranked candidates, best first.

    Attributes:
        item_num: (n,) int64.
        score: (n,) float64, descending.
        origin: how the candidates were found.
        parts: source or feature -> what it adds to each score, (n,) float64.
        shown: positions -> source or feature -> the number that it shows at each, float64; NaN if unknown.
        proposed: the candidates of each source.
        proposers: what proposed items besides the sources, by name.
        rule: the rule that gave each item its place; None: its score. Empty: no rule did so.
    """

    item_num: NDArray[np.int64]
    score: Doubles
    origin: str
    parts: Mapping[str, Doubles]
    shown: Callable[[NDArray[np.int64]], Mapping[str, Doubles]]
    proposed: Mapping[str, Candidates]
    proposers: Mapping[str, FixedOrder] = field(default_factory=dict)
    rule: Sequence[str | None] = ()

    def at(self, place: NDArray[np.int64], rule: Sequence[str | None]) -> "Ranked":
        """Return the items at some positions, in their order."""
        shown = self.shown
        return replace(
            self,
            item_num=self.item_num[place],
            score=self.score[place],
            parts={name: values[place] for name, values in self.parts.items()},
            shown=lambda some: shown(place[some]),
            rule=rule,
        )


class Ranker(Protocol):
    """A ranker: it orders the candidates of the sources."""

    def rank(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> Ranked:
        """Return the final order of the candidates of at least one source."""
        ...

    def pool(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> NDArray[np.int64]:
        """Return the candidates before they are ranked, (n,) int64."""
        ...


class PaperRanker:
    """The paper's pipeline: one pool of candidates by reciprocal rank, ordered by the weighted sum of the features."""

    def __init__(self, model: Model) -> None:
        self._features = list(model.features.values())
        self._weights = {name: of.weight(model.config.of(of.Options)) for name, of in model.features.items()}

    def pool(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> NDArray[np.int64]:
        """Return the fused candidates."""
        return fuse(list(proposed.values()), num_candidates).item_num

    def rank(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> Ranked:
        """Order the fused candidates."""
        candidates = fuse(list(proposed.values()), num_candidates)
        ranking = rank(query, candidates, self._features, self._weights)
        weights = shares_of_weights({name: self._weights[name] for name in ranking.features})
        parts = {name: weights[name] * np.nan_to_num(values) for name, values in ranking.features.items()}
        item_num = candidates.item_num[ranking.position]
        shown = partial(_at, ranking.features)
        return Ranked(item_num, ranking.score, candidates.origin, parts, shown, proposed)


class LearnedRanker:
    """The pipeline auto: the pool of all sources, ordered by the learned ranking."""

    def __init__(self, model: Model, ranking: LearnedRanking, sources: Mapping[str, Source]) -> None:
        used = {name for column in ranking.columns for name in parts_of(column)}  # without a weight there is no need
        self._sources = {name: source for name, source in sources.items() if name in used}
        self._features = {name: feature for name, feature in model.features.items() if name in used}
        self._shown_sources = {name: part for name, part in sources.items() if part.shown_as}
        self._shown_features = {name: part for name, part in model.features.items() if part.shown_as}
        self._ranking = ranking
        names = [*self._sources, *self._features]
        self._contents = [name for name in names if model.components[name].is_content]
        self._columns = [(name, parts_of(name)) for name in column_names(names, self._contents)]

    def pool(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> NDArray[np.int64]:
        """Return the candidates of all sources."""
        return Pool.of(proposed).item_num

    def rank(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> Ranked:
        """Order the pool."""
        pool = Pool.of(proposed)
        position, score, parts = self._ordered(query, pool)
        item_num = pool.item_num[position]
        origin = _origin(query, proposed)
        return Ranked(item_num, score, origin, parts, lambda place: self._shown(query, item_num[place]), proposed)

    def _ordered(self, query: Query, pool: Pool) -> tuple[NDArray[np.int64], Doubles, dict[str, Doubles]]:
        """Return positions in the pool, best first, and in that order the scores and the parts of each.

        If nothing with a weight says anything about the user, the pool stays in its own order.
        """
        found = shares(query, pool, self._sources, self._features)
        if any(values.any() for values in found.values()):
            position, score, added = self._ranking.order(query, found, self._contents)
            parts = {name: np.zeros(len(position)) for name in found}
            for (_, names), values in zip(self._columns, added, strict=True):
                for name in names:
                    parts[name] += values / len(names)
            if score.any():
                return position, score, parts
        parts, size = pool.gains(), len(pool.item_num)
        return np.arange(size), np.sum([np.zeros(size), *parts.values()], axis=0), parts

    def _shown(self, query: Query, item_num: NDArray[np.int64]) -> dict[str, Doubles]:
        candidates = Candidates(item_num, np.zeros(len(item_num)), "")
        scored = {name: source.score(query, item_num) for name, source in self._shown_sources.items()}
        scored |= {name: feature.score(query, candidates) for name, feature in self._shown_features.items()}
        return {name: score for name, score in scored.items() if score is not None}


def _at(shown: Mapping[str, Doubles], place: NDArray[np.int64]) -> dict[str, Doubles]:
    return {name: values[place] for name, values in shown.items()}


def _origin(query: Query, proposed: Mapping[str, Candidates]) -> str:
    """Return how several sources have found the candidates: by the training data, the request or popularity."""
    if query.has_new_events:
        return FOLDED_IN
    if query.user_num is not None:
        return TRAINED
    return next(iter(proposed.values())).origin if POPULAR not in {one.origin for one in proposed.values()} else POPULAR
