"""The contract of a ranking feature."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.base import Component, Reason
from recommender.components.query import Query
from recommender.data.options import SharedOptions

ITEM_FIELDS = (
    "item_id",
    "title",
    "score",
    "predicted_rating",
    "sources",
    "because",
    "rule",
)  # of a recommended item in a response


class Feature(Component):
    """A ranking feature: a number for each candidate, 0..1, with a weight in the final score.

    The pipeline paper takes the weight from the option `weight`; the pipeline auto learns it.

    Attributes:
        takes_the_rest: whether its weight is what the others leave, instead of its option `weight`.
        only_paper: whether the pipeline auto leaves it out.
    """

    takes_the_rest: ClassVar[bool] = False
    only_paper: ClassVar[bool] = False

    @classmethod
    def weight(cls, options: SharedOptions) -> float | None:
        """Return the share of the feature in the final score, 0..1: its option `weight`, 0 if it has none.

        Returns:
            None if it takes the share that the others leave.
        """
        return None if cls.takes_the_rest else float(getattr(options, "weight", 0))

    @abstractmethod
    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        """Return a number for each candidate, (n,) float64; NaN for items that it knows nothing about.

        Returns:
            None if it knows nothing about the user; the feature that takes the rest then gets its weight.
        """

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the main origin of each item's number; None if unknown."""
        return [None] * len(item_num)


def check_shown(components: Iterable[type[Component]]) -> None:
    """Check that the components of a pipeline show their numbers in different fields.

    Raises:
        TypeError: two components share a field, or a component takes one that every item has.
    """
    taken = dict.fromkeys(ITEM_FIELDS, "every item")
    for part in components:
        if part.shown_as is None:
            continue
        if part.shown_as in taken:
            raise TypeError(f"{part.__module__}: shown_as {part.shown_as!r} is taken by {taken[part.shown_as]}")
        taken[part.shown_as] = part.name
