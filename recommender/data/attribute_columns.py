"""Collect the columns of the items channel that become attributes, and decide their types.

A column has one type: number, boolean, text, list of texts or time. Parquet, JSON Lines and data frames say the type.
CSV does not, so it is inferred from all values of the column.
"""

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types
from pydantic_core import from_json, to_json

from recommender.common.messages import shown
from recommender.common.output import say
from recommender.data.bounds import (
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_ATTRIBUTE_TEXTS,
    MAX_ATTRIBUTES,
    MAX_DISTINCT_TEXTS,
    MAX_NAME_CHARACTERS,
)
from recommender.data.columns import Rows
from recommender.data.iso_times import milliseconds_of
from recommender.errors import DataError

NUMBER, BOOLEAN, TEXT = pa.float64(), pa.bool_(), pa.large_string()
TIME, TEXTS = pa.timestamp("ms"), pa.large_list(pa.large_string())
NAMES = {NUMBER: "number", BOOLEAN: "boolean", TEXT: "text", TIME: "time", TEXTS: "list of texts"}
ALL = "*"
NUMBER_PATTERN = r"^[+-]?((0|[1-9][0-9]{0,300})([.][0-9]{0,300})?|[.][0-9]{1,300})([eE][+-]?[0-9]{1,3})?$"
MAX_LIST_CHARACTERS = MAX_ATTRIBUTE_TEXTS * (MAX_ATTRIBUTE_CHARACTERS + 4)  # of a list of texts in JSON
MAX_LISTED = 50  # columns of a file in a message
MOSTLY = 0.9  # share of numbers from which a text column gets a hint


class UnsuitableError(ValueError):
    """A column can't be an attribute; the message says why, `row` is the position of the first bad value, or None."""

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


@dataclass
class _Collected:
    """The values of a column so far: an Arrow array for each part of the channel, and whether its format is typed."""

    parts: list[pa.Array] = field(default_factory=list)
    typed: list[bool] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    num_rows: int = 0
    num_bytes: int = 0


