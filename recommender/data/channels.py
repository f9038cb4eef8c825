"""Read the files of a channel into one checked pandas frame; every error names file, row and value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from recommender.common.output import say
from recommender.data.attribute_columns import AttributeColumns
from recommender.data.bounds import MAX_KEPT_BYTES
from recommender.data.column_names import as_option
from recommender.data.columns import Chunk, Chunks, Columns, Id, Number, Time, Title
from recommender.data.event_types import MAX_WEIGHT, weigh
from recommender.data.formats.csv_text import read_csv
from recommender.data.formats.json_lines import read_json_lines
from recommender.data.formats.lines import check_rows
from recommender.data.formats.parquet import read_parquet
from recommender.data.headers import guess_columns, list_names, named_columns, names_in_file
from recommender.data.listing import first_names
from recommender.data.options import EventOptions
from recommender.data.sources import Format, SourceFile
from recommender.data.time_units import TimeUnits
from recommender.data.vocabulary import MAX_TITLE_CHARACTERS
from recommender.errors import DataError

READERS: dict[Format, Callable[[SourceFile, Columns, AttributeColumns | None], Chunks]] = {
    Format.CSV: read_csv,
    Format.JSON_LINES: read_json_lines,
    Format.PARQUET: read_parquet,
}
MIN_NEW = 1_000_000  # number of new texts before dictionaries are merged


def read_events(files: Sequence[SourceFile], options: EventOptions) -> pd.DataFrame:
    """Read the events of a channel with a weight above 0, in the order of files and rows.

    Returns:
        Columns user_id and item_id (categories of str, in the order of their first row). If the files have them,
        also rating (float32), timestamp (int64) and weight (float32, above 0). If the options give weights of event
        types, the weight includes that of the event's type.

    Raises:
        DataError: a file does not have the format of its name, or a column is missing or only in some files. Also if a
            value is invalid or the channel has no rows.
    """
    source = _channel_name(files)
    events = frame_of(_chunks(files, event_columns(options)), source)
    return weigh(events, options.type_weights, source)


def event_columns(options: EventOptions) -> Columns:
    """Return the columns of events and their requirements."""
    low, high = options.rating_min, options.rating_max
    columns = {
        "user_id": Id(),
        "item_id": Id(),
        "rating": Number(
            expected=f"a number from {low:g} to {high:g}",
            lowest=low,
            highest=high,
            options=("rating_min", "rating_max"),
            required=False,
        ),
        "timestamp": Time(required=False),
        "weight": Number(expected=f"a number from 0 to {MAX_WEIGHT:,}", lowest=0, highest=MAX_WEIGHT, required=False),
    }
    if options.type_weights or "event_type" in options.column_names:
        columns["event_type"] = Id(needed_by="event_weights")
    return named_columns(columns, options.column_names)


def read_items(files: Sequence[SourceFile], options: EventOptions) -> pd.DataFrame:
    """Read the columns item_id and title (str, '' if missing) of a channel, and the attributes of the items.

    Print how many titles were cut, and the type of each attribute.

    Returns:
        item_id, title and a column for each attribute with an Arrow dtype: float64, bool, large_string, a large list of
        large_string, or timestamp[ms]; null if it is missing.

    Raises:
        DataError: as `read_events`. Also if a column that `item_attributes` names can't be an attribute.
    """
    attributes = AttributeColumns(options.item_attributes)
    chunks = _chunks(files, title_columns(options), attributes)
    return items_of(chunks, _channel_name(files), attributes)


def read_update(files: Sequence[SourceFile], options: EventOptions, types: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Read the items of an update as `read_items` does; titles and attributes may be missing.

    Args:
        files: the files.
        options: those of the model.
        types: name -> Arrow type of the model's attributes.

    Raises:
        DataError: as `read_items`. Also if a value has another type than the attribute.
    """
    attributes = AttributeColumns(options.item_attributes, types)
    columns = {name: replace(column, required=name == "item_id") for name, column in title_columns(options).items()}
    return items_of(_chunks(files, columns, attributes), _channel_name(files), attributes)


