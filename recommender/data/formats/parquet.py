"""Read Apache Parquet."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import types

from recommender.common.messages import reason
from recommender.data.attribute_columns import AttributeColumns
from recommender.data.bounds import MAX_COLUMNS, MAX_LINE_BYTES, MAX_ROW_BYTES
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
    as_times,
    checked_ids,
    checked_numbers,
    checked_time_numbers,
    checked_times,
    kept_title,
)
from recommender.data.formats.lines import check_bytes, check_rows
from recommender.data.headers import find_columns
from recommender.data.iso_times import milliseconds_of
from recommender.data.sources import SourceFile
from recommender.errors import DataError

ROWS_AT_ONCE = 2**17


def read_parquet(source: SourceFile, columns: Columns, attributes: AttributeColumns | None = None) -> Chunks:
    """Yield the checked chunks of a file. A file without bytes has no rows.

    Raises:
        DataError: the file can't be read or is too large, or a column or value does not meet `columns`.
    """
    if not source.path.stat().st_size:
        return
    with _translate_errors(source.name):
        metadata = pq.read_metadata(source.path)
        schema = metadata.schema.to_arrow_schema()
    names = list(find_columns(source.name, columns, schema.names).values())
    if attributes is not None:
        names += attributes.names(schema.names, names)
    _check_size(source.name, metadata)
    with _translate_errors(source.name):
        # read_dictionary: read a repeated text once. pre_buffer would load the columns of a whole row group.
        texts = [name for name in names if _is_text(schema.field(name).type)]
        file = pq.ParquetFile(source.path, metadata=metadata, read_dictionary=texts, pre_buffer=False)
    with file:
        yield from checked_batches(source.name, schema.names, _batches(source.name, file, names), columns, attributes)


def _check_size(name: str, metadata: pq.FileMetaData) -> None:
    """Check the number of rows and columns and the sizes in the footer, before any data is decompressed.

    The sizes are those of row groups. With a damaged footer, reading the size of a column makes Arrow end the process.

    Raises:
        DataError: a number or a size is out of bounds.
    """
    check_rows(name, metadata.num_rows)
    if metadata.num_columns > MAX_COLUMNS:
        raise DataError(f"{name}: expected at most {MAX_COLUMNS:,} columns, got {metadata.num_columns:,}")
    num_bytes = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        most = MAX_LINE_BYTES + max(0, group.num_rows) * MAX_ROW_BYTES
        if group.total_byte_size > most:
            raise DataError(
                f"{name}: expected at most {most:,} bytes in a row group of {group.num_rows:,} rows, got "
                f"{group.total_byte_size:,}: remove the columns with long values"
            )
        num_bytes += group.total_byte_size
        check_bytes(name, num_bytes)


def checked_batches(
    source: str,
    found: Sequence[str],
    batches: Iterable[pa.RecordBatch],
    columns: Columns,
    attributes: AttributeColumns | None = None,
) -> Chunks:
    """Yield the checked chunks of Arrow batches.

    Args:
        source: the name of the file or frame.
        found: the names of its columns.
        batches: its rows, with the columns to read.
        columns: the columns to read.
        attributes: says which other columns are attributes of items.

    Raises:
        DataError: a column is missing or a value does not meet `columns`; the message begins with `source`.
    """
    names = find_columns(source, columns, found)
    first = 1
    for batch in batches:
        rows = Rows(source, "row {}", range(first, first + len(batch)))
        values = {name: _checked(batch[given], given, columns[name], rows) for name, given in names.items()}
        others = [] if attributes is None else attributes.names(batch.schema.names, names.values())
        yield Chunk(rows, found, values, {name: _valid(batch[name], rows) for name in others})
        first += len(batch)


def _batches(name: str, file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    batches = file.iter_batches(ROWS_AT_ONCE, columns=names)
    while True:
        with _translate_errors(name):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def _translate_errors(file: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{file}: can't be read: {reason(error)}") from None


def _checked(values: pa.Array, name: str, column: Column, rows: Rows) -> pa.Array:
    if types.is_dictionary(values.type) and not _is_text(values.type.value_type):
        values = values.cast(values.type.value_type)
    if not _is_kind(values.type, column):
        rows.check(np.zeros(len(values), bool), name, column, lambda row: _value(values, row))
    if isinstance(column, Number | Time):
        rows.check(values.is_valid().to_numpy(zero_copy_only=False), name, column, lambda row: None)
    if isinstance(column, Number):
        return checked_numbers(_numbers(values), name, column, rows, lambda row: _value(values, row))
    if isinstance(column, Time) and not _is_text(values.type):
        return _times(values, name, column, rows)
    text = _encoded(values, rows) if types.is_dictionary(values.type) else values.cast(pa.large_string())
    _check_utf8(text, name, column, rows)
    if isinstance(column, Time):
        no_numbers = np.full(len(text), np.nan)
        return checked_times(no_numbers, milliseconds_of(text), name, column, rows, lambda row: text[row].as_py())
    if isinstance(column, Title):
        return kept_title(text)
    assert isinstance(column, Id)
    return checked_ids(text, name, column, rows)


def _valid(values: pa.Array, rows: Rows) -> pa.Array:
    """Return the values of an attribute; null for texts that are not UTF-8, which Arrow does not check.

    Raises:
        DataError: a code is outside the dictionary of its column.
    """
    if types.is_dictionary(values.type):
        values = _encoded(values, rows)
    if not _is_text(values.type):
        return values
    encoded = values.dictionary_encode()
    try:
        encoded.dictionary.validate(full=True)
    except pa.ArrowInvalid:
        parts = [value.as_py() for value in encoded.dictionary.cast(pa.large_binary())]
        good = [part.decode() if part.decode(errors="ignore").encode() == part else None for part in parts]
        return pa.array(good, pa.large_string()).take(encoded.indices)
    return values


def _encoded(values: pa.DictionaryArray, rows: Rows) -> pa.DictionaryArray:
    """Encode text anew, with a dictionary of only the texts that occur, in the order of their first row.

    Raises:
        DataError: a code is outside the dictionary.
    """
    codes = values.indices.fill_null(-1).to_numpy()
    if codes.max(initial=-1) >= len(values.dictionary):  # Arrow does not check this when it reads a file
        raise DataError(f"{rows.file}: can't be read: a code is outside the dictionary of its column")
    numbers, used = pd.factorize(codes)
    distinct = values.dictionary.take(pa.array(used, mask=used < 0)).cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32(), mask=codes < 0), distinct)


def _is_kind(kind: pa.DataType, column: Column) -> bool:
    if types.is_null(kind):  # a column of only nulls; the check of the values decides whether nulls are allowed
        return True
    if isinstance(column, Number):
        return _is_number(kind)
    if isinstance(column, Time):
        return _is_number(kind) or _is_text(kind) or types.is_timestamp(kind) or types.is_date(kind)
    return _is_text(kind) or (isinstance(column, Id) and types.is_integer(kind))


def _is_number(kind: pa.DataType) -> bool:
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _numbers(values: pa.Array) -> NDArray[np.number]:
    return (values if types.is_integer(values.type) else values.cast(pa.float64())).to_numpy()


def _times(values: pa.Array, name: str, column: Time, rows: Rows) -> pa.Array:
    """Check times that are numbers, dates or timestamps."""
    is_number = _is_number(values.type)
    numbers = _numbers(values) if is_number else _milliseconds(values)
    times = checked_time_numbers(numbers, name, column, rows, lambda row: _value(values, row))
    return times if is_number else as_times(times)


def _milliseconds(times: pa.Array) -> NDArray[np.int64] | NDArray[np.float64]:
    if types.is_date(times.type):
        return times.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()
    count = times.cast(pa.int64()).to_numpy()
    # Convert seconds as floats, so that a huge time does not overflow.
    return (
        count * 1000.0 if times.type.unit == "s" else count // {"ms": 1, "us": 1_000, "ns": 1_000_000}[times.type.unit]
    )


def _check_utf8(text: pa.Array, name: str, column: Column, rows: Rows) -> None:
    """Check that text is UTF-8, because Arrow does not check it when it reads a file."""
    encoded = text.dictionary_encode()
    try:
        encoded.dictionary.validate(full=True)
    except pa.ArrowInvalid:
        parts = [value.as_py() for value in encoded.dictionary.cast(pa.large_binary())]
        good = np.array([*(part.decode(errors="ignore").encode() == part for part in parts), True])
        codes = encoded.indices.fill_null(-1).to_numpy()
        rows.check(good[codes], name, column, lambda row: parts[codes[row]])


def _value(values: pa.Array, row: int) -> object:
    try:
        return values[row].as_py()
    except (ValueError, OverflowError, pa.ArrowException):  # for example a date beyond Python's range
        return str(values[row])
