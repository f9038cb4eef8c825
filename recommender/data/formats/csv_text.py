"""CSV with a header."""

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recommender.common.messages import reason
from recommender.data.columns import (
    Chunk,
    Chunks,
    Column,
    Columns,
    Id,
    Number,
    Rows,
    Time,
    Title,
    checked_ids,
    checked_numbers,
    checked_time_numbers,
    checked_times,
    kept_title,
)
from recommender.data.headers import located
from recommender.data.iso_times import milliseconds_of
from recommender.data.sources import SourceFile
from recommender.errors import DataError

ROWS_AT_ONCE = 200_000


def read_csv(source: SourceFile, columns: Columns) -> Chunks:
    """Yield the checked chunks of a file.

    Raises:
        DataError: the file is not CSV in UTF-8, or a column or value is not what `columns` says.
    """
    found = _header(source)
    names = located(source.name, columns, found)
    first = 1
    for frame in _frames(source, list(names.values())):
        rows = Rows(source.name, "row {} below the header", range(first, first + len(frame)))
        yield Chunk(
            rows, found, {name: _checked(frame[given], given, columns[name], rows) for name, given in names.items()}
        )
        first += len(frame)


def _checked(values: "pd.Series[str]", name: str, column: Column, rows: Rows) -> pa.Array:
    text = pa.array(values).cast(pa.large_string())
    if isinstance(column, Title):
        return kept_title(text)
    if isinstance(column, Id):
        return checked_ids(text, name, column, rows)
    if isinstance(column, Number):
        return checked_numbers(_numbers(text), name, column, rows, lambda row: text[row].as_py())
    assert isinstance(column, Time)
    return _times(text, name, column, rows)


def _numbers(text: pa.Array) -> NDArray[np.number]:
    try:
        return text.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return _numbers_or_nan(text)


def _numbers_or_nan(text: pa.Array) -> NDArray[np.number]:
    """Return the numbers of texts, also of those that are one only for pandas, such as " 5" or the time 1e9."""
    return np.asarray(pd.to_numeric(text.to_numpy(zero_copy_only=False), errors="coerce"))


def _times(text: pa.Array, name: str, column: Time, rows: Rows) -> pa.Array:
    def value_at(row: int) -> object:
        return text[row].as_py()

    try:
        return checked_time_numbers(text.cast(pa.int64()).to_numpy(), name, column, rows, value_at)
    except pa.ArrowInvalid:
        times = milliseconds_of(text)
    numbers = np.full(len(text), np.nan) if times[1].all() else _numbers_or_nan(text)
    return checked_times(numbers, times, name, column, rows, value_at)


def _header(source: SourceFile) -> list[str]:
    """Return the names in the header unchanged: pandas would rename a second 'rating' to 'rating.1'."""
    with _named_problems(source.name):
        return (
            pd.read_csv(
                source.path,
                compression="gzip" if source.compressed else None,
                header=None,
                nrows=1,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8",
            )
            .iloc[0]
            .tolist()
        )


def _frames(source: SourceFile, names: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield frames of all columns: with `usecols` pandas accepts a row with more fields than the header."""
    with _named_problems(source.name):
        reader = pd.read_csv(
            source.path,
            compression="gzip" if source.compressed else None,
            dtype=dict.fromkeys(names, "str"),  # "category" would turn the ID 01 into 1
            chunksize=ROWS_AT_ONCE,
            index_col=False,
            keep_default_na=False,  # an ID may be "NA" or "null"
            low_memory=False,
            encoding="utf-8",
        )
    with reader:
        while True:
            with _named_problems(source.name):
                frame = next(reader, None)
            if frame is None:
                return
            yield frame


@contextmanager
def _named_problems(file: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except pd.errors.EmptyDataError:
        raise DataError(f"{file}: expected a header and rows, the file is empty") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: can't be read: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: expected UTF-8 text: {reason(error)}") from None
    except pd.errors.ParserWarning:
        raise DataError(f"{file}: expected as many fields in a row as in the header, got more") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{file}: expected CSV: {reason(error)}") from None
