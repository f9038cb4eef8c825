"""The contract of an engine that runs the steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from recommender.prepare.records import Records
from recommender.prepare.steps import Step

Row = tuple[Any, ...]


class Engine(Protocol):
    """An engine that runs SQL over named tables.

    Raises:
        EngineError: by every method, if the engine can't continue.
        DataError: by `load`, if a file can't be read.
    """

    def load(self, table: str, locations: Sequence[str], records: Records) -> None:
        """Read raw files into a table: the columns of `records`, problem, file and line.

        Good lines fill their columns only; bad lines fill problem (the message), file (its name) and line (from 1).
        """

    def make(self, step: Step) -> None:
        """Create the table of a step."""

    def rows(self, query: str) -> Iterator[Row]:
        """Yield the rows of a query."""

    def write(self, query: str, folder: str | Path) -> None:
        """Write the rows of a query, in order, as one or more Parquet files into a folder, which is created."""
