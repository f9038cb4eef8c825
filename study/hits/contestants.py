"""Whoever recommends: a name, what is tried on validation, and a fit that gives recommendations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions
from study.data import Data
from study.hits.environments import HERE, Environment
from study.hits.scoring import Recommend

Value = float | str
Params = Mapping[str, Value]
Fit = Callable[[Interactions, Sequence[str], Params, int], Recommend]  # events, titles by item number, params, seed
Times = NDArray[np.int64]
TimedFit = Callable[[Interactions, Sequence[str], Params, int, Times | None], Recommend]
Choose = Callable[
    [Data], list[dict[str, Value]]
]  # held-out events inside train -> what was tried, with its `CRITERION`
CRITERION = "ndcg@100"


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Attributes:
        name: what tables call it.
        stage: ours, source, baseline or peer.
        fit: from events and titles to recommendations over the full catalogue, seen items left out.
        grid: what validation chooses from; of equal ones the first.
        package: the distribution that it needs on top of the project's own; '' for none.
        seeds: fits with other seeds, for contestants with chance; metrics are their means.
        uses_titles: whether titles change its result.
        needs_ratings: whether it can't be fitted to events without ratings.
        choose: tries by itself instead of the grid; see `Choose`.
        unsuited: why it does not suit a data set; None if it does.
        environment: where the package is installed.
        files: other modules that decide its result.
        timed: like `fit`, with the time of each request as well, which a server knows; most contestants do not use it.
    """

    name: str
    stage: str
    fit: Fit
    grid: Sequence[Params] = ({},)
    package: str = ""
    seeds: int = 1
    uses_titles: bool = False
    needs_ratings: bool = False
    choose: Choose | None = None
    unsuited: Callable[[Data], str | None] = lambda _: None
    environment: Environment = HERE
    files: tuple[Path, ...] = ()
    timed: TimedFit | None = None

    def missing(self, data: Data) -> str | None:
        """Return why it does not run on this data; None if it does."""
        if self.name in data.left_out:
            return data.left_out[self.name]
        if self.package and self.environment.version(self.package) is None:
            return f"{self.package} is not installed"
        if self.needs_ratings and data.train.rating is None:
            return "it needs ratings, which this data has not"
        return self.unsuited(data)

    def fitted(self, data: Data, params: Params, seed: int) -> Recommend:
        """Fit all of train."""
        if self.timed is not None:
            return self.timed(data.train, data.titles, params, seed, data.times)
        return self.fit(data.train, data.titles, params, seed)
