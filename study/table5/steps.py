"""What a contestant of table 5 is: it fits ratings and predicts pairs, again after every step of its own.

A step is a sweep, an epoch, or one of several settings; which one counts is chosen outside, on validation or the
paper's way on test. All of them predict plain ratings, not clipped, but for Surprise, which clips them itself.
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
        number: the iteration; the number of epochs of a fit that is made anew for each.
        predicted: (n,) float64, ratings of the pairs.
        plain: (n,) float64, the same with all embeddings set to zero: what constants and biases say.
    """

    number: int
    predicted: Values
    plain: Values


@dataclass(frozen=True)
class Contestant:
    """A model by a solver.

    Attributes:
        steps: the ratings to fit and the pairs to predict -> what is predicted, step by step.
        most: steps at most.
        patience: steps without a better error before the end.
        default: the number of the step that the library itself would take; None where it takes no certain one.
    """

    steps: Callable[[Interactions, Interactions], Iterator[Step]]
    most: int
    patience: int
    default: int | None = None
