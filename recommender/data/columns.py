"""Requirements for the columns of a channel, and the error messages for invalid values."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recommender.common.messages import shown
from recommender.data.clock import TIME_EXAMPLES
from recommender.data.iso_times import Times
from recommender.data.vocabulary import MAX_ID_CHARACTERS, MAX_TITLE_CHARACTERS
from recommender.errors import DataError

MAX_TIME = 2**62
DECIMAL_COMMA = re.compile(r"-?[0-9]{1,9},[0-9]{1,9}")
DAY_FIRST = re.compile(r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}\b")
IN_ALL_ROWS = "; all rows need a value in this column: leave the column out, or leave these rows out"

ValueAt = Callable[[int], object]


@dataclass(frozen=True, kw_only=True)
class Column:
    """Requirements for a column.

    Attributes:
        expected: the description of a valid value, for messages.
        required: whether every file must have the column.
        name_in_file: its name in the files, if the option `columns` gives one.
        needed_by: the option that makes it required; "" if no option does.
    """

    expected: str
    required: bool = True
    name_in_file: str | None = None
    needed_by: str = ""

    def advice(self, value: object) -> str:
        """Return what to do about an invalid value; "" for no advice."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Id(Column):
    """An ID: text exactly as in the file, or a whole number, which becomes its decimal digits."""

    expected: str = f"a text that is not empty, of at most {MAX_ID_CHARACTERS:,} characters"


@dataclass(frozen=True, kw_only=True)
class Title(Column):
    """A text that may be empty."""

    expected: str = "a text"


@dataclass(frozen=True, kw_only=True)
class Number(Column):
    """A number in a range, both ends included.

    Attributes:
        lowest, highest: the range.
        options: the options that set the lowest and the highest number; None if no option does.
    """

    lowest: float
    highest: float
    options: tuple[str, str] | None = None

    def advice(self, value: object) -> str:
        """Return which option allows this number, or how to write it."""
        if value in ("", None):
            return IN_ALL_ROWS
        if isinstance(value, str) and DECIMAL_COMMA.fullmatch(value):
            return "; write a decimal point instead of the comma"
        try:
            number = float(value)  # type: ignore[arg-type]  # any value; the errors below mean that it is no number
        except (TypeError, ValueError, OverflowError):
            return ""
        if self.options is None or not math.isfinite(number) or self.lowest <= number <= self.highest:
            return ""
        return f"; to allow it, set the hyper-parameter --{self.options[number > self.highest]} to {number:g}"


@dataclass(frozen=True, kw_only=True)
class Time(Column):
    """A time: a number in any unit, or a date or time, which becomes milliseconds since 1970."""

    expected: str = f"a number, or {TIME_EXAMPLES}"

    def advice(self, value: object) -> str:
        """Return how to write this time."""
        if value in ("", None):
            return IN_ALL_ROWS
        return "; write the year first" if isinstance(value, str) and DAY_FIRST.match(value) else ""


Columns = Mapping[str, Column]

ALL_NUMBERS = Time(expected="a number as in the rows before, because times must be all numbers or all dates")
ALL_TIMES = Time(expected="a date or time as in the rows before, because times must be all numbers or all dates")


@dataclass(frozen=True)
class Rows:
    """The numbers of some rows of a file, for messages.

    Attributes:
        file: the name of the file.
        label: the words for a row, with {} for its number.
        numbers: the number of each row.
    """

    file: str
    label: str
    numbers: Sequence[int]

    def location(self, row: int) -> str:
        """Return the file and the number of a row, as the beginning of a message; `row` counts from 0."""
        return f"{self.file}: {self.label.format(self.numbers[row])}"

    def check(self, good: NDArray[np.bool_], name: str, column: Column, value_at: ValueAt) -> None:
        """Check that all values of a column are good.

        Raises:
            DataError: a value is not; the message names the first one.
        """
        if not good.all():
            row = int(np.argmin(good))
            value = value_at(row)
            raise DataError(
                f"{self.location(row)}, column {name!r}: expected {column.expected}, got {shown(value)}"
                f"{column.advice(value)}"
            )


