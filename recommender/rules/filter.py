"""Filter: only items with attributes that meet all conditions."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from recommender.artifacts.model_folder import Model
from recommender.components.query import Query
from recommender.data.bounds import MAX_NAME_CHARACTERS
from recommender.rules.base import Mask, Rule

MAX_CONDITIONS = 20
Conditions = Annotated[
    dict[Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)], Any], Field(min_length=1, max_length=MAX_CONDITIONS)
]


class Filter(Rule):
    """Conditions on attributes, by name; an item must meet all of them."""

    name = "filter"
    Value = Conditions
    description = (
        "Conditions on attributes of the items, by name; only items that meet all of them are recommended. A number or "
        "time has `min` and `max`, a boolean `is`, a text `any` and `not`, a list of texts `any`, `all` and `not`. "
        "An item without a value meets only `not`; each condition can have `missing` to keep or forbid such items."
    )

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    @classmethod
    def of(cls, value: Mapping[str, Any], model: Model) -> Self:
        """Return the filter with these conditions."""
        return cls(mask_of(value, model, cls.name))

    def restrict(self, query: Query) -> Query:
        """Allow only the items that meet the conditions."""
        return query.restricted(self._mask)


def mask_of(conditions: Mapping[str, Any], model: Model, field: str) -> Mask:
    """Return which items meet all conditions, (num_items,) bool; O(items) for each condition.

    Args:
        conditions: by name of the attribute.
        model: has the attributes.
        field: the field of the request, for errors.

    Raises:
        RequestError: an attribute is unknown, or a condition is not one for its type.
    """
    found = np.ones(len(model.items), bool)
    for name, condition in conditions.items():
        attribute = model.attributes.of(name, field)
        found &= attribute.matches(attribute.checked(condition, f"{field}.{name}"))
    return found
