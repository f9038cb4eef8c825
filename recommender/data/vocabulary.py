"""Millions of strings in two memory-mappable arrays, and a numbering of IDs by them."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

MAX_ID_CHARACTERS = 1_000


@dataclass(frozen=True)
class StringTable(Sequence[bytes]):
    """Strings as one array of UTF-8 bytes, and the offset of each.

    Attributes:
        blob: (number of bytes,) uint8.
        offsets: (number of strings + 1,) int64; string i is blob[offsets[i]:offsets[i + 1]].
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> "StringTable":
        """Return the table of these strings, in this order."""
        encoded = [text.encode() for text in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        """Return the UTF-8 bytes of a string."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def text(self, index: int) -> str:
        """Return a string."""
        return self[index].decode()


@dataclass(frozen=True)
class Vocabulary:
    """IDs of users or of items and their row numbers.

    An ID's number is its rank in the order of code points. So numbers, and all ties that they break, do not
    depend on the order of the input. A look-up is a binary search in the mapped table, O(log n). It needs no
    dictionary in memory: a dictionary of 2 million IDs would cost every worker 330 MB.

    Attributes:
        table: the IDs, strictly ascending.
    """

    table: StringTable

    @classmethod
    def from_sorted(cls, ids: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary of distinct IDs that are already in order of code points."""
        return cls(StringTable.from_strings(ids))

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[str]:
        return map(self.id, range(len(self)))

    def id(self, number: int) -> str:
        """Return the ID with this row number."""
        return self.table.text(number)

    def number(self, identifier: str) -> int | None:
        """Return the row number of an ID; None if it is unknown."""
        key = identifier.encode(errors="surrogatepass")
        number = bisect_left(self.table, key)
        return number if number < len(self.table) and self.table[number] == key else None

    def numbers(self, identifiers: Iterable[str]) -> NDArray[np.int64]:
        """Return the row numbers of many IDs; -1 for unknown ones."""
        found = map(self.number, identifiers)
        return np.array([-1 if number is None else number for number in found], np.int64)
