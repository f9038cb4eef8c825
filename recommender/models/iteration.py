"""What a solver yields after each iteration: a sweep of least squares, or an epoch of Adam."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from recommender.errors import FitError
from recommender.models.networks import BasicMF


@dataclass(frozen=True)
class Start:
    """Where a solver resumes, with the same result as without a stop.

    Attributes:
        number: iterations done.
        arrays: the `Iteration.arrays` after them.
    """

    number: int
    arrays: Mapping[str, Tensor]

    def copy_into(self, tables: Mapping[str, Tensor]) -> None:
        """Copy the arrays into the tables of a solver.

        Raises:
            FitError: they have other names or shapes: the checkpoint was altered.
        """
        if {name: array.shape for name, array in self.arrays.items()} != {
            name: of.shape for name, of in tables.items()
        }:
            raise FitError("the checkpoint has other tables than this job: remove the folder with the checkpoints")
        for name, array in self.arrays.items():
            tables[name].copy_(array)


@dataclass(frozen=True)
class Iteration:
    """A fit after some iterations.

    Attributes:
        number: iterations done, from 1.
        model: the model; the next iteration updates its tables in place.
        arrays: all that the solver needs to resume, and nothing else; views of its tables.
    """

    number: int
    model: BasicMF
    arrays: Mapping[str, Tensor]