class AttributeColumns:
    """Collects the columns that the hyper-parameter `item_attributes` names; by default all.

    A column that can't be an attribute is left out, with a line that says why. If it was named, it is an error.
    """

    def __init__(self, item_attributes: str = "", types: Mapping[str, pa.DataType] | None = None) -> None:
        """Begin without columns.

        Args:
            item_attributes: names separated by commas; "*": every further column; "": none.
            types: name -> type that a column must have, for an update. Named columns may then be missing.
        """
        self._types, self._is_update = types or {}, types is not None
        self._wanted = None if item_attributes == ALL else [name for name in item_attributes.split(",") if name]
        self._found: dict[str, _Collected] = {}
        self._left_out: set[str] = set()
        self._others: dict[str, None] = {}
        self._num_rows = 0

    def names(self, found: Iterable[str], used: Iterable[str]) -> list[str]:
        """Return the columns of a file that are read as attributes.

        Args:
            found: the columns of the file.
            used: those that are IDs and titles.
        """
        found = list(dict.fromkeys(found))
        self._others |= dict.fromkeys(name for name in found[:MAX_LISTED] if name not in {*used})
        others = {*used, *self._left_out}
        wanted = [name for name in found if name not in others and self._is_wanted(name)]
        room = MAX_ATTRIBUTES - len(self._found)
        new = [name for name in wanted if name not in self._found]
        for name in new[room:]:
            self.leave_out(name, f"the items have {MAX_ATTRIBUTES} attributes already")
        return [name for name in wanted if name not in self._left_out]

    def _is_wanted(self, name: str) -> bool:
        if self._wanted is not None:
            return name in self._wanted
        return 0 < len(name) <= MAX_NAME_CHARACTERS and name.isprintable() and "," not in name

    def leave_out(self, name: str, why: str, where: str = "") -> None:
        """Leave a column out, and forget its values.

        Raises:
            DataError: the user named the column, or the model has the attribute.
        """
        if self._wanted is not None or name in self._types:
            raise DataError(f"{where}{', ' if where else ''}column {name!r}: can't be an item attribute: {why}")
        self._found.pop(name, None)
        if name not in self._left_out:
            self._left_out.add(name)
            say(f"column {shown(name)} is no item attribute: {why}")

    def add(self, rows: Rows, values: Mapping[str, pa.Array], *, is_typed: bool) -> None:
        """Add the values of some rows.

        Args:
            rows: the rows.
            values: by column; columns that these rows do not have are missing in them.
            is_typed: whether the type of the values is that of the file.

        Raises:
            DataError: a column that the user named can't be an attribute.
        """
        for name, array in values.items():
            if name in self._left_out:
                continue
            try:
                self._add(name, typed_values(array) if is_typed else _trimmed(array, may_be_list=True), rows, is_typed)
            except UnsuitableError as error:
                self.leave_out(name, str(error), "" if error.row is None else rows.location(error.row))
        self._num_rows += len(rows.numbers)

    def _add(self, name: str, array: pa.Array, rows: Rows, is_typed: bool) -> None:
        one = self._found.setdefault(name, _Collected())
        if self._num_rows > one.num_rows:
            one.parts.append(pa.nulls(self._num_rows - one.num_rows, array.type))
            one.typed.append(is_typed)
            one.rows.append(rows)
        one.parts.append(array)
        one.typed.append(is_typed)
        one.rows.append(rows)
        one.num_rows = self._num_rows + len(array)
        one.num_bytes += array.nbytes
        if one.num_bytes > MAX_ATTRIBUTE_BYTES:
            raise UnsuitableError(f"expected at most {MAX_ATTRIBUTE_BYTES:,} bytes of values, got more")

    def columns(self) -> dict[str, pa.Array]:
        """Return the attributes, each with a value or null for every row; print a line for each.

        Raises:
            DataError: a column that the user named is in no file, or can't be an attribute.
        """
        for name in self._wanted or ():
            if name not in self._found and not self._is_update:
                there = (
                    f"; the other columns are {', '.join(map(shown, [*self._others][:MAX_LISTED]))}"
                    if self._others
                    else ""
                )
                raise DataError(f"hyper-parameter 'item_attributes': no file of the items has a column {name!r}{there}")
        found: dict[str, pa.Array] = {}
        for name in [*self._found]:
            one = self._found[name]
            try:
                values = _unified(one, self._num_rows, self._types.get(name))
                line = _described(values)
            except UnsuitableError as error:
                if name in self._types:
                    if all(part.null_count == len(part) for part in one.parts):
                        found[name] = pa.nulls(self._num_rows, self._types[name])
                        continue
                    raise DataError(f"{_first_other(one, self._types[name])}column {name!r}: {error}") from None
                self.leave_out(name, str(error))
                continue
            say(f"attribute {name}: {line}{_hint(one, values)}")
            found[name] = values
        return found


def typed_values(array: pa.Array) -> pa.Array:
    """Return the values of a column of a typed format as one of the types of attributes.

    Raises:
        UnsuitableError: the column has another type, or a text or list is too long.
    """
    kind = array.type
    if types.is_dictionary(kind):
        return typed_values(array.dictionary_decode())
    if types.is_null(kind):
        return pa.nulls(len(array), TEXT)
    if types.is_boolean(kind):
        return array
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _finite(array.cast(NUMBER, safe=False))
    if types.is_date(kind) or types.is_timestamp(kind):
        return array.cast(TIME, safe=False)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _trimmed(array.cast(TEXT))
    if (types.is_list(kind) or types.is_large_list(kind)) and _is_text(kind.value_type):
        return _lists(array.cast(TEXTS))
    raise UnsuitableError(f"expected numbers, true or false, texts, lists of texts or times, got {kind}")


def read_texts(array: pa.Array) -> pa.Array:
    """Return a column of texts in the type that all of them have, as in CSV: numbers, times, lists of texts.

    A column of another type stays as it is.

    Raises:
        UnsuitableError: a text is too long.
    """
    if not _is_text(array.type):
        return array
    text = _trimmed(array.cast(TEXT), may_be_list=True)
    return text if text.null_count == len(text) else _as(text, _inferred([text], set()))


