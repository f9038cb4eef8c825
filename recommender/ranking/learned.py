"""The learned ranking: a score that is linear in the scores of the sources and features.

With x a source's score as a share of its best candidate's, the columns are x and log(1 + 100 x) / log 101. A source or
feature of contents is also multiplied with every other one. No weight is negative, so a higher score of any source
never lowers an item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates, Source
from recommender.candidates.fusion import fuse, reciprocal_ranks
from recommender.components.query import Query
from recommender.ranking.base import Feature

STEEPNESS = 100.0  # of the logarithm
LOG, TIMES = "log ", " x "  # in the names of columns

Doubles = NDArray[np.float64]
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Pool:
    """The candidates of all sources.

    Attributes:
        item_num: (n,) int64, each item once, in the order of reciprocal rank fusion.
        proposed: the candidates of each source that has any, by its name.
    """

    item_num: NDArray[np.int64]
    proposed: Mapping[str, Candidates]

    @classmethod
    def of(cls, proposed: Mapping[str, Candidates]) -> "Pool":
        """Return the pool of the candidates that sources propose."""
        found = [one for one in proposed.values() if len(one.item_num)]
        if not found:
            return cls(np.empty(0, np.int64), proposed)
        return cls(fuse(found, sum(len(one.item_num) for one in found)).item_num, proposed)

    def gains(self) -> dict[str, Doubles]:
        """Return the contribution of each source to the pool's score, (n,) float64; see `fuse`."""
        found = {name: np.zeros(len(self.item_num)) for name in self.proposed}
        alone = sum(len(own.item_num) > 0 for own in self.proposed.values()) == 1
        for name, own in self.proposed.items():
            found[name][self.places(own)] = own.score if alone else reciprocal_ranks(len(own.item_num))
        return found

    def places(self, own: Candidates) -> NDArray[np.int64]:
        """Return the positions of a source's candidates."""
        order = np.argsort(self.item_num)
        return order[np.searchsorted(self.item_num, own.item_num, sorter=order)]

    def proposers(self, item_num: int) -> list[str]:
        """Return the names of the sources that propose an item."""
        return [name for name, one in self.proposed.items() if item_num in one.item_num]


def shares(
    query: Query, pool: Pool, sources: Mapping[str, Source], features: Mapping[str, Feature]
) -> dict[str, Doubles]:
    """Return for each source and feature its score of each item as a share of its best, (n,) float64 from 0 to 1.

    A source that scores only its own candidates gives 0 to the others; one that knows nothing about the user gives 0.
    """
    found: dict[str, Doubles] = {}
    for name, source in sources.items():
        own = pool.proposed.get(name)
        found[name] = _scaled(source.score(query, pool.item_num), own, pool)
    for name, feature in features.items():
        score = feature.score(query, Candidates(pool.item_num, np.zeros(len(pool.item_num)), name))
        found[name] = np.zeros(len(pool.item_num)) if score is None else np.clip(np.nan_to_num(score), 0.0, 1.0)
    return found


def _scaled(score: Doubles | None, own: Candidates | None, pool: Pool) -> Doubles:
    if score is None:
        score = np.zeros(len(pool.item_num))
        if own is None or not len(own.item_num):
            return score
        lowest = min(0.0, float(own.score[-1]))
        score[pool.places(own)] = own.score - lowest
    else:
        lowest = np.fmin.reduce(score, initial=0.0)
        score = np.fmax(score, lowest) - lowest  # and 0 instead of NaN
    highest = score.max(initial=0.0)
    return score / highest if highest > 0 else np.zeros(len(score))


def column_names(names: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Return the names of the columns of sources and features, those of `contents` also multiplied with the others."""
    products = [f"{content}{TIMES}{name}" for content in contents for name in names if name not in contents]
    return [*names, *(f"{LOG}{name}" for name in names), *products]


def columns(shares: Mapping[str, Doubles], contents: Sequence[str]) -> Doubles:
    """Return the columns, (number of columns, n) float64, in the order of `column_names`."""
    plain = np.array(list(shares.values()))
    others = [share for name, share in shares.items() if name not in contents]
    products = [shares[content] * share for content in contents for share in others]
    logarithms = np.log1p(STEEPNESS * plain) / np.log1p(STEEPNESS)
    return np.concatenate([plain, logarithms, np.array(products).reshape(len(products), plain.shape[1])])


def parts_of(column: str) -> list[str]:
    """Return the sources and features that a column is made of."""
    return column.removeprefix(LOG).split(TIMES)


@dataclass(frozen=True)
class LearnedRanking:
    """Weights of the columns.

    Attributes:
        weights: column -> weight, at least 0; columns without one count nothing.
        session_weights: the weights of requests within a session; None: `weights`.
    """

    weights: Weights
    session_weights: Weights | None = None

    @property
    def columns(self) -> set[str]:
        """The columns that have a weight."""
        return {*self.weights, *(self.session_weights or {})}

    @property
    def own_weights(self) -> set[str]:
        """The sources and features that have an own weight, not only one in a product."""
        return {column.removeprefix(LOG) for column in self.columns if TIMES not in column}

    def of(self, query: Query) -> Weights:
        """Return the weights for a request."""
        return self.weights if self.session_weights is None or not query.in_session else self.session_weights

    def check(self, names: Sequence[str], contents: Sequence[str]) -> None:
        """Check that the weights are numbers from 0 and belong to columns of these sources and features.

        Raises:
            ValueError: a weight does not.
        """
        known = set(column_names(names, contents))
        for column, weight in [*self.weights.items(), *(self.session_weights or {}).items()]:
            if column not in known:
                raise ValueError(f"ranking: the model has no column {column!r}")
            if not 0 <= weight < np.inf:
                raise ValueError(f"ranking: expected a weight of {column!r} from 0, got {weight}")

    def order(
        self, query: Query, found: Mapping[str, Doubles], contents: Sequence[str]
    ) -> tuple[NDArray[np.int64], Doubles, Doubles]:
        """Return positions, best first, the scores in that order, and the share of each column in each score.

        Ties stay in the order of the pool.

        Args:
            query: the request.
            found: the shares of its candidates, see `shares`.
            contents: names of the sources and features of contents.

        Returns:
            (n,) int64, (n,) float64, and (number of columns, n) float64 in the order of the positions.
        """
        values = columns(found, contents)
        weights = self.of(query)
        weight = np.array([weights.get(name, 0.0) for name in column_names(list(found), contents)])
        added = weight[:, None] * values
        score = added.sum(axis=0)
        position = np.argsort(-score, kind="stable")
        return position, score[position], added[:, position]
