"""What an engine must do to carry out the steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from recommender.prepare.records import Records
from recommender.prepare.steps import Step

Row = tuple[Any, ...]


class Engine(Protocol):
    """Runs SQL over tables by name.

    Raises:
        EngineError: by every method, where it can't go on.
        DataError: by `load`, where a file can't be read.
    """

    def load(self, table: str, locations: Sequence[str], records: Records) -> None:
        """Read raw files into a table: the columns of `records`, problem, file and line.

        Good lines have their columns and nothing else, bad ones problem (what is wrong), file (its name) and line
        (from 1).
        """

    def make(self, step: Step) -> None:
        """Make the table of a step."""

    def rows(self, query: str) -> Iterator[Row]:
        """What a query gives, one row after the other."""

    def write(self, query: str, folder: str | Path) -> None:
        """Write what a query gives, in its order, as one or more Parquet files into a folder, which is made."""
