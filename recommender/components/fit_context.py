"""The input of a component's fit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.common.stopwatch import Stopwatch

if TYPE_CHECKING:  # pandas and torch
    from recommender.data.interactions import Interactions
    from recommender.models.distributed import Hosts

Metrics = dict[str, float | int | list[float]]


@dataclass(frozen=True)
class FitContext:
    """The training data and the environment of a fit.

    Attributes:
        data: the ratings to fit.
        validation: ratings for choices, numbered as `data`; None without the channel.
        titles: by item_num; '' if unknown.
        hosts: the hosts that fit one model together; None: this host is alone.
        checkpoint_dir: where to keep checkpoints; None: keep none.
        watch: laps of the fit, such as `choose`.
        metrics: filled by the fit; prefix a name with that of the component.
    """

    data: "Interactions"
    validation: "Interactions | None" = None
    titles: Sequence[str] = ()
    hosts: "Hosts | None" = None
    checkpoint_dir: Path | None = None
    watch: Stopwatch = field(default_factory=Stopwatch)
    metrics: Metrics = field(default_factory=dict)
