"""The interface of the engines that run the steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from recommender.prepare.records import Records
from recommender.prepare.steps import Step

Row = tuple[Any, ...]


class Engine(Protocol):
    """An engine that runs SQL over named tables.

    Raises:
        EngineError: every method raises it, if the engine can't continue.
        DataError: `load` raises it, if a file can't be read.
    """

    def load(self, table: str, locations: Sequence[str], records: Records) -> None:
        """Read raw files into a table with the columns of `records`, problem, file and line.

        A good line fills the columns of `records`. A bad line fills problem (the message), file (its name) and line
        (from 1). The other columns are null.
        """

    def make(self, step: Step) -> None:
        """Create the table of a step by running its query."""

    def rows(self, query: str) -> Iterator[Row]:
        """Yield the rows of a query."""

    def write(self, query: str, folder: str | Path) -> None:
        """Create a folder and write the rows of a query into it, in order, as one or more Parquet files."""
