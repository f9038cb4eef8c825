"""Whoever recommends: a name, what is tried on validation, and a fit that gives recommendations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recommender.data.interactions import Interactions
from study.hits.scoring import Recommend

Params = Mapping[str, float]
Fit = Callable[[Interactions, Sequence[str], Params], Recommend]  # train ratings, titles by item number


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Attributes:
        name: what tables call it.
        stage: recall, rerank, baseline or peer.
        fit: from ratings and titles to recommendations over the full catalogue, seen items left out.
        grid: what validation chooses from; of equal ones the first.
        package: the distribution that it needs on top of the project's own; '' for none.
    """

    name: str
    stage: str
    fit: Fit
    grid: Sequence[Params] = ({},)
    package: str = ""
