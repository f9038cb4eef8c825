"""The contract of a rule."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.candidates.fixed_order import Proposer
from recommender.components.query import Query
from recommender.models.title_vectors import TitleVectors

Mask = NDArray[np.bool_]


class Cap(Protocol):
    """A limit on items that are in one response together."""

    def begin(self, item_num: NDArray[np.int64], taken: NDArray[np.int64]) -> "Tally":
        """Return the count for a list of candidates.

        Args:
            item_num: (n,), the candidates.
            taken: items that are in the response already.
        """
        ...

    def closed(self, taken: NDArray[np.int64]) -> Mask:
        """Return which items of the catalogue can't be added to these, (num_items,) bool; O(items)."""
        ...


class Tally(Protocol):
    """The count of a cap while a list is made.

    Attributes:
        is_open: (n,) bool, which candidates can be taken.
    """

    is_open: Mask

    def take(self, place: int) -> None:
        """Count a candidate that was taken."""
        ...


@dataclass(frozen=True)
class Lane:
    """A share of a response that is kept for some items.

    At least `floor(share * n)` of the first n items are of the lane, as long as there are any.

    Attributes:
        rule: the name of the rule; the response shows it at each item that has its place by it.
        share: from 0 to 1.
        mask: (num_items,) bool, the items of the lane.
        proposer: the only one that proposes and orders these items; None: all sources, by the final score.
    """

    rule: str
    share: float
    mask: Mask
    proposer: Proposer | None = None


class Rule(ABC):
    """A rule of a request: a field, and its effect. A rule is one file; the folder is scanned.

    Attributes:
        name: the field of a request.
        Value: the type of the field, with its bounds, as pydantic takes it.
        description: of the field, for the OpenAPI document.
    """

    name: ClassVar[str]
    Value: ClassVar[Any]
    description: ClassVar[str]

    @classmethod
    @abstractmethod
    def of(cls, value: Any, model: Model) -> Self:  # noqa: ANN401 - of the type `Value`
        """Return the rule for a checked value of the field.

        Raises:
            RequestError: the model does not have what the value names.
        """

    def restrict(self, query: Query) -> Query:
        """Return the query with fewer allowed items."""
        return query

    def allows_unknown(self, item_id: str) -> bool:
        """Return whether an item that the model does not know may stay in a list to rank.

        By default a rule that restricts allows none, since nothing says that the item meets it.
        """
        return type(self).restrict is Rule.restrict

    def caps(self) -> Sequence[Cap]:
        """Return the limits on items that are in one response together."""
        return ()

    def lane(self) -> Lane | None:
        """Return the share of the response that is kept for some items."""
        return None

    def diversity(self) -> tuple[float, TitleVectors] | None:
        """Return the weight of dissimilarity, from 0 to 1, and the vectors that tell it."""
        return None
