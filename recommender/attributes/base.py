"""The contract of a type of attribute."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recommender.common.messages import UNKNOWN, first_problem, shown
from recommender.components.base import Array, Arrays
from recommender.errors import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

Mask = NDArray[np.bool_]  # (num_items,)


class Condition(BaseModel):
    """What a filter demands of one attribute. A missing value meets `not`, and `missing` can keep or forbid it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)

    missing: bool | None = Field(
        None,
        description="false: the item must have a value; true: an item without one is kept too, and without other parts "
        "only such items",
    )

    @model_validator(mode="after")
    def _has_a_part(self) -> Self:
        if self.missing is None and not self.has_other_parts:
            raise ValueError(f"expected at least one of {', '.join(self.operators())}")
        return self

    @property
    def has_other_parts(self) -> bool:
        """Whether it demands something of the value, too."""
        return any(value is not None for name, value in self if name != "missing")

    @classmethod
    def operators(cls) -> list[str]:
        """Return the names of the parts, as clients write them."""
        return [*cls.described()]

    @classmethod
    def described(cls) -> dict[str, str]:
        """Return the name of each part, as clients write it, and its description."""
        return {field.alias or name: field.description or "" for name, field in cls.model_fields.items()}


class Attribute(ABC):
    """The values of one attribute of all items. A type of attribute is one file; `attributes.TYPES` lists them.

    Attributes:
        name: the type, such as number; configurations and messages show it.
        arrays: the arrays that it keeps; see `components.base.Array`. The size "items" is known.
        conditions: what a filter may demand.
    """

    name: ClassVar[str]
    arrays: ClassVar[Mapping[str, Array]]
    conditions: ClassVar[type[Condition]]

    @classmethod
    @abstractmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether a column of the items channel with this Arrow type becomes an attribute of this type."""

    @classmethod
    @abstractmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with the value of each item; null if it is missing."""

    @abstractmethod
    def save(self) -> Arrays:
        """Return the arrays to keep: those that `arrays` names."""

    @classmethod
    @abstractmethod
    def load(cls, arrays: Arrays) -> Self:
        """Return the attribute that `save` stored.

        Args:
            arrays: read-only, as `arrays` declares.

        Raises:
            ValueError: the arrays do not belong together.
        """

    @abstractmethod
    def to_arrow(self) -> "pa.Array":
        """Return the value of each item; null if it is missing. The inverse of `from_arrow`."""

    @property
    @abstractmethod
    def known(self) -> Mask:
        """Which items have a value."""

    @abstractmethod
    def matches(self, condition: Any) -> Mask:  # noqa: ANN401 - an instance of `conditions`
        """Return which items meet a condition; O(items)."""

    def prepare(self) -> None:  # noqa: B027 - most types need nothing
        """Compute what `matches` needs, so that the workers of a server share it."""

    def groups(self, item_num: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the values of some items as numbers, for rules that count the items of a value.

        Returns:
            Positions in `item_num`, ascending, and the number of a value at each, (n,) int64 both. An item without a
            value has no entry, one with several values has several.

        Raises:
            ValueError: the type has no values that items share.
        """
        raise ValueError(f"expected an attribute with values that items share, got one of type {self.name}")

    @classmethod
    def checked(cls, value: object, field: str) -> Condition:
        """Return the checked condition of a request.

        Args:
            value: any JSON value.
            field: its name, such as filter.price.

        Raises:
            RequestError: it is not one for this type; the message names the part and what was expected.
        """
        if not isinstance(value, dict):
            raise RequestError(field, f"expected an object with some of {_listed(cls.conditions)}, got {shown(value)}")
        try:
            return cls.conditions.model_validate(value)
        except ValidationError as error:
            part, message = first_problem(error, cls.conditions)
            if message.startswith(UNKNOWN):
                message = f"{UNKNOWN}; a condition on an attribute of type {cls.name} has {_listed(cls.conditions)}"
            raise RequestError(f"{field}.{part}" if part else field, message) from None


def _listed(condition: type[Condition]) -> str:
    return ", ".join(condition.operators())


def with_missing(found: Mask, known: Mask, condition: Condition) -> Mask:
    """Return the mask after the part `missing` of a condition."""
    if condition.missing is None:
        return found
    if not condition.missing:
        return found & known
    return found | ~known if condition.has_other_parts else ~known