def items_of(chunks: Chunks, source: str, attributes: AttributeColumns) -> pd.DataFrame:
    """Join checked chunks of items into one frame; see `read_items`."""

    def collected() -> Chunks:
        for chunk in chunks:
            attributes.add(chunk.rows, chunk.attributes, is_typed=chunk.is_typed)
            yield chunk

    items = frame_of(collected(), source)
    items = cut_titles(items if "title" in items else items.assign(title=""))
    columns = {name: pd.array(values, pd.ArrowDtype(values.type)) for name, values in attributes.columns().items()}
    return items.assign(**columns)


def title_columns(options: EventOptions) -> Columns:
    """Return the columns of titles and their requirements."""
    return named_columns({"item_id": Id(), "title": Title()}, options.column_names)


def cut_titles(titles: pd.DataFrame) -> pd.DataFrame:
    """Cut titles to `MAX_TITLE_CHARACTERS`; print how many were cut."""
    titles = titles.astype({"item_id": "str"})
    num_cut = int((titles["title"].str.len() > MAX_TITLE_CHARACTERS).sum())
    if num_cut:
        titles["title"] = titles["title"].str.slice(0, MAX_TITLE_CHARACTERS)
        say(f"{num_cut:,} titles of more than {MAX_TITLE_CHARACTERS:,} characters are cut to that length")
    return titles


def _channel_name(files: Sequence[SourceFile]) -> str:
    others = f" and {len(files) - 1:,} other files" if len(files) > 1 else ""
    return f"{files[0].name}{others}"


def frame_of(chunks: Chunks, source: str) -> pd.DataFrame:
    """Join checked chunks into one frame, with times as int64.

    Raises:
        DataError: the chunks have no rows (the message begins with `source`), have different columns, or mix numbers
            and dates as times.
    """
    parts: dict[str, GrowingColumn] = {}
    for chunk in chunks:
        for name, values in chunk.values.items():
            parts.setdefault(name, GrowingColumn()).add(values)
    if not parts:
        raise DataError(f"{source}: expected at least one row, got none")
    return pd.DataFrame({name: parts.pop(name).series() for name in list(parts)}, copy=False)


def _chunks(files: Iterable[SourceFile], columns: Columns, attributes: AttributeColumns | None = None) -> Chunks:
    empty: list[str] = []
    parts = (chunk for file in files for chunk in _chunks_of_file(file, columns, empty, attributes))
    yield from consistent_chunks(parts, columns)
    if empty:
        say(f"{len(empty):,} files without rows are skipped: {first_names(empty)}")


def _chunks_of_file(
    file: SourceFile, columns: Columns, empty: list[str], attributes: AttributeColumns | None
) -> Chunks:
    """Yield the chunks of a file; append its name to `empty` if it has no rows.

    Raises:
        DataError: the file has too many rows or needs too much memory; or as `read_events`.
    """
    num_rows, num_bytes = 0, 0
    for chunk in READERS[file.format](file, columns, attributes):
        num_rows += len(chunk)
        num_bytes += sum(
            _values_per_row(values).nbytes for values in [*chunk.values.values(), *chunk.attributes.values()]
        )
        check_rows(file.name, num_rows)
        if num_bytes > MAX_KEPT_BYTES:
            raise DataError(
                f"{file.name}: expected at most {MAX_KEPT_BYTES:,} bytes of IDs, numbers and titles, got more"
            )
        yield chunk
    if not num_rows:
        empty.append(file.name)


def _values_per_row(values: pa.Array) -> pa.Array:
    """Return the part of a column that needs memory for each row: of a dictionary, only the codes."""
    return values.indices if isinstance(values, pa.DictionaryArray) else values


