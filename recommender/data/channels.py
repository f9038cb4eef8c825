"""The files of a channel -> one checked pandas frame; every error names file, row and value."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from recommender.common.progress import say
from recommender.data.columns import MAX_TITLE_CHARACTERS, Chunks, Columns, Id, Number, Title
from recommender.data.formats.csv_text import read_csv
from recommender.data.formats.json_lines import read_json_lines
from recommender.data.formats.parquet import read_parquet
from recommender.data.sources import Format, SourceFile
from recommender.errors import DataError

READERS: dict[Format, Callable[[SourceFile, Columns], Chunks]] = {
    Format.CSV: read_csv,
    Format.JSON_LINES: read_json_lines,
    Format.PARQUET: read_parquet,
}
MIN_NEW = 1_000_000  # new texts that are compared with the known ones at once
TIMESTAMP = Number(np.int64, -(2**62), 2**62, "a number", required=False)
TITLE_COLUMNS: Columns = {"item_id": Id(), "title": Title()}


def read_ratings(files: Sequence[SourceFile], rating_min: float, rating_max: float) -> pd.DataFrame:
    """Read all ratings of a channel, in the order of the files and of their rows.

    Returns:
        Columns user_id, item_id (categories of str, in the order of their first row), rating (float32) and,
        if the files have it, timestamp (int64).

    Raises:
        DataError: a file is not of its format, a column is missing or only in some of the files, a value is
            invalid, or there is no row at all.
    """
    return _read(files, ratings_columns(rating_min, rating_max))


def ratings_columns(rating_min: float, rating_max: float) -> Columns:
    """Return the columns of ratings and the content that they must have."""
    rating = Number(np.float32, rating_min, rating_max, f"a number from {rating_min:g} to {rating_max:g}")
    return {"user_id": Id(), "item_id": Id(), "rating": rating, "timestamp": TIMESTAMP}


def read_titles(files: Sequence[SourceFile]) -> pd.DataFrame:
    """Read columns item_id and title (str, '' if missing) of a channel; print how many titles were cut.

    Raises:
        DataError: as `read_ratings`.
    """
    return cut_titles(_read(files, TITLE_COLUMNS))


def cut_titles(titles: pd.DataFrame) -> pd.DataFrame:
    """Cut titles to `MAX_TITLE_CHARACTERS`; print how many were cut."""
    titles = titles.astype({"item_id": "str"})
    num_cut = int((titles["title"].str.len() > MAX_TITLE_CHARACTERS).sum())
    if num_cut:
        titles["title"] = titles["title"].str.slice(0, MAX_TITLE_CHARACTERS)
        say(f"{num_cut:,} titles of more than {MAX_TITLE_CHARACTERS:,} characters are cut to that length")
    return titles


def _read(files: Sequence[SourceFile], columns: Columns) -> pd.DataFrame:
    others = f" and {len(files) - 1:,} other files" if len(files) > 1 else ""
    return frame_of(_chunks(files, columns), f"{files[0].name}{others}")


def frame_of(chunks: Chunks, source: str) -> pd.DataFrame:
    """Return checked chunks as one frame.

    Raises:
        DataError: there is no row at all; the message begins with `source`.
    """
    parts: dict[str, Parts] = {}
    for chunk in chunks:
        for name, values in chunk.items():
            parts.setdefault(name, Parts()).add(values)
    if not parts:
        raise DataError(f"{source}: expected at least one row, got none")
    return pd.DataFrame({name: parts.pop(name).series() for name in list(parts)}, copy=False)


def _chunks(files: Iterable[SourceFile], columns: Columns) -> Chunks:
    """Yield the chunks with rows; check that all of them have the same columns."""
    first: tuple[str, set[str]] | None = None
    for file in files:
        for chunk in READERS[file.format](file, columns):
            if not len(next(iter(chunk.values()))):
                continue
            first = first or (file.name, set(chunk))
            _check_same_columns(*first, file.name, set(chunk))
            yield chunk


def _check_same_columns(first_file: str, first: set[str], file: str, names: set[str]) -> None:
    if missing := sorted(first - names):
        raise DataError(f"{file}: column {missing[0]!r} is missing, but {first_file} has it")
    if missing := sorted(names - first):
        raise DataError(f"{first_file}: column {missing[0]!r} is missing, but {file} has it")


class Parts:
    """A column that grows chunk by chunk; the text of an ID is kept about once, not once per chunk."""

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
            return pd.Series(column, dtype="str") if column.type == pa.large_string() else pd.Series(column.to_numpy())
        self._unify()
        distinct = pd.Index(self._parts[0].dictionary, dtype="str")
        return pd.Series(pd.Categorical.from_codes(self._parts[0].indices.to_numpy(), distinct))

    def _unify(self) -> None:
        """Merge the dictionaries of the chunks, each time the IDs have doubled: O(rows log rows) in all."""
        column = pa.chunked_array(self._parts).unify_dictionaries()
        self._parts, self._num_new = [column.combine_chunks()], 0
