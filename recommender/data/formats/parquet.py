"""Apache Parquet."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import types

from recommender.common.messages import reason
from recommender.data.columns import (
    Chunks,
    Column,
    Columns,
    Id,
    Number,
    Rows,
    Title,
    checked_ids,
    checked_numbers,
    kept_title,
    require_columns,
)
from recommender.data.sources import SourceFile
from recommender.errors import DataError

ROWS_AT_ONCE = 2**17


def read_parquet(source: SourceFile, columns: Columns) -> Chunks:
    """Yield the checked chunks of a file, with timestamps as milliseconds since 1970.

    Raises:
        DataError: the file can't be read, or a column or value is not what `columns` says.
    """
    yield from checked_batches(source.name, _batches(source, columns), columns)


def checked_batches(source: str, batches: Iterable[pa.RecordBatch], columns: Columns) -> Chunks:
    """Yield the checked chunks of Arrow batches, which have some of the columns and no others.

    Raises:
        DataError: a value is not what `columns` says; the message begins with `source`.
    """
    first = 1
    for batch in batches:
        rows = Rows(source, "row {}", range(first, first + len(batch)))
        yield {name: _checked(batch[name], name, columns[name], rows) for name in batch.schema.names}
        first += len(batch)


def _batches(source: SourceFile, columns: Columns) -> Iterator[pa.RecordBatch]:
    try:
        # pre_buffer would hold the columns of a whole row group in memory.
        with pq.ParquetFile(source.path, pre_buffer=False) as file:
            present = require_columns(source.name, columns, file.schema_arrow.names)
            yield from file.iter_batches(ROWS_AT_ONCE, columns=present)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{source.name}: can't be read: {reason(error)}") from None


def _checked(values: pa.Array, name: str, column: Column, rows: Rows) -> pa.Array:
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not _is_kind(values.type, column):
        rows.check(np.zeros(len(values), bool), name, column, lambda row: _value(values, row))
    if isinstance(column, Number):
        return _numbers(values, name, column, rows)
    text = values.cast(pa.large_string())
    _check_utf8(text, name, column, rows)
    return kept_title(text) if isinstance(column, Title) else checked_ids(text, name, column, rows)


def _is_kind(kind: pa.DataType, column: Column) -> bool:
    if types.is_null(kind):  # a column of nulls only; the check of the values decides whether they are allowed
        return True
    if isinstance(column, Number):
        is_time = types.is_timestamp(kind) and column.dtype is np.int64
        return is_time or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return is_text or (isinstance(column, Id) and types.is_integer(kind))


def _numbers(values: pa.Array, name: str, column: Number, rows: Rows) -> pa.Array:
    rows.check(values.is_valid().to_numpy(zero_copy_only=False), name, column, lambda row: None)
    if types.is_timestamp(values.type):
        numbers = _milliseconds(values)
    else:
        numbers = (values if types.is_integer(values.type) else values.cast(pa.float64())).to_numpy()
    return checked_numbers(numbers, name, column, rows, lambda row: _value(values, row))


def _milliseconds(times: pa.Array) -> NDArray[np.int64] | NDArray[np.float64]:
    count = times.cast(pa.int64()).to_numpy()
    # Seconds as floats: a time that is too far away must not overflow.
    return (
        count * 1000.0 if times.type.unit == "s" else count // {"ms": 1, "us": 1_000, "ns": 1_000_000}[times.type.unit]
    )


def _check_utf8(text: pa.Array, name: str, column: Column, rows: Rows) -> None:
    """Check that text is UTF-8: Arrow does not check it when it reads a file."""
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        parts = [value.as_py() or b"" for value in text.cast(pa.large_binary())]
        good = np.array([part.decode(errors="ignore").encode() == part for part in parts])
        rows.check(good, name, column, lambda row: parts[row])


def _value(values: pa.Array, row: int) -> object:
    try:
        return values[row].as_py()
    except (ValueError, OverflowError, pa.ArrowException):  # such as a date beyond Python's range
        return str(values[row])
