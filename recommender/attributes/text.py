"""Texts, such as a store or a brand."""

from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.attributes.base import Attribute, Condition, Mask, with_missing
from recommender.components.base import Array, Arrays
from recommender.data.bounds import MAX_ATTRIBUTE_CHARACTERS
from recommender.data.vocabulary import StringTable, Vocabulary

if TYPE_CHECKING:
    import pyarrow as pa

MAX_WANTED = 1_000  # texts in one part of a condition
Text = Annotated[str, Field(min_length=1, max_length=MAX_ATTRIBUTE_CHARACTERS)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_WANTED, fail_fast=True)]


class OneOf(Condition):
    """Texts that a value is, or is not. They are compared exactly; upper and lower case differ."""

    any: Texts | None = Field(None, description="the value is one of these")
    not_: Texts | None = Field(None, alias="not", description="the value is none of these, or missing")


class TextAttribute(Attribute):
    """A text for each item, or none."""

    name = "text"
    arrays = {
        "code": Array(np.int32, ("items",), below="values"),
        "text": Array(np.uint8, ("bytes",)),
        "text_offsets": Array(np.int64, ("values+1",), offsets_of="bytes"),
    }
    conditions = OneOf

    def __init__(self, code: NDArray[np.int32], texts: Vocabulary) -> None:
        """Build the attribute.

        Args:
            code: (num_items,), the number of each item's text; that of '' if it has none.
            texts: the distinct texts; the first one is ''.
        """
        self._code, self._texts = code, texts

    @classmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether it is large_string."""
        return str(kind) == "large_string"

    @classmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with these texts."""
        texts, code = distinct_texts(values.fill_null(""))
        return cls(code, texts)

    def to_arrow(self) -> "pa.Array":
        """Return the texts."""
        import pyarrow as pa

        texts = pa.array([self._texts.id(number) or None for number in range(len(self._texts))], pa.large_string())
        return texts.take(pa.array(self._code))

    def save(self) -> Arrays:
        """Return the codes and the texts."""
        return {"code": self._code, "text": self._texts.table.blob, "text_offsets": self._texts.table.offsets}

    @classmethod
    def load(cls, arrays: Arrays) -> Self:
        """Return the attribute with these texts."""
        return cls(arrays["code"], checked_texts(arrays))

    @property
    def known(self) -> Mask:
        """Which items have a text."""
        return self._code > 0

    def matches(self, condition: Any) -> Mask:  # noqa: ANN401 - a `OneOf`
        """Return which items have one of the texts, and none of the others."""
        found = np.ones(len(self._code), bool)
        if condition.any is not None:
            found &= self._is_one_of(condition.any)
        if condition.not_ is not None:
            found &= ~self._is_one_of(condition.not_)
        return found if condition.missing is None else with_missing(found, self.known, condition)

    def _is_one_of(self, texts: list[str]) -> Mask:
        wanted = codes_of(texts, self._texts)
        if len(wanted) == 1:
            return self._code == wanted[0]
        is_wanted = np.zeros(len(self._texts), bool)
        is_wanted[wanted] = True
        return is_wanted[self._code]

    def with_text(self, text: str) -> NDArray[np.int64]:
        """Return the items that have a text, (n,) int64."""
        code = codes_of([text], self._texts)
        return np.flatnonzero(self._code == code[0]) if len(code) else code

    def groups(self, item_num: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of each item's text."""
        code = self._code[item_num]
        place = np.flatnonzero(code > 0)
        return place, code[place].astype(np.int64)


def distinct_texts(values: "pa.Array") -> tuple[Vocabulary, NDArray[np.int32]]:
    """Return the distinct texts in the order of code points, with '' as the first, and the number of each value."""
    encoded = values.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = {text: number for number, text in enumerate(sorted({"", *texts}))}
    number_of = np.array([order[text] for text in texts], np.int32)
    return Vocabulary.from_sorted(order), number_of[encoded.indices.to_numpy()] if len(texts) else number_of


def checked_texts(arrays: Arrays) -> Vocabulary:
    """Return the distinct texts that an artifact stores.

    Raises:
        ValueError: they are not texts of allowed length, not ascending, or the first one is not ''.
    """
    texts = Vocabulary(StringTable(arrays["text"], arrays["text_offsets"]))
    texts.table.check(MAX_ATTRIBUTE_CHARACTERS)
    texts.check()
    if not len(texts) or texts.id(0):
        raise ValueError("expected '' as the first text")
    return texts


def codes_of(texts: list[str], known: Vocabulary) -> NDArray[np.int64]:
    """Return the numbers of those of the texts that some item has."""
    found = known.numbers(texts)
    return found[found > 0]
