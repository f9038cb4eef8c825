"""The contestants of table 5: each fits ratings, and predicts pairs after each of its steps.

A step is a sweep, an epoch, or one of several settings. The study chooses the step that counts on validation, or on
test as the paper does. Only Surprise clips its predictions to the range of ratings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """Predictions after an iteration.

    Attributes:
        number: the iteration, or the number of epochs if each step is a separate fit.
        predicted: (n,) float64, predicted ratings of the pairs.
        plain: (n,) float64, the same with all embeddings set to zero: the part of constants and biases.
    """

    number: int
    predicted: Values
    plain: Values


@dataclass(frozen=True)
class Contestant:
    """A model with a solver.

    Attributes:
        steps: the ratings to fit and the pairs to predict -> the predictions after each step.
        most: the largest number of steps.
        patience: the number of steps without a smaller error that ends the fit.
        default: the number of the step that is the library's default; None if it has no fixed one.
    """

    steps: Callable[[Interactions, Interactions], Iterator[Step]]
    most: int
    patience: int
    default: int | None = None
