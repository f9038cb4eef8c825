"""Read JSON Lines: one JSON object per line."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic_core import from_json

from recommender.common.messages import reason, shown
from recommender.data.attribute_columns import AttributeColumns, UnsuitableError, values_of_json
from recommender.data.bounds import MAX_COLUMNS, MAX_LINE_BYTES
from recommender.data.columns import (
    MAX_TIME,
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
    checked_times,
    kept_title,
)
from recommender.data.formats.lines import read_lines
from recommender.data.headers import describe_columns, names_in_file
from recommender.data.iso_times import milliseconds_of
from recommender.data.sources import SourceFile
from recommender.errors import DataError

ROWS_AT_ONCE = 20_000
BYTES_AT_ONCE = MAX_LINE_BYTES  # the parsed Python objects are several times as large

Line = tuple[int, bytes]


class Nothing:
    """The placeholder for a missing value; messages show it as "nothing"."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


def read_json_lines(source: SourceFile, columns: Columns, attributes: AttributeColumns | None = None) -> Chunks:
    """Yield the checked chunks of a file. If an object repeats a name, the last value counts. Empty lines are skipped.

    Raises:
        DataError: a line is too long or not one JSON object in UTF-8, or a value does not meet `columns`.
    """
    for lines in _batches(source):
        records = [_record(source.name, number, line) for number, line in lines]
        chunk = _chunk(records, columns, Rows(source.name, "line {}", [number for number, _ in lines]))
        if attributes is not None:
            _add_attributes(chunk, records, names_in_file(columns).values(), attributes)
        yield chunk


def _add_attributes(
    chunk: Chunk, records: list[dict[str, Any]], used: Iterable[str], attributes: AttributeColumns
) -> None:
    """Add the attributes of the records to their chunk; some records may lack some."""
    found = list(islice(dict.fromkeys(chain.from_iterable(records)), MAX_COLUMNS))
    for name in attributes.names(found, used):
        try:
            chunk.attributes[name] = values_of_json([record.get(name) for record in records])
        except UnsuitableError as error:
            attributes.leave_out(name, str(error), chunk.rows.location(error.row or 0))


def _batches(source: SourceFile) -> Iterator[list[Line]]:
    """Yield batches of the non-empty lines with their numbers."""
    batch: list[Line] = []
    num_bytes = 0
    for number, line in _lines(source):
        batch.append((number, line))
        num_bytes += len(line)
        if len(batch) == ROWS_AT_ONCE or num_bytes > BYTES_AT_ONCE:
            yield batch
            batch, num_bytes = [], 0
    if batch:
        yield batch


def _lines(source: SourceFile) -> Iterator[Line]:
    for number, line in enumerate(chain.from_iterable(read_lines(source)), start=1):
        if len(line) > MAX_LINE_BYTES:
            raise DataError(f"{source.name}: line {number}: expected at most {MAX_LINE_BYTES:,} bytes, got more")
        if line and not line.isspace():
            yield number, line


def _record(file: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        problem = reason(error).replace("line 1 column", "character")
        raise DataError(f"{file}: line {number}: expected one JSON object in UTF-8: {problem}") from None
    if not isinstance(record, dict):
        raise DataError(f"{file}: line {number}: expected one JSON object, got {shown(record)}")
    return record


def _chunk(records: list[dict[str, Any]], columns: Columns, rows: Rows) -> Chunk:
    checked: dict[str, pa.Array] = {}
    found = list(records[0])
    for name, given in names_in_file(columns).items():
        column = columns[name]
        values = [record.get(given, NOTHING) for record in records]
        is_there = any(value is not NOTHING for value in values)
        # Some lines may lack a title. All lines may lack it, unless the option `columns` names it.
        needed = column.name_in_file is not None and not is_there if isinstance(column, Title) else column.required
        if needed and values[0] is NOTHING:
            raise DataError(
                f"{rows.location(0)}, column {given!r}: expected {column.expected}, got nothing; "
                f"{describe_columns(columns, found, 'the line')}"
            )
        if column.required or is_there:
            checked[name] = _checked(values, given, column, rows)
    return Chunk(rows, found, checked)


def _checked(values: list[Any], name: str, column: Column, rows: Rows) -> pa.Array:
    if isinstance(column, Id):
        good = [type(value) is str or type(value) is int for value in values]
        rows.check(np.array(good), name, column, values.__getitem__)
        return checked_ids(pa.array(list(map(str, values)), pa.large_string()), name, column, rows)
    if isinstance(column, Title):
        values = ["" if value is None or value is NOTHING else value for value in values]
        rows.check(np.array([type(value) is str for value in values]), name, column, values.__getitem__)
        return kept_title(pa.array(values, pa.large_string()))
    if isinstance(column, Number):
        good = _are_numbers(values, column.lowest, column.highest)
        rows.check(np.array(good), name, column, values.__getitem__)
        return pa.array(np.array(values, np.float32))
    assert isinstance(column, Time)
    return _times(values, name, column, rows)


def _times(values: list[Any], name: str, column: Time, rows: Rows) -> pa.Array:
    good = _are_numbers(values, -MAX_TIME, MAX_TIME)
    if all(good):
        return pa.array(np.array(values, np.int64))
    numbers = np.array([value if is_good else np.nan for value, is_good in zip(values, good, strict=True)], float)
    text = pa.array([value if type(value) is str else None for value in values], pa.large_string())
    return checked_times(numbers, milliseconds_of(text), name, column, rows, values.__getitem__)


def _are_numbers(values: list[Any], lowest: float, highest: float) -> list[bool]:
    """Return which values are numbers in a range. It excludes booleans, which are ints in Python, and huge ints."""
    return [type(value) in (int, float) and lowest <= value <= highest for value in values]