def values_of_json(values: Sequence[object]) -> pa.Array:
    """Return decoded JSON values as one array: of their type if they all have one, else their texts.

    Raises:
        UnsuitableError: a value is neither a number, true or false, a text, a list of texts nor null.
    """
    kinds: set[type] = set()
    for row, value in enumerate(values):
        if isinstance(value, list) and not all(isinstance(one, str) for one in value[: MAX_ATTRIBUTE_TEXTS + 1]):
            raise UnsuitableError("expected numbers, true or false, texts or lists of texts", row)
        if value is not None and not isinstance(value, str | bool | int | float | list):
            raise UnsuitableError(f"expected numbers, true or false, texts or lists of texts, got {shown(value)}", row)
        if value is not None:
            kinds.add(float if type(value) is int else type(value))
    try:
        if len(kinds) <= 1 and list not in kinds:
            return pa.array([float(one) if type(one) is int else one for one in values])
        if kinds == {list}:
            return pa.array(values, TEXTS)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        raise UnsuitableError(f"expected values in range: {error}") from None
    return pa.array([one if one is None or isinstance(one, str) else to_json(one).decode() for one in values], TEXT)


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _finite(numbers: pa.Array) -> pa.Array:
    """Return numbers with null for NaN and infinite ones."""
    return pc.if_else(pc.is_finite(numbers).fill_null(False), numbers, pa.scalar(None, NUMBER))


def _trimmed(text: pa.Array, *, may_be_list: bool = False) -> pa.Array:
    """Return texts without spaces around them; null for empty ones. A list of texts may be longer than a text.

    Raises:
        UnsuitableError: a text is too long.
    """
    encoded = text.dictionary_encode()
    distinct = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(encoded.dictionary, 0, MAX_LIST_CHARACTERS + 1))
    longest = MAX_ATTRIBUTE_CHARACTERS
    if may_be_list:
        longest = pc.if_else(pc.starts_with(distinct, "["), MAX_LIST_CHARACTERS, MAX_ATTRIBUTE_CHARACTERS)
    too_long = pc.greater(pc.utf8_length(distinct), longest).to_numpy(zero_copy_only=False)
    codes = encoded.indices.fill_null(len(distinct)).to_numpy()
    if too_long.any():
        row = int(np.argmax(np.append(too_long, False)[codes]))
        raise UnsuitableError(f"expected texts of at most {MAX_ATTRIBUTE_CHARACTERS} characters", row)
    kept = pc.if_else(pc.equal(distinct, ""), pa.scalar(None, TEXT), distinct)
    return kept.take(encoded.indices)


def _lists(lists: pa.Array) -> pa.Array:
    """Return lists with trimmed texts; null for empty ones.

    Raises:
        UnsuitableError: a list or a text is too long.
    """
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    if lengths.max(initial=0) > MAX_ATTRIBUTE_TEXTS:
        raise UnsuitableError(f"expected lists of at most {MAX_ATTRIBUTE_TEXTS} texts", int(lengths.argmax()))
    try:
        texts = _trimmed(lists.flatten())
    except UnsuitableError as error:
        row = None if error.row is None else int(np.searchsorted(np.cumsum(lengths), error.row, side="right"))
        raise UnsuitableError(str(error), row) from None
    is_kept = texts.is_valid().to_numpy(zero_copy_only=False)
    owner = np.repeat(np.arange(len(lists)), lengths)[is_kept]
    offsets = np.searchsorted(owner, np.arange(len(lists) + 1))
    kept = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts.filter(pa.array(is_kept)))
    return pc.if_else(pa.array(np.diff(offsets) > 0), kept, pa.scalar(None, TEXTS))


def _unified(one: _Collected, num_rows: int, wanted: pa.DataType | None) -> pa.Array:
    """Return the values of all parts as one array of one type: `wanted`, if it is not None.

    Raises:
        UnsuitableError: it has no value, another type, or too many distinct texts.
    """
    used = [place for place, part in enumerate(one.parts) if part.null_count < len(part)]
    if not used:
        raise UnsuitableError("it has no value")
    kind = _kind(one, used, wanted)
    parts = [_as(part, kind) for part in one.parts]
    if kind == TEXT:
        parts = [_trimmed(part) for part in parts]
    if num_rows > one.num_rows:
        parts.append(pa.nulls(num_rows - one.num_rows, kind))
    values = pa.concat_arrays(parts)
    texts = values.flatten() if kind == TEXTS else values
    if kind in (TEXT, TEXTS) and pc.count_distinct(texts).as_py() > MAX_DISTINCT_TEXTS:
        raise UnsuitableError(f"expected at most {MAX_DISTINCT_TEXTS:,} distinct texts, got more")
    return values


