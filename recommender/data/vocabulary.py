"""Millions of strings in two arrays, and a numbering of IDs in such arrays."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import lt
from typing import overload

import numpy as np
from numpy.typing import NDArray

MAX_ID_CHARACTERS = 1_000
MAX_TITLE_CHARACTERS = 2_000
MAX_BYTES = 4  # of one character in UTF-8
SPACING = 64  # IDs between two that are in a list
AT_ONCE = 10_000  # strings in one step of the check


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
        """Build the table of these strings, in this order."""
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

    def check(self, longest: int) -> None:
        """Check that the strings are UTF-8 and not too long; O(bytes), in parts.

        Args:
            longest: maximum number of characters.

        Raises:
            ValueError: a string is longer, or its bytes are not UTF-8.
        """
        for begin in range(0, len(self), AT_ONCE):
            offsets = self.offsets[begin : begin + AT_ONCE + 1]
            lengths = np.diff(offsets)
            if lengths.max() > longest * MAX_BYTES:
                raise ValueError(f"expected texts of at most {longest:,} characters, got {lengths.max():,} bytes")
            blob = self.blob[offsets[0] : offsets[-1]]
            first_bytes = self.blob[offsets[:-1][lengths > 0]]
            try:
                blob.tobytes().decode()
            except UnicodeDecodeError as error:
                raise ValueError(f"expected texts in UTF-8: {error.reason}") from None
            if ((first_bytes & 0xC0) == 0x80).any():
                raise ValueError("expected texts in UTF-8: one begins in the middle of a character")

    def part(self, begin: int) -> list[bytes]:
        """Return up to `AT_ONCE` strings, from number `begin` on."""
        offsets = self.offsets[begin : begin + AT_ONCE + 1]
        blob = self.blob[offsets[0] : offsets[-1]].tobytes()
        return [blob[start:end] for start, end in pairwise((offsets - offsets[0]).tolist())]


@dataclass(frozen=True)
class Vocabulary:
    """IDs of users or of items, and their row numbers.

    The number of an ID is its rank in the order of code points. So numbers do not depend on the order of the input, and
    neither do ties that they break. A look-up is a binary search in the table, O(log n). It avoids a dictionary: for
    2 million IDs a dictionary would take 330 MB in every worker.

    Attributes:
        table: the IDs, strictly ascending.
    """

    table: StringTable

    @classmethod
    def from_sorted(cls, ids: Iterable[str]) -> "Vocabulary":
        """Build the vocabulary of distinct IDs that are already in the order of code points."""
        return cls(StringTable.from_strings(ids))

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[str]:
        return map(self.id, range(len(self)))

    def check(self) -> None:
        """Check that the IDs ascend and are distinct, as look-ups require; O(bytes), in parts.

        Raises:
            ValueError: the IDs are not ascending and distinct.
        """
        last: list[bytes] = []
        for begin in range(0, len(self.table), AT_ONCE):
            ids = [*last, *self.table.part(begin)]
            if not all(map(lt, ids, ids[1:])):
                raise ValueError("expected IDs that ascend, each once")
            last = ids[-1:]

    def id(self, number: int) -> str:
        """Return the ID with this row number."""
        return self.table.text(number)

    def number(self, identifier: str) -> int | None:
        """Return the row number of an ID; None if it is unknown."""
        key = identifier.encode(errors="surrogatepass")
        begin = max(0, (bisect_right(self._some, key) - 1) * SPACING)
        number = bisect_left(self.table, key, begin, min(begin + SPACING, len(self.table)))
        return number if number < len(self.table) and self.table[number] == key else None

    @cached_property
    def _some(self) -> list[bytes]:
        """Some of the IDs, in a list: most steps of a look-up need not read the table."""
        return [self.table[number] for number in range(0, len(self.table), SPACING)]

    def numbers(self, identifiers: Iterable[str]) -> NDArray[np.int64]:
        """Return the row numbers of many IDs; -1 for unknown ones."""
        found = map(self.number, identifiers)
        return np.array([-1 if number is None else number for number in found], np.int64)
