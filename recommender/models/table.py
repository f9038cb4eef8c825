"""A sparse items x items matrix in plain arrays, for training and serving."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """The entries of each item, best first.

    Attributes:
        offsets: (num_items + 1,) int64; item i's entries are offsets[i]:offsets[i + 1].
        item_num: (num_entries,) int32.
        score: (num_entries,) float32.
    """

    offsets: NDArray[np.int64]
    item_num: NDArray[np.int32]
    score: NDArray[np.float32]

    @property
    def num_items(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1

    def scaled(self, factor: NDArray[np.floating]) -> "Table":
        """Return the table with each row multiplied by its factor, (num_items,)."""
        score = self.score * np.repeat(factor, np.diff(self.offsets))
        return Table(self.offsets, self.item_num, score.astype(np.float32))

    def entries(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return all entries of these rows: row (a position in `rows`), item and score."""
        begin = self.offsets[rows]
        length = self.offsets[rows + 1] - begin
        row = np.repeat(np.arange(len(rows)), length)
        where = np.arange(len(row)) + (begin - np.cumsum(length) + length)[row]
        return row, self.item_num[where], self.score[where]
