"""Lists of texts, such as the categories of an item."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.attributes.base import Attribute, Condition, Mask, with_missing
from recommender.attributes.text import Texts, checked_texts, codes_of, distinct_texts
from recommender.components.base import Array, Arrays
from recommender.data.histories import row_offsets
from recommender.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pyarrow as pa


class SomeOf(Condition):
    """Texts that a list has, or does not have. They are compared exactly; upper and lower case differ."""

    any: Texts | None = Field(None, description="the list has one of these")
    all: Texts | None = Field(None, description="the list has all of these")
    not_: Texts | None = Field(None, alias="not", description="the list has none of these, or is missing")


class TextsAttribute(Attribute):
    """A list of texts for each item, which may be empty."""

    name = "texts"
    arrays = {
        "offsets": Array(np.int64, ("items+1",), offsets_of="entries"),
        "code": Array(np.int32, ("entries",), below="values"),
        "text": Array(np.uint8, ("bytes",)),
        "text_offsets": Array(np.int64, ("values+1",), offsets_of="bytes"),
    }
    conditions = SomeOf

    def __init__(self, offsets: NDArray[np.int64], code: NDArray[np.int32], texts: Vocabulary) -> None:
        """Build the attribute.

        Args:
            offsets: (num_items + 1,), the entries of each item.
            code: (num_entries,), the number of each entry's text.
            texts: the distinct texts; the first one is '', which no entry has.
        """
        self._offsets, self._code, self._texts = offsets, code, texts

    @classmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether it is a list of texts."""
        return str(kind).startswith("large_list<") and str(kind.value_type) == "large_string"

    @classmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with these lists; repeated and empty texts of a list are left out."""
        lists = values.fill_null([])
        lengths = np.diff(lists.offsets.to_numpy())
        texts, code = distinct_texts(lists.flatten().fill_null(""))
        num_items = len(values)
        pairs = np.repeat(np.arange(num_items, dtype=np.int64), lengths) * len(texts) + code
        pairs = np.unique(pairs[code > 0])
        return cls(row_offsets(pairs // len(texts), num_items), (pairs % len(texts)).astype(np.int32), texts)

    def to_arrow(self) -> "pa.Array":
        """Return the lists; null for an empty one."""
        import pyarrow as pa

        texts = pa.array([self._texts.id(number) for number in range(len(self._texts))], pa.large_string())
        mask = pa.array(~self.known)
        return pa.LargeListArray.from_arrays(pa.array(self._offsets), texts.take(pa.array(self._code)), mask=mask)

    def save(self) -> Arrays:
        """Return the lists and the texts."""
        texts = self._texts.table
        return {"offsets": self._offsets, "code": self._code, "text": texts.blob, "text_offsets": texts.offsets}

    @classmethod
    def load(cls, arrays: Arrays) -> Self:
        """Return the attribute with these lists."""
        return cls(arrays["offsets"], arrays["code"], checked_texts(arrays))

    @cached_property
    def known(self) -> Mask:
        """Which items have an entry."""
        return np.diff(self._offsets) > 0

    @cached_property
    def _postings(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The offsets of each text's items, and the items."""
        item_num = np.repeat(np.arange(len(self._offsets) - 1, dtype=np.int32), np.diff(self._offsets))
        return row_offsets(self._code.astype(np.int64), len(self._texts)), item_num[
            np.argsort(self._code, kind="stable")
        ]

    def prepare(self) -> None:
        """Compute what conditions need, so that the workers of a server share it."""
        _ = self.known, self._postings

    def matches(self, condition: Any) -> Mask:  # noqa: ANN401 - a `SomeOf`
        """Return which items have one of the texts, all of the texts, and none of the others."""
        found = np.ones(len(self._offsets) - 1, bool)
        if condition.any is not None:
            found &= self._has_one_of(condition.any)
        for text in condition.all or ():
            found &= self._has_one_of([text])
        if condition.not_ is not None:
            found &= ~self._has_one_of(condition.not_)
        return with_missing(found, self.known, condition)

    def _has_one_of(self, texts: list[str]) -> Mask:
        found = np.zeros(len(self._offsets) - 1, bool)
        offsets, item_num = self._postings
        for code in codes_of(texts, self._texts).tolist():
            found[item_num[offsets[code] : offsets[code + 1]]] = True
        return found

    def with_text(self, text: str) -> NDArray[np.integer]:
        """Return the items that have a text in their list, (n,)."""
        offsets, item_num = self._postings
        code = codes_of([text], self._texts)
        return item_num[offsets[code[0]] : offsets[code[0] + 1]] if len(code) else code

    def groups(self, item_num: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of each item's texts."""
        begin = self._offsets[item_num]
        length = self._offsets[item_num + 1] - begin
        place = np.repeat(np.arange(len(item_num)), length)
        where = np.arange(len(place)) + (begin - np.cumsum(length) + length)[place]
        return place, self._code[where].astype(np.int64)
