"""Attributes of items in Amazon's metadata. A value that is not as expected is missing; its line stays good."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from recommender.data.bounds import MAX_ATTRIBUTE_CHARACTERS, MAX_ATTRIBUTE_TEXTS

MAX_COUNT = 2**53  # a larger number of ratings is none
MAX_NUMBER_LENGTH = 20  # characters of a price that is a text
NULL = msgspec.Raw(b"null")
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class Attribute:
    """An attribute of the metadata.

    Attributes:
        column: the Arrow type of its column.
        read: returns the value of a decoded JSON value; None if it is missing or not as expected.
    """

    column: pa.DataType
    read: Callable[[Any], Any]

    def of(self, raw: msgspec.Raw) -> Any:  # noqa: ANN401 - of the type of the column
        """Return the value of a field."""
        if bytes(raw) == b"null":
            return None
        try:
            return self.read(_decode(raw))
        except (ValueError, RecursionError):  # a number beyond all bounds, text that is not Unicode, too deep
            return None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if 0 < len(text) <= MAX_ATTRIBUTE_CHARACTERS else None


def _price(value: object) -> float | None:
    """Return a price, also one that is a text such as "$12.99"."""
    if isinstance(value, str) and len(value) <= MAX_NUMBER_LENGTH:
        text = value.strip().removeprefix("$").replace(",", "")
        value = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None
    return _number(value, 0, math.inf)


def _stars(value: object) -> float | None:
    return _number(value, 0, 5)


def _count(value: object) -> int | None:
    number = _number(value, 0, MAX_COUNT)
    return int(number) if number is not None and number.is_integer() else None


def _number(value: object, low: float, high: float) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    texts = [text for one in value[:MAX_ATTRIBUTE_TEXTS] if (text := _text(one)) is not None]
    return list(dict.fromkeys(texts)) or None


ATTRIBUTES: Mapping[str, Attribute] = {
    "main_category": Attribute(pa.string(), _text),
    "categories": Attribute(pa.list_(pa.string()), _texts),
    "store": Attribute(pa.string(), _text),
    "price": Attribute(pa.float64(), _price),
    "average_rating": Attribute(pa.float64(), _stars),
    "rating_number": Attribute(pa.int64(), _count),
}
