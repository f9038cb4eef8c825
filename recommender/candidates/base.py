"""The contract of a candidate source."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recommender.components.base import Component, Reason
from recommender.components.fit_context import FitContext
from recommender.components.query import Query

Axis = Sequence[Mapping[str, object]]  # option values that are tried in place of each other


@dataclass(frozen=True)
class Candidates:
    """The candidates of a source for a query.

    Attributes:
        item_num: (n,) int64, best first, ties by item number.
        score: (n,) float64, descending; comparable within one source only.
        origin: how they were found; one of the source's `origins`.
    """

    item_num: NDArray[np.int64]
    score: NDArray[np.float64]
    origin: str

    def first(self, count: int) -> "Candidates":
        """Return the first `count` candidates."""
        return Candidates(self.item_num[:count], self.score[:count], self.origin)

    def merged(self, other: "Candidates") -> "Candidates":
        """Return these candidates and other ones of the same source and user, each item once."""
        item_num, first = np.unique(np.concatenate([self.item_num, other.item_num]), return_index=True)
        score = np.concatenate([self.score, other.score])[first]
        order = np.argsort(-score, kind="stable")
        return Candidates(item_num[order], score[order], self.origin)


class Role(StrEnum):
    """A role of a source if the configuration names no sources."""

    CANDIDATES = "candidates"  # in the pipeline auto, its items are ranked
    PAPER = "paper"  # in the pipeline paper, its items are ranked
    FALLBACK = "fallback"  # its items are for users that no candidate source knows


class Source(Component):
    """A candidate source: proposes items for a user from the whole catalogue.

    Attributes:
        default_roles: its roles if the configuration names no sources; none: it is not in use then.
        origins: the possible values of `Candidates.origin` -> their meaning; by default only the source's name.
        is_distributed: whether several hosts fit it together.
        prior_weight: its weight in the learned ranking before there is anything to learn from.
    """

    default_roles: ClassVar[Sequence[Role]] = ()
    origins: ClassVar[Mapping[str, str]] = {}
    is_distributed: ClassVar[bool] = False
    prior_weight: ClassVar[float] = 1.0

    def __init_subclass__(cls) -> None:
        """Name the origin after the source, unless the source names its own."""
        super().__init_subclass__()
        if "name" in vars(cls) and "origins" not in vars(cls):
            cls.origins = {cls.name: f"candidates of the source {cls.name}"}

    @classmethod
    def unsuited(cls, context: FitContext, options: Any) -> str | None:  # noqa: ANN401 - see `fit`
        """Return why the source is left out for this data, in a few words; None if it can be fitted."""
        return None

    @classmethod
    def choices(cls, context: FitContext, options: Any) -> Sequence[Axis]:  # noqa: ANN401 - see `fit`
        """Return the option values that training tries on validation data, one axis after the other.

        An axis with an option that the user set is skipped.
        """
        return ()

    def refit(self, context: FitContext, options: Any) -> Self:  # noqa: ANN401 - see `fit`
        """Return the source fitted to other data of the same users and items, with the choices of this fit."""
        return self.fit(context, options)

    @abstractmethod
    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the best `count` items that `query.allows`; fewer only if it can propose no more.

        Returns:
            None if it knows nothing about the user.
        """

    def top_of_each(self, queries: Sequence[Query], count: int) -> Iterator[Candidates | None]:
        """Yield the result of `top` for each query; override it if a batch is faster."""
        for query in queries:
            yield self.top(query, count)

    def target_ranks(self, queries: Sequence[Query], targets: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return the position of each query's target among its `count` candidates, from 0; at least `count` if absent.

        Training calls it for every option that it tries; override it if there is a faster way than `top_of_each`.
        """
        ranks = np.full(len(targets), count)
        for place, candidates in enumerate(self.top_of_each(queries, count)):
            found = np.flatnonzero(candidates.item_num == targets[place]) if candidates is not None else targets[:0]
            if len(found):
                ranks[place] = found[0]
        return ranks

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return its score of any items, on the scale of `Candidates.score`, (n,) float64.

        Returns:
            NaN for items that it knows nothing about; None if it scores only its own candidates, or knows nothing
            about the user.
        """
        return None

    def predicted_rating(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the rating that it predicts for each item, (n,) float64, not clipped to the scale.

        Returns:
            None if it predicts no ratings.
        """
        return None

    @property
    def predicts_ratings(self) -> bool:
        """Whether the source has a `predicted_rating` of its own."""
        return type(self).predicted_rating is not Source.predicted_rating

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the rating that it predicts for each pair, (n,) float64; -1 stands for an unknown user or item.

        Returns:
            None if it predicts no ratings.
        """
        return None

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the main origin of each item's score; None if unknown."""
        return [None] * len(item_num)

    @classmethod
    def validation_error(cls, context: FitContext, options: Any) -> float | None:  # noqa: ANN401 - see `fit`
        """Return the error that a search for hyper-parameters minimizes.

        Returns:
            None if the source has no such error.

        Raises:
            DataError: there is nothing to validate on.
            FitError: the error is not finite.
        """
        return None

    def __str__(self) -> str:
        """Describe the source in a few words, for the report."""
        return self.name
