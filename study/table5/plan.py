"""The cells of table 5: every line at every embedding size, with one or more seeds."""

from dataclasses import dataclass
from itertools import product

from study.table5.biases import CONSTANTS

SIZES = (10, 20, 50, 100, 150, 200, 250, 300)
DENSE_SIZES = (10, 20)
COMPARED_SIZES, OTHER_SIZES = (10, 20, 150), (50, 100, 200, 250, 300)
SAMPLE_SIZES = (10, 50, 150)


@dataclass(frozen=True)
class Cell:
    """One fit and the choice of its number of iterations.

    Attributes:
        model: `basic`, `sigmoid`, `bias`, `surprise svd`, `damped biases` or one of the constants.
        solver: see `contestants.create`.
        embedding_dim: 0 for a model without embeddings.
        seed: of everything that is random.
    """

    model: str
    solver: str
    embedding_dim: int
    seed: int


@dataclass(frozen=True)
class Line:
    """A line of the table: a model with a solver."""

    model: str
    solver: str
    sizes: tuple[int, ...]
    seeds: int

    def cells(self) -> list[Cell]:
        """Return the cells of the line: each size with each seed."""
        return [Cell(self.model, self.solver, size, seed) for seed, size in product(range(self.seeds), self.sizes)]


WITHOUT_EMBEDDING = [*(Line(name, "", (0,), 1) for name in CONSTANTS), Line("damped biases", "means", (0,), 1)]
WHOLE = [
    *WITHOUT_EMBEDDING,
    Line("bias", "als", SIZES, 5),
    Line("surprise svd", "sgd", SIZES, 5),
    Line("bias", "adam, our values", SIZES, 3),
    *(Line(model, "dense adam", DENSE_SIZES, 2) for model in ("basic", "sigmoid", "bias")),
    *(Line(model, "dense adam, standard normal", DENSE_SIZES, 1) for model in ("basic", "sigmoid", "bias")),
    Line("bias", "adam", SIZES, 2),
    # A cell takes 400 epochs, so only sizes that are compared with others have a second seed.
    *(Line(model, "adam", COMPARED_SIZES, 2) for model in ("sigmoid", "basic")),
    *(Line(model, "adam", OTHER_SIZES, 1) for model in ("sigmoid", "basic")),
]
SAMPLE = [
    *WITHOUT_EMBEDDING,
    Line("bias", "als", SAMPLE_SIZES, 2),
    Line("surprise svd", "sgd", SAMPLE_SIZES, 2),
    Line("bias", "adam, our values", SAMPLE_SIZES, 2),
    *(Line(model, solver, (10,), 2) for model in ("basic", "sigmoid", "bias") for solver in ("dense adam", "adam")),
]


def in_order(lines: list[Line]) -> list[Cell]:
    """Return the cells of all lines, those of the first seed first: a run that is stopped later has the whole table."""
    return sorted((cell for line in lines for cell in line.cells()), key=lambda cell: cell.seed)
