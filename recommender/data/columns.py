"""The content that the columns of a channel must have, and the message for a value that is something else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recommender.common.messages import shown
from recommender.errors import DataError

MAX_ID_CHARACTERS = 1_000
MAX_TITLE_CHARACTERS = 2_000


@dataclass(frozen=True)
class Id:
    """An ID: text exactly as in the file, or a whole number, which becomes its decimal digits."""

    required: bool = True
    expected: str = f"a text that is not empty, of at most {MAX_ID_CHARACTERS:,} characters"


@dataclass(frozen=True)
class Title:
    """A text that may be empty."""

    required: bool = True
    expected: str = "a text"


@dataclass(frozen=True)
class Number:
    """A number in a range, both ends included, and its dtype in memory."""

    dtype: type[np.float32] | type[np.int64]
    lowest: float
    highest: float
    expected: str
    required: bool = True


Column = Id | Title | Number
Columns = Mapping[str, Column]

# By column: IDs as a dictionary array (int32 of large_string), titles large_string, numbers in their dtype.
Chunk = dict[str, pa.Array]
Chunks = Iterator[Chunk]


@dataclass(frozen=True)
class Rows:
    """Some rows of a file, as messages name them.

    Attributes:
        file: the name of the file.
        called: the word for a row, with {} for its number.
        numbers: the number of each row.
    """

    file: str
    called: str
    numbers: Sequence[int]

    def check(self, good: NDArray[np.bool_], name: str, column: Column, value_at: Callable[[int], object]) -> None:
        """Check the values of a column.

        Raises:
            DataError: a value is not good; the message names the first one.
        """
        if not good.all():
            row = int(np.argmin(good))
            raise DataError(
                f"{self.file}: {self.called.format(self.numbers[row])}, column {name!r}: "
                f"expected {column.expected}, got {shown(value_at(row))}"
            )


def checked_ids(ids: pa.Array, name: str, column: Id, rows: Rows) -> pa.DictionaryArray:
    """Check IDs and return them as they are kept in memory.

    Args:
        ids: large_string, or a dictionary of it; null if an ID is missing.
        name: the name of the column.
        column: the content that it must have.
        rows: the rows, for the message.

    Raises:
        DataError: an ID is missing, empty or too long.
    """
    encoded = ids.dictionary_encode()
    length = pc.utf8_length(encoded.dictionary).to_numpy()
    good = np.append((length > 0) & (length <= MAX_ID_CHARACTERS), False)  # the last entry is for null, code -1
    codes = encoded.indices.fill_null(-1).to_numpy()
    rows.check(good[codes], name, column, lambda row: encoded[row].as_py())
    return encoded


def checked_numbers(
    numbers: NDArray[np.number], name: str, column: Number, rows: Rows, value_at: Callable[[int], object]
) -> pa.Array:
    """Check numbers and return them in the dtype that they are kept in.

    Raises:
        DataError: a number is NaN or out of range.
    """
    rows.check((numbers >= column.lowest) & (numbers <= column.highest), name, column, value_at)
    return pa.array(numbers.astype(column.dtype))


def kept_title(titles: pa.Array) -> pa.Array:
    """Return titles without nulls, cut to one character more than allowed: enough to see which are too long."""
    return pc.utf8_slice_codeunits(titles.cast(pa.large_string()).fill_null(""), 0, MAX_TITLE_CHARACTERS + 1)


def require_columns(file: str, columns: Columns, found: Sequence[str]) -> list[str]:
    """Return the columns that a file has, by the names in its header or schema.

    Raises:
        DataError: a required column is missing, or a column occurs twice.
    """
    for name, column in columns.items():
        if column.required and name not in found:
            raise DataError(f"{file}: column {name!r} is missing; the file has {', '.join(map(shown, found[:20]))}")
        if found.count(name) > 1:
            raise DataError(f"{file}: column {name!r} occurs {found.count(name)} times, expected once")
    return [name for name in columns if name in found]
