"""The rules of a request: checked values -> restrictions of the query, and a selection."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from recommender.artifacts.model_folder import Model
from recommender.candidates.fixed_order import FixedOrder
from recommender.common.messages import first_problem
from recommender.components.query import Query
from recommender.errors import RequestError
from recommender.pipeline.interests import INTERESTS, SHARE
from recommender.rules import RULES
from recommender.rules.base import Lane, Rule
from recommender.rules.deny_list import DenyList
from recommender.rules.selection import Selection
from recommender.rules.variants import Variants

# The fields of all rules; the service's request has them, too.
_FIELDS: dict[str, Any] = {
    name: (rule.Value | None, Field(None, description=rule.description)) for name, rule in RULES.items()
}
RuleValues: type[BaseModel] = create_model(
    "RuleValues", __config__=ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False), **_FIELDS
)


def checked_values(rules: Mapping[str, object]) -> dict[str, Any]:
    """Return the values of rules by name, checked against their types.

    Raises:
        RequestError: a rule is unknown or its value has another type.
    """
    if not rules:
        return {}
    try:
        return given_values(RuleValues.model_validate(plain(rules)))
    except ValidationError as error:
        raise RequestError(*first_problem(error, RuleValues)) from None


def plain(value: object) -> Any:  # noqa: ANN401 - a JSON value, or a value to refuse
    """Return a value of Python as JSON has it: a tuple, set or array as list, a time as text, numpy's as Python's."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=str)
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return value.isoformat() if isinstance(value, datetime.date) else value


def given_values(values: BaseModel) -> dict[str, Any]:
    """Return the rules that a checked object has."""
    return {name: value for name in RULES if (value := getattr(values, name)) is not None}


@dataclass(frozen=True)
class AppliedRules:
    """The rules of one request.

    Attributes:
        rules: those that the request or the model sets.
        selection: how they choose from ranked candidates.
        deny_list: items that are not recommended; None: the server has no such list.
    """

    rules: Sequence[Rule] = ()
    selection: Selection = field(default_factory=Selection)
    deny_list: DenyList | None = None

    @classmethod
    def of(
        cls,
        values: Mapping[str, Any],
        model: Model,
        variants: Variants | None,
        deny_list: DenyList | None,
        wanted: FixedOrder | None = None,
    ) -> Self:
        """Return the rules with these values.

        Args:
            values: checked, by name.
            model: has the items.
            variants: the rule that the model itself sets.
            deny_list: items that are not recommended.
            wanted: items that match the user's interests: a share of the response is kept for them.

        Raises:
            RequestError: the model does not have what a value names, or shares exceed the response.
        """
        # Variants of seen items are left out, those of items that a later rule denies are not.
        rules: list[Rule] = [] if variants is None else [variants]
        rules += [RULES[name].of(value, model) for name, value in values.items()]
        lanes = [lane for rule in rules if (lane := rule.lane()) is not None and lane.share > 0]
        if sum(lane.share for lane in lanes) > 1:
            total = sum(lane.share for lane in lanes)
            names = " and ".join(lane.rule for lane in lanes)
            raise RequestError(lanes[-1].rule, f"expected shares of {names} of at most 1 together, got {total:g}")
        if wanted is not None:
            mask = np.zeros(len(model.items), bool)
            mask[wanted.first(len(mask))] = True
            lanes.append(Lane(INTERESTS, min(SHARE, 1 - sum(lane.share for lane in lanes)), mask, wanted))
        weight, vectors = next((found for rule in rules if (found := rule.diversity()) is not None), (0.0, None))
        caps = [cap for rule in rules for cap in rule.caps()]
        return cls(rules, Selection(caps, lanes, weight, vectors), deny_list)

    @property
    def are_none(self) -> bool:
        """Whether no rule has an effect on a response."""
        denies_none = self.deny_list is None or self.deny_list.is_empty
        return not self.rules and self.selection.keeps_order and denies_none

    def allows_unknown(self, item_id: str) -> bool:
        """Return whether all rules allow an item that the model does not know."""
        listed = self.deny_list is None or self.deny_list.allows_unknown(item_id)
        return listed and all(rule.allows_unknown(item_id) for rule in self.rules)

    def restrict(self, query: Query) -> Query:
        """Return the query with the items that all rules allow."""
        for rule in self.rules:
            query = rule.restrict(query)
        return query if self.deny_list is None else self.deny_list.restrict(query)
