"""The contract of a ranking feature."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates
from recommender.components.base import Component
from recommender.components.query import Query


class Feature(Component):
    """A ranking feature: a number for each candidate, 0..1, with a weight in the final score.

    Attributes:
        shown_as: the field of a recommended item in the response that holds the number.
        shown_description: the description of that field in the OpenAPI document.
        weight: share of the feature in the final score, 0..1; None: the share that the others leave.
    """

    shown_as: ClassVar[str | None] = None
    shown_description: ClassVar[str] = ""
    weight: float | None = 0.0

    @abstractmethod
    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        """Return a number for each candidate, (n,) float64; NaN for items that it knows nothing about.

        Returns:
            None if it knows nothing about the user; the features with weight None then get its weight.
        """

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[int | None]:
        """Return for each item the item of the history that is the main reason for it; None if no item is."""
        return [None] * len(item_num)
