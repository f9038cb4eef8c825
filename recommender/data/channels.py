"""The files of a channel -> one checked pandas frame; every problem names file, row and value."""

import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recommender.errors import DataError
from recommender.validation import shown

SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True)
class Column:
    """What a column must hold: text, or numbers in a range (both ends allowed)."""

    required: bool = True
    numeric: bool = False
    lowest: float = -np.inf
    highest: float = np.inf
    may_be_empty: bool = False

    @property
    def expected(self) -> str:
        """The words of an error message."""
        if not self.numeric:
            return "a text that is not empty"
        return "a number" if np.isinf(self.lowest) else f"a number from {self.lowest:g} to {self.highest:g}"


ID = Column()
TIMESTAMP = Column(required=False, numeric=True, lowest=-(2**62), highest=2**62)
ITEM_COLUMNS = {"item_id": ID, "title": Column(may_be_empty=True)}


def read_ratings(channel: Path, rating_min: float, rating_max: float) -> pd.DataFrame:
    """All ratings of a channel, in the order of the files' names and of their rows.

    Returns:
        Columns user_id, item_id (str), rating (float32) and, where every file has it, timestamp (int64).

    Raises:
        DataError: see `read_channel`.
    """
    rating = Column(numeric=True, lowest=rating_min, highest=rating_max)
    ratings = read_channel(channel, {"user_id": ID, "item_id": ID, "rating": rating, "timestamp": TIMESTAMP})
    return ratings.astype({name: kind for name, kind in DTYPES.items() if name in ratings.columns})


DTYPES = {"rating": "float32", "timestamp": "int64"}


def read_titles(channel: Path) -> pd.DataFrame:
    """Columns item_id and title (str, '' where missing) of a channel.

    Raises:
        DataError: see `read_channel`.
    """
    return read_channel(channel, ITEM_COLUMNS)


def read_channel(channel: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    """The named columns of every .csv and .csv.gz file of a channel, checked and put together.

    Other columns are ignored, as are files and folders whose names begin with "." or "_" (markers that S3
    tools and Spark leave).

    Raises:
        DataError: no file, a file that is not CSV, a missing column, a value that is not what `columns`
            says, or a column that only some of the files have.
    """
    files = channel_files(channel)
    frames = [_read_file(path, columns) for path in files]
    for path, frame in zip(files, frames, strict=True):
        if missing := set(frames[0].columns) - set(frame.columns):
            raise DataError(f"{path}: column {missing.pop()!r} is missing, but {files[0]} has it")
        if missing := set(frame.columns) - set(frames[0].columns):
            raise DataError(f"{files[0]}: column {missing.pop()!r} is missing, but {path} has it")
    table = pd.concat(frames, ignore_index=True)
    if table.empty:
        raise DataError(f"{channel}: expected at least one row below the header, got none")
    return table


def channel_files(channel: Path) -> Sequence[Path]:
    """The channel's files, of its folders too, in order of path.

    Raises:
        DataError: there is none, or one of them is not CSV by its name.
    """
    files = sorted(path for path in channel.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(channel)))
    for path in files:
        if not path.name.endswith(SUFFIXES):
            raise DataError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    if not files:
        raise DataError(f"{channel}: expected at least one .csv or .csv.gz file, got none")
    return files


def _is_hidden(path: Path) -> bool:
    return any(part[0] in "._" for part in path.parts)


def _read_file(path: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    header = _read_csv(path, {}, nrows=0)
    for name, column in columns.items():
        if column.required and name not in header.columns:
            found = ", ".join(map(shown, header.columns[:20]))
            raise DataError(f"{path}: column {name!r} is missing; the header has {found}")
    present = {name: column for name, column in columns.items() if name in header.columns}
    # Fast path: numbers are parsed as numbers. Only a file with something wrong is read as text.
    frame = _read_csv(path, {name: np.float64 if column.numeric else str for name, column in present.items()})
    return pd.DataFrame({name: _checked(frame[name], column, path) for name, column in present.items()})


def _read_csv(path: Path, dtypes: Mapping[str, type], nrows: int | None = None) -> pd.DataFrame:
    """All columns, so that pandas refuses a row with more fields than the header; with `usecols` it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                dtype=dict(dtypes),
                nrows=nrows,
                index_col=False,
                keep_default_na=False,  # an id may be "NA" or "null"
                low_memory=False,
                encoding="utf-8",
            )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: expected a header and rows, the file is empty") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read: {error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text: {error}") from None
    except pd.errors.ParserWarning:
        raise DataError(f"{path}: expected as many fields in a row as in the header, got more") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: expected CSV: {str(error).strip()}") from None
    except ValueError:
        if all(kind is str for kind in dtypes.values()):
            raise
        return _read_csv(path, dict.fromkeys(dtypes, str))


def _checked(values: pd.Series, column: Column, path: Path) -> pd.Series:
    if column.numeric:
        numbers = pd.to_numeric(values, errors="coerce")
        good = numbers.between(column.lowest, column.highest)
    else:
        numbers = values
        good = (values != "") | column.may_be_empty
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        raise DataError(
            f"{path}: row {row + 1} below the header, column {values.name!r}: "
            f"expected {column.expected}, got {shown(values.tolist()[row])}"
        )
    return numbers
