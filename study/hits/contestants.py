"""Contestants of the hit rates: a name, the parameters to try on validation, and a fit that returns recommendations."""

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
# train with validation events held out -> the parameters that were tried, each with its `CRITERION`
Choose = Callable[[Data], list[dict[str, Value]]]
CRITERION = "ndcg@100"


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Attributes:
        name: its name in the tables.
        stage: ours, source, baseline or peer.
        fit: fits events and titles; returns recommendations from the full catalogue without seen items.
        grid: the parameters to choose from on validation; the first of equally good ones wins.
        package: the distribution that it needs in addition to the project's own; '' for none.
        seeds: the number of fits, each with another seed, for random contestants; metrics are means over them.
        uses_titles: whether titles change its result.
        needs_ratings: whether it can't be fitted to events without ratings.
        choose: tries parameters itself, instead of the grid; see `Choose`.
        unsuited: returns the reason why it does not suit a data set, or None.
        environment: the Python environment with the package.
        files: other modules that affect its result; the cache key includes their code.
        timed: like `fit`, but also gets the time of each request, as a server does. Most contestants do not use it.
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
        """Return the reason why it does not run on this data; None if it runs."""
        if self.name in data.left_out:
            return data.left_out[self.name]
        if self.package and self.environment.version(self.package) is None:
            return f"{self.package} is not installed"
        if self.needs_ratings and data.train.rating is None:
            return "it needs ratings; this data has none"
        return self.unsuited(data)

    def fitted(self, data: Data, params: Params, seed: int) -> Recommend:
        """Fit all train events; return the function that recommends."""
        if self.timed is not None:
            return self.timed(data.train, data.titles, params, seed, data.times)
        return self.fit(data.train, data.titles, params, seed)
