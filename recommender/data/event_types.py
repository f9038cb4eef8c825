"""Weights of events by their type: a purchase says more than a view."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from recommender.common.messages import shown
from recommender.common.output import say
from recommender.errors import DataError

if TYPE_CHECKING:  # the server imports this module
    import pandas as pd

MAX_WEIGHT = 1_000_000
MAX_NAMED = 20  # event types in one message
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def parse_event_weights(text: str) -> dict[str, float]:
    """Parse a text such as `purchase=5,view=1` into event type -> weight.

    Raises:
        ValueError: a part is not such a pair, a weight is out of range, or a type occurs twice.
    """
    weights: dict[str, float] = {}
    for part in text.split(",") if text.strip() else []:
        name, _, number = (word.strip() for word in part.rpartition("="))
        if not name or not NUMBER.fullmatch(number) or float(number) > MAX_WEIGHT:
            raise ValueError(f"expected pairs such as purchase=5,view=1, with weights from 0 to {MAX_WEIGHT:,}")
        if name in weights:
            raise ValueError(f"expected each type once, got {shown(name)} twice")
        weights[name] = float(number)
    if weights and not any(weights.values()):
        raise ValueError("expected at least one weight above 0")
    return weights


def weigh(events: "pd.DataFrame", weights: Mapping[str, float], source: str) -> "pd.DataFrame":
    """Multiply the weights of events by those of their types, and leave out events of weight 0.

    Args:
        events: a checked frame; the result has no column event_type.
        weights: event type -> weight; events of other types are left out. If empty, the type does not matter.
        source: the name of the channel or frame for messages.

    Raises:
        DataError: no event is left.
    """
    if weights:
        events = _weigh_by_type(events, weights, source)
    events = events.drop(columns="event_type", errors="ignore")
    if "weight" not in events:
        return events
    counts = events["weight"].to_numpy() > 0
    if counts.all():
        return events
    if not counts.any():
        raise DataError(f"{source}: expected at least one event with a weight above 0, got none")
    say(f"{source}: {int((~counts).sum()):,} events of weight 0 are left out")
    return events[counts].reset_index(drop=True)


def _weigh_by_type(events: "pd.DataFrame", weights: Mapping[str, float], source: str) -> "pd.DataFrame":
    types = events["event_type"].cat
    names = types.categories.tolist()
    codes = types.codes.to_numpy()
    named = np.array([name in weights for name in names])
    if not named.any():
        raise DataError(
            f"{source}: expected event_weights to name at least one event type of the data; the types are "
            f"{_listed(names)}"
        )
    if missing := [shown(name) for name in weights if name not in names]:
        say(f"{source}: event_weights names types that no event has: {_cut(missing)}")
    if not named.all():
        count = np.bincount(codes, minlength=len(names))
        left_out = [
            f"{count[number]:,} {shown(names[number])}"
            for number in np.argsort(-count, kind="stable")
            if not named[number]
        ]
        say(f"{source}: events of types that event_weights does not name are left out: {_cut(left_out)}")
    weight = np.array([weights.get(name, 0) for name in names], np.float32)[codes]
    if "weight" in events:
        weight *= events["weight"].to_numpy()
    of_named = named[codes]
    return events.assign(weight=weight)[of_named].reset_index(drop=True)


def _listed(names: list[str]) -> str:
    return _cut([shown(name) for name in names])


def _cut(parts: list[str]) -> str:
    more = len(parts) - MAX_NAMED
    return ", ".join(parts[:MAX_NAMED]) + (f" and {more:,} other types" if more > 0 else "")