def consistent_chunks(chunks: Chunks, columns: Columns) -> Chunks:
    """Yield the chunks that have rows; check that all have the same columns and the same kind of times.

    Print which missing columns the first chunk probably has under another name, and how many times have another unit.

    Raises:
        DataError: a chunk differs from the first one.
    """
    first: Chunk | None = None
    units = TimeUnits()
    for chunk in chunks:
        if not len(chunk):
            continue
        if first is None:
            first = chunk
            _say_columns(chunk, columns)
        _check_same_columns(first, chunk)
        _check_same_times(first, chunk, columns)
        if "timestamp" in chunk.values and chunk.values["timestamp"].type == pa.int64():
            units.add(chunk.values["timestamp"].to_numpy(), chunk.rows)
        yield chunk
    units.say_units()


def _say_columns(chunk: Chunk, columns: Columns) -> None:
    """Print the columns that are not read, those that probably have another name, and IDs that look like numbers."""
    names = names_in_file(columns)
    read = [*(names[name] for name in chunk.values), *chunk.attributes]
    if ignored := [name for name in chunk.found if name not in read]:
        say(f"{chunk.rows.file}: reads {list_names(read)}; ignores {list_names(ignored)}")
    for name in ("user_id", "item_id"):
        if name in chunk.values and pc.all(pc.ends_with(chunk.values[name].dictionary, ".0")).as_py():
            say(f"{chunk.rows.file}: every {name} ends with '.0': write whole numbers without it, if they are meant")
    if meant := guess_columns(columns, chunk.found):
        say(f"{chunk.rows.file} has no column {' or '.join(meant)}: if they have other names, set {as_option(meant)}")


def _check_same_columns(first: Chunk, other: Chunk) -> None:
    for one, two in ((first, other), (other, first)):
        if missing := sorted(one.values.keys() - two.values.keys()):
            raise DataError(f"{two.rows.file}: column {missing[0]!r} is missing, but {one.rows.file} has it")


def _check_same_times(first: Chunk, other: Chunk, columns: Columns) -> None:
    for name, values in first.values.items():
        if isinstance(columns[name], Time) and values.type != other.values[name].type:
            kinds = [
                "a number" if chunk.values[name].type == pa.int64() else "a date or time" for chunk in (first, other)
            ]
            raise DataError(
                f"{other.rows.location(0)}, column {columns[name].name_in_file or name!r}: expected {kinds[0]}, as in "
                f"{first.rows.file}, got {kinds[1]}; times must be all numbers or all dates"
            )


class GrowingColumn:
    """A column that grows chunk by chunk; it stores the text of an ID about once, not once per chunk."""

    def __init__(self) -> None:
        self._parts: list[pa.Array] = []
        self._num_new = 0

    def add(self, values: pa.Array) -> None:
        """Append the values of a chunk."""
        self._parts.append(values)
        if isinstance(values, pa.DictionaryArray):
            self._num_new += len(values.dictionary)
            if self._num_new > max(MIN_NEW, 2 * len(self._parts[0].dictionary)):
                self._unify()

    def series(self) -> pd.Series:
        """Return the whole column: IDs as categories, others as text or numbers."""
        if not isinstance(self._parts[0], pa.DictionaryArray):
            column = pa.chunked_array(self._parts)
            if column.type == pa.large_string():
                return pd.Series(column, dtype="str")
            return pd.Series((column.cast(pa.int64()) if types.is_timestamp(column.type) else column).to_numpy())
        self._unify()
        codes, distinct = self._parts[0].indices.to_numpy(), pd.Index(self._parts[0].dictionary, dtype="str")
        if not distinct.is_unique:  # the dictionary of a Parquet file may repeat a text
            numbers, distinct = pd.factorize(distinct)
            codes = numbers[codes]
        return pd.Series(pd.Categorical.from_codes(codes, distinct))

    def _unify(self) -> None:
        """Merge the dictionaries of the chunks. `add` does it when the IDs have doubled: O(rows log rows) in all."""
        column = pa.chunked_array(self._parts).unify_dictionaries()
        self._parts, self._num_new = [column.combine_chunks()], 0
