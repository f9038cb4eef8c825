"""Contestants without embeddings: constants and damped means."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions
from study.table5.steps import Step, Values

DAMPINGS = (1, 2, 3, 5, 8, 13, 21)


def damped_biases(train: Interactions, pairs: Interactions) -> Iterator[Step]:
    """Yield predictions with damped biases for each pair of dampings (LensKit's Bias).

    The item bias is the mean of the ratings minus the global mean; the user bias is the mean of the rest. Each of
    these means includes `damping` extra zeros. The number of a step is its place in the grid of dampings, from 1.
    """
    mean = train.ratings.mean(dtype=np.float64)
    for number, (user_damping, item_damping) in enumerate(product(DAMPINGS, DAMPINGS), 1):
        item_bias = _damped_mean(train.item_num, train.ratings - mean, len(train.items), item_damping)
        rest = train.ratings - mean - item_bias[train.item_num]
        user_bias = _damped_mean(train.user_num, rest, len(train.users), user_damping)
        predicted = mean + user_bias[pairs.user_num] + item_bias[pairs.item_num]
        yield Step(number, predicted, predicted)


def _damped_mean(number: NDArray[np.int64], values: Values, length: int, damping: float) -> Values:
    return np.bincount(number, values, length) / (np.bincount(number, minlength=length) + damping)


def _constant(value: float | None) -> Callable[[Interactions, Interactions], Iterator[Step]]:
    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        predicted = np.full(len(pairs), train.ratings.mean(dtype=np.float64) if value is None else value)
        yield Step(1, predicted, predicted)

    return steps


CONSTANTS = {"always 0": _constant(0.0), "always 3": _constant(3.0), "the mean": _constant(None)}