@dataclass(frozen=True)
class Chunk:
    """Checked rows of a file.

    Attributes:
        rows: the numbers of the rows.
        found: the names of all columns in the file.
        values: our name -> values. IDs are a dictionary array (int32 of large_string), titles large_string. Times are
            int64 if the file has numbers, timestamp[ms] if it has dates or times. Other numbers are float32.
        attributes: name -> values of the columns that are read as attributes of items; texts if they are not typed.
        is_typed: whether the file says the types of attributes.
    """

    rows: Rows
    found: Sequence[str]
    values: dict[str, pa.Array]
    attributes: dict[str, pa.Array] = field(default_factory=dict)
    is_typed: bool = True

    def __len__(self) -> int:
        return len(self.rows.numbers)


Chunks = Iterator[Chunk]


def checked_ids(ids: pa.Array, name: str, column: Id, rows: Rows) -> pa.DictionaryArray:
    """Check IDs and return them as a dictionary array.

    Args:
        ids: large_string, or a dictionary of it; null if an ID is missing.
        name: the name of the column in the file.
        column: its requirements.
        rows: the rows, for the message.

    Raises:
        DataError: an ID is missing, empty or too long.
    """
    encoded = ids.dictionary_encode()
    if encoded.dictionary.null_count:
        encoded = encoded.dictionary_decode().dictionary_encode()
    length = pc.utf8_length(encoded.dictionary).to_numpy()
    good = np.append((length > 0) & (length <= MAX_ID_CHARACTERS), False)  # the last entry is for null, code -1
    codes = encoded.indices.fill_null(-1).to_numpy()
    rows.check(good[codes], name, column, lambda row: encoded[row].as_py())
    return encoded


def checked_numbers(numbers: NDArray[np.number], name: str, column: Number, rows: Rows, value_at: ValueAt) -> pa.Array:
    """Check numbers and return them as float32.

    Raises:
        DataError: a number is NaN or out of range.
    """
    rows.check((numbers >= column.lowest) & (numbers <= column.highest), name, column, value_at)
    return pa.array(numbers.astype(np.float32))


def checked_time_numbers(
    numbers: NDArray[np.number], name: str, column: Time, rows: Rows, value_at: ValueAt
) -> pa.Array:
    """Check times that are numbers and return them as int64.

    Raises:
        DataError: a number is NaN or out of range.
    """
    rows.check(is_time_number(numbers), name, column, value_at)
    return pa.array(numbers.astype(np.int64))


def checked_times(
    numbers: NDArray[np.number], times: Times, name: str, column: Time, rows: Rows, value_at: ValueAt
) -> pa.Array:
    """Check the times of a column and return them as int64, or timestamp[ms] if they are dates or times.

    Args:
        numbers: the values that are numbers; NaN for others.
        times: the values that are dates or times, as `iso_times.milliseconds_of` returns them.
        name: the name of the column in the file.
        column: its requirements.
        rows: the rows, for the message.
        value_at: returns the value of a row, for the message.

    Raises:
        DataError: a value is neither, or some values are numbers and others dates or times.
    """
    milliseconds, is_time = times
    rows.check(is_time_number(numbers) | is_time, name, column, value_at)
    if not is_time.any():
        return pa.array(numbers.astype(np.int64))
    rows.check(is_time == is_time[0], name, ALL_TIMES if is_time[0] else ALL_NUMBERS, value_at)
    return as_times(milliseconds)


def as_times(milliseconds: NDArray[np.int64] | pa.Array) -> pa.Array:
    """Return milliseconds since 1970 as timestamp[ms], to distinguish them from times that are numbers."""
    return pa.array(milliseconds).view(pa.timestamp("ms"))


def is_time_number(numbers: NDArray[np.number]) -> NDArray[np.bool_]:
    """Return which numbers are allowed as times."""
    return (numbers >= -MAX_TIME) & (numbers <= MAX_TIME)


def kept_title(titles: pa.Array) -> pa.Array:
    """Replace nulls by "" and cut titles to one character more than allowed: enough to see which are too long.

    Args:
        titles: large_string, or a dictionary of it; a dictionary is cut before it is decoded.
    """
    distinct = titles.dictionary if isinstance(titles, pa.DictionaryArray) else titles
    cut = pc.utf8_slice_codeunits(distinct, 0, MAX_TITLE_CHARACTERS + 1)
    return (cut.take(titles.indices) if isinstance(titles, pa.DictionaryArray) else cut).fill_null("")
