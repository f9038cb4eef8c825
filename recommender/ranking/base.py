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
    """A ranking feature: a number for each candidate, 0..1, that the final score weighs.

    Attributes:
        shown_as: the field of a recommended item in the response that holds the number.
        shown_description: what the OpenAPI document says of that field.
        weight: share of the feature in the final score, 0..1; None: the share that all others leave.
    """

    shown_as: ClassVar[str | None] = None
    shown_description: ClassVar[str] = ""
    weight: float | None = 0.0

    @abstractmethod
    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        """Return a number for each candidate, (n,) float64; NaN where it knows nothing of the item.

        Returns:
            None where it knows nothing of the user; its weight then goes to the features with weight None.
        """

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[int | None]:
        """Return for each item the item of the history that speaks most for it; None where there is none."""
        return [None] * len(item_num)
