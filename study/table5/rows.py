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

# Embeddings have collapsed if they change predictions by less than this share of the error without them.
COLLAPSED = 0.1
Results = Mapping[Cell, Mapping[str, Chosen]]


@dataclass(frozen=True)
class Group:
    """The fits of a line at one size with all seeds, chosen in one way."""

    model: str
    solver: str
    embedding_dim: int
    chosen_on: str


# The others are compared with these: the project's default, the paper's reference, and a model without embeddings.
DEFAULT = Group("bias", "als", 150, VALIDATION)
SURPRISE = Group("surprise svd", "sgd", 150, DEFAULTS)
BIASES = Group("damped biases", "means", 0, VALIDATION)


def rows_of(results: Results, rating: NDArray[np.float32]) -> list[dict[str, object]]:
    """Return one row per chosen fit: its test error with an interval, and whether its embeddings have collapsed."""
    rows: list[dict[str, object]] = []
    for cell, ways in results.items():
        for chosen_on, chosen in ways.items():
            estimate = rmse_estimate((chosen.predicted - rating)[None])
            plain = float(np.sqrt(np.mean((chosen.plain - rating) ** 2)))
            moved = float(np.sqrt(np.mean((chosen.predicted - chosen.plain) ** 2)))
            rows.append(
                {
                    **asdict(cell),
                    "chosen_on": chosen_on,
                    "iterations": chosen.iterations,
                    **_rounded("test_rmse", estimate),
                    "test_rmse_without_embedding": round(plain, 6),
                    "collapsed": bool(cell.embedding_dim and moved < COLLAPSED * plain),
                    "seconds": round(chosen.seconds, 2),
                }
            )
    return rows


def means_of(errors: Mapping[Group, Values]) -> list[dict[str, object]]:
    """Return one row per group: the mean over its seeds, with an interval."""
    rows: list[dict[str, object]] = []
    for group, own in errors.items():
        estimate = rmse_estimate(own)
        rows.append({**asdict(group), "seeds": len(own), **_rounded("test_rmse", estimate)})
    return rows


def differences_of(errors: Mapping[Group, Values]) -> list[dict[str, object]]:
    """Return each group's differences from `DEFAULT`, `SURPRISE` and `BIASES`; noise if the interval contains 0."""
    rows: list[dict[str, object]] = []
    for group, own in errors.items():
        for reference in (DEFAULT, SURPRISE, BIASES):
            if group != reference and reference in errors:
                estimate = rmse_difference(own, errors[reference])
                noise = estimate.low <= 0 <= estimate.high
                rows.append(
                    {**asdict(group), "minus": asdict(reference), **_rounded("difference", estimate), "noise": noise}
                )
    return rows


def errors_of(results: Results, rating: NDArray[np.float32]) -> dict[Group, Values]:
    """Return the errors on the test ratings of each group, (seeds, n)."""
    predicted: dict[Group, list[Values]] = {}
    for cell, ways in results.items():
        for chosen_on, chosen in ways.items():
            group = Group(cell.model, cell.solver, cell.embedding_dim, chosen_on)
            predicted.setdefault(group, []).append(chosen.predicted)
    return {group: np.array(seeds) - rating for group, seeds in predicted.items()}


def _rounded(name: str, estimate: Estimate) -> dict[str, object]:
    return {name: round(estimate.value, 6), "interval": [round(estimate.low, 6), round(estimate.high, 6)]}