def _kind(one: _Collected, used: Sequence[int], wanted: pa.DataType | None) -> pa.DataType:
    """Return the type of the parts that have values.

    Raises:
        UnsuitableError: it is not the one that is wanted.
    """
    kinds = {one.parts[place].type for place in used if one.typed[place]}
    raw = [one.parts[place] for place in used if not one.typed[place]]
    if wanted is not None:
        kinds = {wanted, *kinds}
    kind = _inferred(raw, kinds) if raw else next(iter(kinds))
    if len(kinds) > 1:
        kind = TEXT
    if wanted not in (None, kind):
        raise UnsuitableError(f"expected {NAMES[wanted]}, as in the model, got {NAMES[kind]}")
    return kind


def _first_other(one: _Collected, kind: pa.DataType) -> str:
    """Return the place of the first text that does not read as a type, as the beginning of a message; '' if none."""
    for part, is_typed, rows in zip(one.parts, one.typed, one.rows, strict=True):
        if is_typed or part.type != TEXT:
            continue
        distinct = pc.unique(part).drop_null()  # in the order of the rows
        good = bisect(range(len(distinct)), False, key=lambda last: _read(distinct[: last + 1], kind) is None)
        if good < len(distinct):
            text = distinct[good]
            return f"{rows.location(pc.index(part, text).as_py())}: {shown(text.as_py())}: "
    return ""


def _inferred(parts: Sequence[pa.Array], kinds: set[pa.DataType]) -> pa.DataType:
    """Return the type of texts without one: that of the typed parts, if all texts read as it, or else the narrowest."""
    distinct = pc.unique(pa.chunked_array(parts)).drop_null()
    candidates = [*kinds] if len(kinds) == 1 else [BOOLEAN, NUMBER, TIME, TEXTS] if not kinds else []
    return next((kind for kind in candidates if _read(distinct, kind) is not None), TEXT)


def _as(part: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a part in the type of the whole column."""
    if part.type == kind:
        return part
    if part.null_count == len(part):
        return pa.nulls(len(part), kind)
    if part.type == TEXT:
        encoded = part.dictionary_encode()
        read = _read(encoded.dictionary, kind)
        assert read is not None
        return read.take(encoded.indices)
    if part.type == TEXTS:
        return pa.array([None if value is None else to_json(value).decode() for value in part.to_pylist()], TEXT)
    return part.cast(TEXT)


def _read(distinct: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Return texts as values of a type; None if one of them is not."""
    if kind == TEXT:
        return distinct
    if kind == BOOLEAN:
        lower = pc.utf8_lower(distinct)
        good = pc.is_in(lower, pa.array(["true", "false"], TEXT))
        return pc.equal(lower, "true") if pc.all(good).as_py() else None
    if kind == NUMBER:
        if not pc.all(pc.match_substring_regex(distinct, NUMBER_PATTERN)).as_py():
            return None
        numbers = pa.array([float(text) for text in distinct.to_pylist()], NUMBER)
        return numbers if pc.all(pc.is_finite(numbers)).as_py() else None
    if kind == TIME:
        milliseconds, is_time = milliseconds_of(distinct)
        return pa.array(milliseconds).view(TIME) if is_time.all() else None
    return _read_lists(distinct)


def _read_lists(distinct: pa.Array) -> pa.Array | None:
    if not pc.all(pc.starts_with(distinct, "[")).as_py():
        return None
    try:
        lists = [from_json(text) for text in distinct.to_pylist()]
    except ValueError:
        return None
    if not all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists):
        return None
    return _lists(pa.array(lists, TEXTS))


def _described(values: pa.Array) -> str:
    share = (len(values) - values.null_count) / len(values)
    distinct = pc.count_distinct(values.flatten() if values.type == TEXTS else values).as_py()
    return f"{NAMES[values.type]}, {share:.0%} of the rows have it, {distinct:,} distinct values"


def _hint(one: _Collected, values: pa.Array) -> str:
    """Return which value makes a column of numbers a column of texts."""
    if values.type != TEXT:
        return ""
    is_number = pc.match_substring_regex(values, NUMBER_PATTERN).fill_null(True).to_numpy(zero_copy_only=False)
    if not MOSTLY * (len(values) - values.null_count) <= is_number.sum() - values.null_count < len(values):
        return ""
    row, part = int(np.argmin(is_number)), 0
    if is_number[row]:
        return ""
    text = values[row].as_py()
    while part < len(one.parts) - 1 and row >= len(one.parts[part]):
        row -= len(one.parts[part])
        part += 1
    return f"; most values are numbers, but not {shown(text)} ({one.rows[part].location(row)})"
