"""True or false, such as whether an item is in stock."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.attributes.base import Attribute, Condition, Mask, with_missing
from recommender.components.base import Array, Arrays

if TYPE_CHECKING:
    import pyarrow as pa


class Is(Condition):
    """True or false."""

    is_: bool | None = Field(None, alias="is", description="the value")


class BooleanAttribute(Attribute):
    """True or false for each item, or nothing."""

    name = "boolean"
    arrays = {"value": Array(np.bool_, ("items",)), "known": Array(np.bool_, ("items",))}
    conditions = Is

    def __init__(self, value: Mask, known: Mask) -> None:
        self._value, self._known = value, known

    @classmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether it is bool."""
        return str(kind) == "bool"

    @classmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with these values."""
        known = values.is_valid().to_numpy(zero_copy_only=False)
        return cls(values.fill_null(False).to_numpy(zero_copy_only=False), known)

    def to_arrow(self) -> "pa.Array":
        """Return the values."""
        import pyarrow as pa

        return pa.array(self._value, mask=~self._known)

    def save(self) -> Arrays:
        """Return the values, and which are known."""
        return {"value": self._value, "known": self._known}

    @classmethod
    def load(cls, arrays: Arrays) -> Self:
        """Return the attribute with these values."""
        return cls(arrays["value"], arrays["known"])

    @property
    def known(self) -> Mask:
        """Which items have a value."""
        return self._known

    def matches(self, condition: Any) -> Mask:  # noqa: ANN401 - an `Is`
        """Return which items have the value."""
        if condition.is_ is None:
            return with_missing(np.ones(len(self._value), bool), self._known, condition)
        return with_missing((self._value == condition.is_) & self._known, self._known, condition)

    def groups(self, item_num: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return 0 for false and 1 for true."""
        place = np.flatnonzero(self._known[item_num])
        return place, self._value[item_num[place]].astype(np.int64)
