"""The state that a solver yields after each iteration: a sweep of least squares, or an epoch of Adam."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from recommender.errors import FitError
from recommender.models.networks import BasicMF


@dataclass(frozen=True)
class Start:
    """The state from which a solver resumes. The result is the same as without an interruption.

    Attributes:
        number: number of completed iterations.
        arrays: `Iteration.arrays` after these iterations.
    """

    number: int
    arrays: Mapping[str, Tensor]

    def copy_into(self, tables: Mapping[str, Tensor]) -> None:
        """Copy the arrays into the tables of a solver.

        Raises:
            FitError: names or shapes differ, so the checkpoint was altered.
        """
        if {name: array.shape for name, array in self.arrays.items()} != {
            name: of.shape for name, of in tables.items()
        }:
            raise FitError("the checkpoint has other tables than this job: delete the checkpoint folder")
        for name, array in self.arrays.items():
            tables[name].copy_(array)


@dataclass(frozen=True)
class Iteration:
    """The state of a fit after an iteration.

    Attributes:
        number: number of completed iterations, from 1.
        model: the model. The next iteration updates its tables in place.
        arrays: exactly the tables that the solver needs to resume; views, not copies.
    """

    number: int
    model: BasicMF
    arrays: Mapping[str, Tensor]
