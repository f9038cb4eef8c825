"""What a solver hands out after each iteration: a sweep of least squares, or an epoch of Adam."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from recommender.models.networks import BasicMF


@dataclass(frozen=True)
class Start:
    """Where a solver goes on, as if it had never stopped.

    Attributes:
        number: iterations done.
        arrays: the `Iteration.arrays` that were there then.
    """

    number: int
    arrays: Mapping[str, Tensor]


@dataclass(frozen=True)
class Iteration:
    """A fit after some iterations.

    Attributes:
        number: iterations done, from 1.
        model: its tables go on changing with the next iteration.
        arrays: all that the solver needs to go on from here, and nothing else; views of its tables.
    """

    number: int
    model: BasicMF
    arrays: Mapping[str, Tensor]
