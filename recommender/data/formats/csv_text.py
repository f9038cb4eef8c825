"""Read CSV with a header (RFC 4180). Inside an unquoted field, a quote is an ordinary character."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from recommender.common.messages import shown
from recommender.common.output import say
from recommender.data.attribute_columns import AttributeColumns
from recommender.data.bounds import MAX_COLUMNS, MAX_LINE_BYTES
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
from recommender.data.formats.lines import read_blocks
from recommender.data.headers import find_columns
from recommender.data.iso_times import milliseconds_of
from recommender.data.sources import SourceFile
from recommender.errors import DataError

BYTES_AT_ONCE = 4 * 2**20
BYTES_BEFORE = 10  # number of characters that a message shows before a bad byte

Row = list[str]


def read_csv(source: SourceFile, columns: Columns, attributes: AttributeColumns | None = None) -> Chunks:
    """Yield the checked chunks of a file; print how many rows span several lines.

    A file without a header has no rows.

    Raises:
        DataError: the file is not CSV in UTF-8, or a column or value does not meet `columns`.
    """
    parser = Parser(source)
    found = parser.header()
    if found is None:
        return
    names = find_columns(source.name, columns, found)
    places = {given: found.index(given) for given in names.values()}
    while parser.has_more():
        others = [] if attributes is None else attributes.names(found, names.values())
        rows, texts, bad = parser.texts(places, {name: found.index(name) for name in others})
        for name, problem in bad.items():
            assert attributes is not None
            attributes.leave_out(name, problem)
        yield Chunk(
            rows,
            found,
            {name: _checked(texts[given], given, columns[name], rows) for name, given in names.items()},
            {name: texts[name] for name in others if name not in bad},
            is_typed=False,
        )
    parser.say_spanning()


class Parser:
    """A parser for a file. Arrow, which is fast, parses blocks with plain quotes or none; `csv` parses the others."""

    def __init__(self, source: SourceFile) -> None:
        self._name = source.name
        self._lines = Lines(source)
        self._num_fields = 0
        self._num_rows = 0
        self._spanning: list[tuple[int, int]] = []  # the first row that spans several lines, and how many
        self._num_spanning = 0

    def header(self) -> list[str] | None:
        """Read the header and return its names; None if the file has no text.

        Raises:
            DataError: the header is malformed or has too many names.
        """
        rows: list[Row] = []
        while not rows and self._lines.has_more():
            rows = self._parse_with_csv(most=1)
        if not rows:
            return None
        if len(rows[0]) > MAX_COLUMNS:
            raise DataError(f"{self._name}: expected at most {MAX_COLUMNS:,} columns, got {len(rows[0]):,}")
        self._num_fields, self._num_rows, self._spanning, self._num_spanning = len(rows[0]), 0, [], 0
        return rows[0]

    def has_more(self) -> bool:
        """Return whether the file has more rows."""
        return self._lines.has_more()

    def texts(
        self, places: Mapping[str, int], others: Mapping[str, int]
    ) -> tuple[Rows, dict[str, pa.Array], dict[str, str]]:
        """Return the row numbers of the next block, and the texts of its columns; null if a row is too short.

        Args:
            places: column -> its position in the header, for the columns to read.
            others: the same for columns that may be bad.

        Returns:
            The row numbers, column -> texts, and for each bad column of `others` its problem.

        Raises:
            DataError: a row is malformed, too long or has too many fields, or a text of `places` is not UTF-8.
        """
        first = self._num_rows + 1
        texts = self._parse_with_arrow({**places, **others})
        if texts is not None:
            return self._rows(first), texts, {}
        parsed = self._parse_with_csv()
        rows, bad = self._rows(first), {}
        texts = {name: _column(parsed, place, name, rows) for name, place in places.items()}
        for name, place in others.items():
            try:
                texts[name] = _column(parsed, place, name, rows)
            except DataError as error:
                bad[name] = str(error)
        return rows, texts, bad

    def say_spanning(self) -> None:
        """Print which row spans several lines: it may have a quote too many or too few."""
        for row, num_lines in self._spanning:
            others = f", the first of {self._num_spanning:,} such rows" if self._num_spanning > 1 else ""
            say(
                f"{self._name}: row {row} below the header spans {num_lines:,} lines within quotes{others}: if "
                "each line is a row, correct the quotes"
            )

    def _rows(self, first: int) -> Rows:
        return Rows(self._name, "row {} below the header", range(first, self._num_rows + 1))

    def _parse_with_arrow(self, places: Mapping[str, int]) -> dict[str, pa.Array] | None:
        """Return the texts of the next block; None if Arrow can't parse it, so that `csv` parses it or reports why."""
        block = self._lines.rest
        if not _has_plain_quotes(block):
            return None
        wanted = [str(place) for place in places.values()]
        try:
            table = pacsv.read_csv(
                pa.BufferReader(block),
                pacsv.ReadOptions(column_names=map(str, range(self._num_fields)), block_size=len(block) + 1),
                convert_options=pacsv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.large_string())
                ),
            )
        except pa.ArrowInvalid:
            return None
        self._lines.skip_block()
        self._num_rows += len(table)
        return {name: pa.concat_arrays(table[str(place)].chunks) for name, place in places.items()}

    def _parse_with_csv(self, most: int | None = None) -> list[Row]:
        """Return the rows that begin in the block, at most `most`; skip empty lines."""
        rows: list[Row] = []
        with _long_fields():
            reader = csv.reader(self._lines, strict=True)
            while self._lines.in_block() and len(rows) != most:
                row = self._next_row(reader)
                if row and not (len(row) == 1 and row[0].isspace()):
                    rows.append(row)
                    self._num_rows += 1
                    self._check(row)
        return rows

    def _next_row(self, reader: Iterator[Row]) -> Row:
        self._lines.begin_row()
        try:
            return next(reader)
        except csv.Error as error:
            if "unexpected end" in str(error):
                problem = "expected CSV, got a quote that is never closed"
            else:
                problem = "expected CSV, got text after a closing quote; a quote within quotes is written twice"
        except LongRowError:
            problem = f"expected at most {MAX_LINE_BYTES:,} characters, got more; perhaps a quote is not closed"
        row = f"row {self._num_rows + 1} below the header" if self._num_fields else "the header"
        raise DataError(f"{self._name}: {row} (line {self._lines.first_line_of_row}): {problem}") from None

    def _check(self, row: Row) -> None:
        if self._num_fields and len(row) > self._num_fields:
            raise DataError(
                f"{self._rows(self._num_rows).location(0)} (line {self._lines.first_line_of_row}): expected at most "
                f"{self._num_fields:,} fields, as many as in the header, got {len(row):,}"
            )
        if self._lines.lines_of_row > 1:
            self._num_spanning += 1
            self._spanning = self._spanning or [(self._num_rows, self._lines.lines_of_row)]


