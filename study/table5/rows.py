"""Fitted cells -> the rows of results/study.json, and the differences between lines of the table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.intervals import Estimate
from recommender.evaluation.ratings import rmse_difference, rmse_estimate
from study.table5.cells import DEFAULTS, VALIDATION, Chosen
from study.table5.plan import Cell
from study.table5.steps import Values

# A prediction moves by less than this part of the error that the embeddings are there to correct: collapsed.
COLLAPSED = 0.1
Results = Mapping[Cell, Mapping[str, Chosen]]


@dataclass(frozen=True)
class Group:
    """The fits of a line at one size by all seeds, chosen one way."""

    model: str
    solver: str
    embedding_dim: int
    chosen_on: str


# What the others are compared with: the project's default, the reference of the paper, and no embedding at all.
DEFAULT = Group("bias", "als", 150, VALIDATION)
SURPRISE = Group("surprise svd", "sgd", 150, DEFAULTS)
BIASES = Group("damped biases", "means", 0, VALIDATION)


def rows_of(results: Results, rating: NDArray[np.float32]) -> list[dict[str, object]]:
    """One row for each fit that was chosen: its error on test, with an interval, and what embeddings add to it."""
    rows: list[dict[str, object]] = []
    for cell, ways in results.items():
        for chosen_on, chosen in ways.items():
            figure = rmse_estimate((chosen.predicted - rating)[None])
            plain = float(np.sqrt(np.mean((chosen.plain - rating) ** 2)))
            moved = float(np.sqrt(np.mean((chosen.predicted - chosen.plain) ** 2)))
            rows.append(
                {
                    **asdict(cell),
                    "chosen_on": chosen_on,
                    "iterations": chosen.iterations,
                    **_rounded("test_rmse", figure),
                    "test_rmse_without_embedding": round(plain, 6),
                    "collapsed": bool(cell.embedding_dim and moved < COLLAPSED * plain),
                    "seconds": round(chosen.seconds, 2),
                }
            )
    return rows


def means_of(errors: Mapping[Group, Values]) -> list[dict[str, object]]:
    """One row for each group: the mean over its seeds, with an interval."""
    rows: list[dict[str, object]] = []
    for group, own in errors.items():
        figure = rmse_estimate(own)
        rows.append({**asdict(group), "seeds": len(own), **_rounded("test_rmse", figure)})
    return rows


def differences_of(errors: Mapping[Group, Values]) -> list[dict[str, object]]:
    """Every group less each of `DEFAULT`, `SURPRISE` and `BIASES` on the same test ratings; noise where 0 is inside."""
    rows: list[dict[str, object]] = []
    for group, own in errors.items():
        for reference in (DEFAULT, SURPRISE, BIASES):
            if group != reference and reference in errors:
                figure = rmse_difference(own, errors[reference])
                noise = figure.low <= 0 <= figure.high
                rows.append(
                    {**asdict(group), "minus": asdict(reference), **_rounded("difference", figure), "noise": noise}
                )
    return rows


def errors_of(results: Results, rating: NDArray[np.float32]) -> dict[Group, Values]:
    """What each group's seeds miss the test ratings by, (seeds, n)."""
    predicted: dict[Group, list[Values]] = {}
    for cell, ways in results.items():
        for chosen_on, chosen in ways.items():
            group = Group(cell.model, cell.solver, cell.embedding_dim, chosen_on)
            predicted.setdefault(group, []).append(chosen.predicted)
    return {group: np.array(seeds) - rating for group, seeds in predicted.items()}


def _rounded(name: str, figure: Estimate) -> dict[str, object]:
    return {name: round(figure.value, 6), "interval": [round(figure.low, 6), round(figure.high, 6)]}
