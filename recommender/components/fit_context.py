"""The input of a component's fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.common.stopwatch import Stopwatch
from recommender.data.histories import Histories

if TYPE_CHECKING:  # pandas and torch
    from recommender.data.interactions import Interactions
    from recommender.models.distributed import Hosts

T = TypeVar("T")
Metrics = dict[str, float | int | list[float]]


@dataclass(frozen=True)
class FitContext:
    """The training data and the environment of a fit.

    Attributes:
        data: the events to fit.
        validation: ratings for choices, numbered as `data`; None without the channel.
        titles: by item_num; '' if unknown.
        hosts: the hosts that fit one model together; None: this host is alone.
        checkpoint_dir: where to keep checkpoints; None: keep none.
        watch: laps of the fit, such as `choose`.
        metrics: filled by the fit; prefix a name with that of the component.
        wanted_items: items with needed rows in a table of items x items, ascending; None: all.
        memo: intermediate results that several fits to the same data share.
    """

    data: "Interactions"
    validation: "Interactions | None" = None
    titles: Sequence[str] = ()
    hosts: "Hosts | None" = None
    checkpoint_dir: Path | None = None
    watch: Stopwatch = field(default_factory=Stopwatch)
    metrics: Metrics = field(default_factory=dict)
    wanted_items: NDArray[np.integer] | None = None
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def histories(self) -> Histories:
        """The history of every user."""
        return Histories.from_interactions(self.data)

    @cached_property
    def pairs(self) -> "Interactions":
        """The latest event of each pair of user and item, sorted by user, then time."""
        return self.data.pairs()

    @property
    def has_clock(self) -> bool:
        """Whether times are seconds; else they are only an order."""
        return self.data.seconds_per_unit is not None

    def remember(self, key: object, make: Callable[[], T]) -> T:
        """Return the result of `make` from the first call with this key."""
        if key not in self.memo:
            self.memo[key] = make()
        found: T = self.memo[key]
        return found
