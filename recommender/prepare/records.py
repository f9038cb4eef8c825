"""Parse lines of raw files into columns. A bad line gets one of a few messages, so that problems can be counted.

Both engines use this module, so they agree which lines are bad. Other fields are skipped unread, whatever they contain
(paper, tables 1 and 2).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from msgspec import Meta

from recommender.data.bounds import MAX_LINE_BYTES
from recommender.data.vocabulary import MAX_ID_CHARACTERS
from recommender.prepare.attributes import ATTRIBUTES, NULL

FIRST_MS, END_MS = 788_918_400_000, 4_102_444_800_000  # 1995 to 2100
MIN_RATING, MAX_RATING = 1, 5


@dataclass(frozen=True)
class Field:
    """A field of a raw object.

    Attributes:
        type: the type of a valid value.
        column: the Arrow type of the column.
        expected: the description of a valid value, for messages.
    """

    type: object
    column: pa.DataType
    expected: str


ID = Field(
    Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)],
    pa.string(),
    f"a text of 1 to {MAX_ID_CHARACTERS:,} characters",
)
FIELDS = {
    "user_id": ID,
    "asin": ID,
    "parent_asin": ID,
    "rating": Field(
        Annotated[float, Meta(ge=MIN_RATING, le=MAX_RATING)],
        pa.float64(),
        f"a number from {MIN_RATING} to {MAX_RATING}",
    ),
    "timestamp": Field(
        Annotated[int, Meta(ge=FIRST_MS, lt=END_MS)], pa.int64(), "whole milliseconds since 1970, from 1995 to 2099"
    ),
    "verified_purchase": Field(bool, pa.bool_(), "true or false"),
    "title": Field(str | None, pa.string(), "a text or null"),
}
FIELDS |= {name: Field(msgspec.Raw, attribute.column, "any value") for name, attribute in ATTRIBUTES.items()}
MAY_BE_MISSING: dict[str, object] = {"title": None, **dict.fromkeys(ATTRIBUTES, NULL)}  # with their defaults
NAMED = re.compile(r"field `(\w+)`$|- at `\$\.(\w+)`$")  # the end of msgspec's messages about a field


@dataclass(frozen=True)
class Parsed:
    """Some parsed lines.

    Attributes:
        columns: the fields of the good lines.
        bad: the positions of the bad lines.
        problems: the problem of each bad line.
    """

    columns: list[pa.Array]
    bad: list[int]
    problems: list[str]


@dataclass(frozen=True)
class Records:
    """The fields to read from one kind of raw file.

    Attributes:
        fields: column -> field.
    """

    fields: dict[str, str]

    @property
    def columns(self) -> list[tuple[str, pa.DataType]]:
        """The names and Arrow types of the columns."""
        return [(name, FIELDS[field].column) for name, field in self.fields.items()]

    def parse(self, lines: Sequence[bytes]) -> Parsed:
        """Parse lines; skip empty ones."""
        try:
            if max(map(len, lines), default=0) <= MAX_LINE_BYTES:
                return self._parsed([self._decoder.decode(line) for line in lines])
        except (ValueError, RecursionError):
            pass  # at least one line is bad or empty; parse one by one to find out which
        good, bad, problems = [], [], []
        for position, line in enumerate(lines):
            try:
                _check_length(line)
                if not line or line.isspace():
                    continue
                good.append(self._decoder.decode(line))
            except (ValueError, RecursionError) as error:
                bad.append(position)
                problems.append(problem_of(error))
        return self._parsed(good, bad, problems)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[msgspec.Struct]:
        defaults = {name: [MAY_BE_MISSING[field]] for name, field in self.fields.items() if field in MAY_BE_MISSING}
        fields: list[Any] = [(name, FIELDS[field].type, *defaults.get(name, [])) for name, field in self.fields.items()]
        return msgspec.json.Decoder(msgspec.defstruct("Record", fields, rename=self.fields, gc=False))

    def _parsed(
        self, records: Sequence[msgspec.Struct], bad: list[int] | None = None, problems: list[str] | None = None
    ) -> Parsed:
        columns = []
        for name, kind in self.columns:
            values = [getattr(record, name) for record in records]
            attribute = ATTRIBUTES.get(self.fields[name])
            columns.append(pa.array(values if attribute is None else list(map(attribute.of, values)), kind))
        return Parsed(columns, bad or [], problems or [])


def reviews(item_key: str) -> Records:
    """Return the fields to read from reviews; `item_key` is the field with the item ID (paper, table 1)."""
    names = {"user_id": "user_id", "item_id": item_key, "rating": "rating", "timestamp": "timestamp"}
    return Records({**names, "verified": "verified_purchase"})


def metadata() -> Records:
    """Return the fields to read from metadata (paper, table 2). All but the item ID may be null."""
    return Records({"item_id": "parent_asin", "title": "title", **{name: name for name in ATTRIBUTES}})


def problem_of(error: Exception) -> str:
    """Return the message for a bad line: one of a few texts, without values of the line."""
    if isinstance(error, LineTooLongError):
        return f"expected a line of at most {MAX_LINE_BYTES:,} bytes"
    if isinstance(error, UnicodeDecodeError):
        return "expected UTF-8"
    if isinstance(error, msgspec.ValidationError) and (match := NAMED.search(str(error))):
        missing, wrong = match.groups()
        return f"{missing}: is missing" if missing else f"{wrong}: expected {FIELDS[wrong].expected}"
    return "expected one JSON object"


class LineTooLongError(ValueError):
    """A line is longer than `MAX_LINE_BYTES`."""


def _check_length(line: bytes) -> None:
    if len(line) > MAX_LINE_BYTES:
        raise LineTooLongError