class LongRowError(Exception):
    """A row is longer than `MAX_LINE_BYTES`."""


class Lines:
    """An iterator over the lines of a file, for `csv`; it reads a block when its first line is needed.

    Attributes:
        lines_of_row: how many lines of the current row were read so far.
        first_line_of_row: the number of the first line of the current row.
    """

    def __init__(self, source: SourceFile) -> None:
        self._blocks = _whole_lines(source)
        self._block = b""
        self._texts: list[str] = []  # unread lines of the block, the last one first
        self._number = 0
        self._characters = 0
        self.lines_of_row, self.first_line_of_row = 0, 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.has_more():
            raise StopIteration
        if not self._texts:
            # Bytes that are not UTF-8 are allowed in columns that are not read.
            text = io.StringIO(self._block.decode(errors="surrogateescape"), newline="")
            self._texts, self._block = [*text][::-1], b""
        line = self._texts.pop()
        self._number += 1
        self.lines_of_row += 1
        self._characters += len(line)
        if self._characters > MAX_LINE_BYTES:
            raise LongRowError
        return line

    def begin_row(self) -> None:
        """Begin to count the lines and characters of a new row."""
        self.lines_of_row, self.first_line_of_row, self._characters = 0, self._number + 1, 0

    def in_block(self) -> bool:
        """Return whether the current block has more lines."""
        return bool(self._texts or self._block)

    def has_more(self) -> bool:
        """Return whether the file has more lines; read the next block if the current one is used up."""
        if not self.in_block():
            self._block = next(self._blocks, b"")
        return self.in_block()

    @property
    def rest(self) -> bytes:
        """The unread lines of the current block."""
        if self._texts:
            self._block, self._texts = "".join(reversed(self._texts)).encode(errors="surrogateescape"), []
        return self._block

    def skip_block(self) -> None:
        """Skip the unread lines of the current block."""
        self._number += self.rest.count(b"\n")
        self._block = b""


def _whole_lines(source: SourceFile) -> Iterator[bytes]:
    """Yield blocks of whole lines.

    Raises:
        DataError: a line is too long.
    """
    begun: list[bytes] = []
    num_bytes, line = 0, 1
    for block in read_blocks(source, BYTES_AT_ONCE):
        # A carriage return ends a line too; the last byte may be the first half of "\r\n".
        end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
        if not end:
            begun.append(block)
            num_bytes += len(block)
            if num_bytes > MAX_LINE_BYTES:
                raise DataError(f"{source.name}: line {line}: expected at most {MAX_LINE_BYTES:,} bytes, got more")
            continue
        whole = b"".join([*begun, block[:end]])
        yield whole
        line += whole.count(b"\n")
        begun, num_bytes = [block[end:]], len(block) - end
    if last := b"".join(begun):
        yield last


def _has_plain_quotes(block: bytes) -> bool:
    """Return whether quotes surround only whole fields of one line, or are doubled within such a field."""
    if b'"' not in block:
        return True
    text = np.frombuffer(b"\n%b\n" % block, np.uint8)
    quotes = np.flatnonzero(text == ord('"'))
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    is_edge = np.zeros(256, bool)
    is_edge[[*b",\r\n"]] = True
    is_doubled = opening[1:] == closing[:-1] + 1
    newlines = np.flatnonzero((text == ord("\n")) | (text == ord("\r")))
    return bool(
        (is_edge[text[opening - 1]] | np.append(False, is_doubled)).all()
        and (is_edge[text[closing + 1]] | np.append(is_doubled, False)).all()
        and not (np.searchsorted(quotes, newlines) % 2).any()
    )


@contextmanager
def _long_fields() -> Iterator[None]:
    """Allow fields as long as rows; restore the limit afterwards, because `csv` has one limit per process."""
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _column(parsed: Sequence[Row], place: int, name: str, rows: Rows) -> pa.Array:
    texts = [row[place] if place < len(row) else None for row in parsed]
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError as error:
        row = texts.index(error.object)
        at = max(0, error.start - BYTES_BEFORE)
        part = error.object[at : error.start + 1].encode(errors="surrogateescape")
        raise DataError(
            f"{rows.location(row)}, column {name!r}: expected UTF-8 text, got {shown(part)} at character {at + 1:,}: "
            "save the file as UTF-8"
        ) from None


def _checked(text: pa.Array, name: str, column: Column, rows: Rows) -> pa.Array:
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
    """Convert texts to numbers, also texts that only pandas accepts, such as " 5" or the time 1e9; NaN for others."""
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
