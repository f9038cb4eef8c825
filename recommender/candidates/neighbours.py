"""Neighbours: items that users have had together with the items of the history."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field

from recommender.candidates.base import Axis, Role
from recommender.candidates.item_table import ItemTable
from recommender.components.fit_context import FitContext
from recommender.components.recency import RecencyOptions
from recommender.config import Range

if TYPE_CHECKING:
    from recommender.models.groups import Groups


class NeighboursOptions(RecencyOptions):
    """How event pairs count (see `models.neighbour_table`), and how a history is weighted."""

    ranges: ClassVar[Mapping[str, Range]] = {"num_neighbours": Range(20, 500)}

    num_neighbours: int = Field(100, ge=1, le=10_000, description="neighbours that are kept for each item")
    length_power: float = Field(
        1.0, ge=0, le=2, description="a pair counts 1 / (number of the user's or session's events) to this power"
    )
    popularity_power: float = Field(
        0.0, ge=0, le=1, description="divide a score by the neighbour's number of events to this power"
    )
    history_power: float = Field(
        0.0, ge=0, le=1, description="divide a score by the history item's number of events to this power"
    )
    distance_decay: float = Field(
        1.0, gt=0, le=1, description="a pair's factor for each further step between its two events"
    )
    backward: float = Field(1.0, ge=0, le=1, description="a pair's factor if the neighbour came before the item")


class Neighbours(ItemTable):
    """Items by the weighted sum of their pairs with the items of the history, counted over users."""

    name = "neighbours"
    default_roles = (Role.CANDIDATES,)
    Options = NeighboursOptions

    @classmethod
    def fit(cls, context: FitContext, options: NeighboursOptions) -> Self:
        """Count the event pairs of every item."""
        from recommender.models.neighbour_table import PairWeights, neighbour_table  # numba: a second

        groups, num_items = cls._groups(context, options), len(context.data.items)
        weights = PairWeights(options.length_power, options.popularity_power, options.distance_decay, options.backward)
        wanted = (cls.name, id(groups), weights, options.num_neighbours)  # `context` keeps the groups, so IDs differ
        made, table = context.memo.get("neighbours", (None, None))
        if made != wanted:  # other recencies need no other table
            table = neighbour_table(groups, num_items, weights, options.num_neighbours, context.wanted_items)
            context.memo["neighbours"] = wanted, table
        if not options.history_power:
            return cls(table, options)
        count = np.bincount(groups.item_num, minlength=num_items)
        return cls(table.scaled(np.maximum(count, 1.0) ** -options.history_power), options)

    @classmethod
    def _groups(cls, context: FitContext, options: NeighboursOptions) -> "Groups":
        """Return the groups in which events are paired."""
        from recommender.models.groups import Groups

        return context.remember("user groups", lambda: Groups.of_users(context.pairs))

    @classmethod
    def choices(cls, context: FitContext, options: NeighboursOptions) -> Sequence[Axis]:
        """Return the recencies, and the weights of pairs."""
        orders = ((1.0, 1.0), (0.85, 1.0), (0.85, 0.3))
        return [
            *options.recencies(context.has_clock),
            [{"popularity_power": power} for power in (0.0, 0.2, 0.5)],
            [{"length_power": power} for power in (0.0, 0.5, 1.0)],
            [{"distance_decay": decay, "backward": backward} for decay, backward in orders],
            [{"history_power": power} for power in (0.0, 0.5)],
        ]
