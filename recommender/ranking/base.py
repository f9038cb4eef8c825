"""The contract of a ranking feature."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.base import Component
from recommender.components.query import Query
from recommender.data.options import SharedOptions

ITEM_FIELDS = ("item_id", "title", "score", "predicted_rating", "because")  # of a recommended item in a response


class Feature(Component):
    """A ranking feature: a number for each candidate, 0..1, with a weight in the final score.

    Attributes:
        shown_as: the field of a recommended item in the response that holds the number.
        shown_description: the description of that field in the OpenAPI document.
        takes_the_rest: whether its weight is what the others leave, instead of its option `weight`.
    """

    shown_as: ClassVar[str | None] = None
    shown_description: ClassVar[str] = ""
    takes_the_rest: ClassVar[bool] = False

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

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[int | None]:
        """Return for each item the item of the history that is the main reason for it; None if no item is."""
        return [None] * len(item_num)


def check_shown(features: Iterable[type[Feature]]) -> None:
    """Check that features show their numbers in fields of their own.

    Raises:
        TypeError: two features share a field, or a feature takes one that every item has.
    """
    taken = dict.fromkeys(ITEM_FIELDS, "every item")
    for feature in features:
        if feature.shown_as is None:
            continue
        if feature.shown_as in taken:
            raise TypeError(
                f"{feature.__module__}: shown_as {feature.shown_as!r} is taken by {taken[feature.shown_as]}"
            )
        taken[feature.shown_as] = feature.name
