"""The contract of a candidate source."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.components.base import Component
from recommender.components.fit_context import FitContext
from recommender.components.query import Query


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


class Role(StrEnum):
    """The role of a source if the configuration names no sources."""

    CANDIDATES = "candidates"  # its items are ranked
    FALLBACK = "fallback"  # its items are for users that the candidate sources know nothing about


class Source(Component):
    """A candidate source: proposes items for a user from the whole catalogue.

    Attributes:
        default_role: its role if the configuration names no sources; None: it is not in use then.
        origins: the possible values of `Candidates.origin` -> their meaning; by default only the source's name.
    """

    default_role: ClassVar[Role | None] = None
    origins: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        """Name the origin after the source, unless the source names its own."""
        super().__init_subclass__()
        if not cls.__dict__.get("origins"):
            cls.origins = {cls.name: f"candidates of the source {cls.name}"}

    @abstractmethod
    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the best `count` items without `query.exclude`; fewer only if it can propose no more.

        Returns:
            None if it knows nothing about the user.
        """

    def top_of_each(self, queries: Sequence[Query], count: int) -> Iterator[Candidates | None]:
        """Yield what `top` returns for each query; override it if a batch is faster."""
        for query in queries:
            yield self.top(query, count)

    def predicted_rating(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the rating that it predicts for each item, (n,) float64, not clipped to the scale.

        Returns:
            None if it predicts no ratings.
        """
        return None

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the rating that it predicts for each pair, (n,) float64; -1 stands for an unknown user or item.

        Returns:
            None if it predicts no ratings.
        """
        return None

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[int | None]:
        """Return for each item the item of the history that it is proposed for; None if unknown."""
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
