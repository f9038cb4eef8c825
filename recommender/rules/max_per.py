"""Max per: at most some items that share a value of an attribute."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.artifacts.model_folder import Model
from recommender.attributes.base import Attribute
from recommender.data.bounds import MAX_NAME_CHARACTERS
from recommender.data.identifiers import WholeNumber
from recommender.errors import RequestError
from recommender.rules.base import Cap, Mask, Rule

MAX_ATTRIBUTES = 5
MAX_ITEMS = 1_000


class PerValue(Cap):
    """At most some items of each value of an attribute. An item without a value is not limited.

    Attributes:
        attribute: the attribute.
    """

    def __init__(self, attribute: Attribute, most: int, num_items: int) -> None:
        self.attribute, self._most, self._num_items = attribute, most, num_items

    def begin(self, item_num: NDArray[np.int64], taken: NDArray[np.int64]) -> "TallyPerValue":
        """Return the count for a list of candidates."""
        place, value = self.attribute.groups(item_num)
        distinct, value = np.unique(value, return_inverse=True)
        of_taken = self.attribute.groups(taken)[1]
        at = np.searchsorted(distinct, of_taken)
        is_known = at < len(distinct)
        is_known[is_known] = distinct[at[is_known]] == of_taken[is_known]
        count = np.bincount(at[is_known], minlength=len(distinct))
        return TallyPerValue(len(item_num), place, value, count, self._most)

    def closed(self, taken: NDArray[np.int64]) -> Mask:
        """Return which items have a value that `most` of the taken ones have."""
        distinct, count = np.unique(self.attribute.groups(taken)[1], return_counts=True)
        place, value = self.attribute.groups(np.arange(self._num_items))
        found = np.zeros(self._num_items, bool)
        found[place[np.isin(value, distinct[count >= self._most])]] = True
        return found


class TallyPerValue:
    """The number of taken candidates of each value.

    Attributes:
        is_open: (n,) bool, which candidates can be taken.
    """

    def __init__(
        self, size: int, place: NDArray[np.int64], value: NDArray[np.int64], count: NDArray[np.int64], most: int
    ) -> None:
        self.is_open = np.ones(size, bool)
        self._most, self._count = most, count
        self._offsets = np.searchsorted(place, np.arange(size + 1))  # the values of each candidate
        self._value = value
        order = np.argsort(value, kind="stable")  # the candidates of each value
        self._value_offsets, self._place = np.searchsorted(value[order], np.arange(len(count) + 1)), place[order]
        for full in np.flatnonzero(count >= most).tolist():
            self._close(full)

    def take(self, place: int) -> None:
        """Count a candidate; close the others of a value that is full then."""
        for value in self._value[self._offsets[place] : self._offsets[place + 1]].tolist():
            self._count[value] += 1
            if self._count[value] == self._most:
                self._close(value)

    def _close(self, value: int) -> None:
        self.is_open[self._place[self._value_offsets[value] : self._value_offsets[value + 1]]] = False


class MaxPer(Rule):
    """The largest number of items of one value, by name of an attribute."""

    name = "max_per"
    Value = Annotated[
        dict[Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)], Annotated[WholeNumber, Field(ge=1, le=MAX_ITEMS)]],
        Field(min_length=1, max_length=MAX_ATTRIBUTES),
    ]
    description = (
        "How many items of the response may share a value of an attribute, by its name, such as {store: 2}. An item "
        "without a value is not limited; one with a list counts for each text of it."
    )

    def __init__(self, caps: Sequence[PerValue]) -> None:
        self._caps = caps

    @classmethod
    def of(cls, value: Mapping[str, int], model: Model) -> Self:
        """Return the rule with these numbers."""
        return cls([cap_of(name, most, model, f"{cls.name}.{name}") for name, most in value.items()])

    def caps(self) -> Sequence[Cap]:
        """Return a limit for each attribute."""
        return self._caps


def cap_of(name: str, most: int, model: Model, field: str) -> PerValue:
    """Return the limit on items that share a value of an attribute.

    Raises:
        RequestError: the model does not have the attribute, or items do not share its values.
    """
    attribute = model.attributes.of(name, field)
    try:
        attribute.groups(np.empty(0, np.int64))
    except ValueError as error:
        raise RequestError(field, str(error)) from None
    return PerValue(attribute, most, len(model.items))
