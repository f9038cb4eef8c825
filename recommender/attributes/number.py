"""Numbers, such as a price."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from recommender.attributes.base import Attribute, Condition, Mask, with_missing
from recommender.components.base import Array, Arrays

if TYPE_CHECKING:
    import pyarrow as pa


class Range(Condition):
    """A range, both ends included."""

    min: float | None = Field(None, description="lowest value")
    max: float | None = Field(None, description="highest value")

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min of at most max, which is {self.max:g}, got {self.min:g}")
        return self


class NumberAttribute(Attribute):
    """A number for each item, or none."""

    name = "number"
    arrays = {"value": Array(np.float64, ("items",)), "known": Array(np.bool_, ("items",))}
    conditions = Range

    def __init__(self, value: NDArray[np.float64], known: Mask) -> None:
        self._value, self._known = value, known

    @classmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether it is float64."""
        return str(kind) == "double"

    @classmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with these numbers."""
        known = values.is_valid().to_numpy(zero_copy_only=False)
        return cls(np.asarray(values.fill_null(0.0).to_numpy(zero_copy_only=False), np.float64), known)

    def to_arrow(self) -> "pa.Array":
        """Return the values."""
        import pyarrow as pa

        return pa.array(self._value, mask=~self._known)

    def save(self) -> Arrays:
        """Return the numbers, and which are known."""
        return {"value": self._value, "known": self._known}

    @classmethod
    def load(cls, arrays: Arrays) -> Self:
        """Return the attribute with these numbers."""
        return cls(arrays["value"], arrays["known"])

    @property
    def known(self) -> Mask:
        """Which items have a number."""
        return self._known

    def matches(self, condition: Any) -> Mask:  # noqa: ANN401 - a `Range`
        """Return which items have a number in the range."""
        found = np.ones(len(self._value), bool)
        low, high = condition.min, condition.max
        if low is not None:
            found &= self._value >= low
        if high is not None:
            found &= self._value <= high
        if low is not None or high is not None:
            found &= self._known
        return with_missing(found, self._known, condition)
