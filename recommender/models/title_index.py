"""The terms of a model's titles by word, to read new titles without a new fit."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.data.histories import row_offsets
from recommender.data.vocabulary import StringTable
from recommender.models.title_vectors import WORD, TitleVectors


@dataclass(frozen=True)
class TitleIndex:
    """Vectors of titles, and the items of each term.

    The terms are numbered in alphabetical order, and a title has the texts of its terms. So a binary search finds the
    number of a word, and the words need not be stored.

    Attributes:
        vectors: of all items.
        titles: of all items.
        offsets: (num_terms + 1,) int64, the items of each term.
        item_num: (num_entries,) int32, by term.
    """

    vectors: TitleVectors
    titles: StringTable
    offsets: NDArray[np.int64]
    item_num: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: TitleVectors, titles: StringTable) -> "TitleIndex":
        """Return the index of these vectors; O(entries log entries)."""
        offsets, item_num, _ = postings(vectors)
        return cls(vectors, titles, offsets, item_num)

    def items_with(self, word: str) -> NDArray[np.int32]:
        """Return the items with a term in their titles, in lower case, (n,) int32; O(log terms)."""
        term = self.term(word)
        return self.item_num[:0] if term is None else self.item_num[self.offsets[term] : self.offsets[term + 1]]

    def term(self, word: str) -> int | None:
        """Return the number of a term; None if no title has it."""
        found = bisect_left(range(self.vectors.num_terms), word, key=self._text)
        return found if found < self.vectors.num_terms and self._text(found) == word else None

    def _text(self, term: int) -> str:
        if self.offsets[term] == self.offsets[term + 1]:
            return ""
        item = int(self.item_num[self.offsets[term]])
        row = self.vectors.term[self.vectors.offsets[item] : self.vectors.offsets[item + 1]]
        terms, place = self.vectors.terms_of(item, self.titles.text(item)), int(np.searchsorted(row, term))
        return terms[place] if place < len(terms) else ""

    def encode(self, title: str, max_words: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the TF-IDF vector of a new title, as `fit_titles` would, from terms that the index has.

        Args:
            title: the title.
            max_words: maximum number of consecutive words in a term.

        Returns:
            Terms, (n,) int32, ascending, and weights, (n,) float32, of length 1; both empty if no term is known.
        """
        words = WORD.findall(title.lower())
        texts = [
            " ".join(words[begin : begin + count])
            for count in range(1, max_words + 1)
            for begin in range(len(words) - count + 1)
        ]
        found = {term: number for text, number in Counter(texts).items() if (term := self.term(text)) is not None}
        terms = np.array(sorted(found), np.int32)
        num_titles = int(np.count_nonzero(np.diff(self.vectors.offsets)))
        num_items = self.offsets[terms + 1] - self.offsets[terms]
        frequency = np.array([found[term] for term in terms.tolist()], np.float64)
        weight = frequency * (np.log((1 + num_titles) / (1 + num_items)) + 1)  # scikit-learn's smoothed idf
        length = float(np.linalg.norm(weight))
        return terms, (weight / length if length else weight).astype(np.float32)

    def with_titles(self, item_num: NDArray[np.integer], titles: Sequence[str], max_words: int) -> TitleVectors:
        """Return the vectors with those of some items replaced.

        Args:
            item_num: (n,), the items, each once.
            titles: their titles; '' for none.
            max_words: see `encode`.
        """
        rows = [self.encode(title, max_words) for title in titles]
        vectors = self.vectors
        owner = np.repeat(np.arange(len(vectors.offsets) - 1), np.diff(vectors.offsets))
        kept = ~np.isin(owner, item_num)
        owners = np.concatenate([owner[kept], np.repeat(item_num, [len(terms) for terms, _ in rows])])
        term = np.concatenate([vectors.term[kept], *(terms for terms, _ in rows)])
        weight = np.concatenate([vectors.weight[kept], *(weights for _, weights in rows)])
        order = np.argsort(owners, kind="stable")  # the terms of an item ascend already
        offsets = row_offsets(owners.astype(np.int64), len(vectors.offsets) - 1)
        return TitleVectors(offsets, term[order].astype(np.int32), weight[order].astype(np.float32), vectors.num_terms)


def postings(vectors: TitleVectors) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return the offsets of each term's items, the items, and their weights, by term."""
    order = np.argsort(vectors.term, kind="stable")
    item_num = np.repeat(np.arange(len(vectors.offsets) - 1, dtype=np.int32), np.diff(vectors.offsets))
    offsets = row_offsets(vectors.term.astype(np.int64), vectors.num_terms)
    return offsets, item_num[order], vectors.weight[order]
