"""TF-IDF vectors of the titles, user profiles and similarities, in plain numpy.

The results are those of scipy's sparse products, but a call has a much lower fixed cost.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\b\w\w+\b")  # the words of scikit-learn's TfidfVectorizer
MAX_WORDS = 3  # maximum number of words in a term


@dataclass(frozen=True)
class TitleVectors:
    """Sparse unit vectors, one per item. An item without a title has an empty row.

    Attributes:
        offsets: (num_items + 1,) int64; item i's entries are offsets[i]:offsets[i + 1].
        term: (num_entries,) int32.
        weight: (num_entries,) float32.
        num_terms: size of the vocabulary.
    """

    offsets: NDArray[np.int64]
    term: NDArray[np.int32]
    weight: NDArray[np.float32]
    num_terms: int

    @classmethod
    def empty(cls, num_items: int) -> "TitleVectors":
        """Return the vectors of a catalogue without titles."""
        return cls(np.zeros(num_items + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), 0)

    def known(self, item_num: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of the items have a title, (n,) bool."""
        return self.offsets[item_num + 1] > self.offsets[item_num]

    def profile(self, item_num: NDArray[np.integer], rating: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Return the user's profile: the average of the items' vectors, weighted by rating and scaled to length 1.

        Returns:
            (num_terms,) float64, or None if no item has a title or the average is zero.
        """
        row, term, weight = self._entries(item_num)
        if not len(term):
            return None
        profile = np.zeros(self.num_terms)
        np.add.at(profile, term, weight * rating[row])
        length = np.linalg.norm(profile)
        return profile / length if length > 0 else None

    def sparse_profile(
        self, item_num: NDArray[np.integer], weight: NDArray[np.floating]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]] | None:
        """Return the profile in sparse form: its terms, ascending, and their values. O(entries log entries).

        Args:
            item_num: items of the history.
            weight: weights of these items, at least 0.

        Returns:
            Terms, (n,) int32, and values above 0, (n,) float64; None if no item with a weight has a title.
        """
        row, term, value = self._entries(item_num)
        order = np.argsort(term, kind="stable")
        ordered = term[order]
        begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else order
        sums = np.add.reduceat((value * weight[row])[order], begins) if len(ordered) else np.empty(0)
        used = sums > 0
        terms, sums = ordered[begins][used], sums[used]
        length = np.linalg.norm(sums)
        return (terms, sums / length) if length > 0 else None  # the squares of tiny sums are 0

    def similarity(self, item_num: NDArray[np.integer], profile: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cosine of each item's title and the profile, (n,) float64; 0 for items without a title."""
        row, term, weight = self._entries(item_num)
        # With weights, bincount returns float64; its type hints are wrong.
        cosine = np.bincount(row, weight * profile[term], len(item_num)).astype(np.float64, copy=False)
        return np.minimum(cosine, 1.0)  # float32 rows of equal titles slightly exceed 1

    def explain(
        self, items: Sequence[int], history_num: NDArray[np.integer], rating: NDArray[np.floating]
    ) -> list[int | None]:
        """Return, for each of `items`, the history item that adds most to its similarity.

        A history item adds the similarity of its title times its rating. The item itself does not count.

        Returns:
            Item numbers; None if no history item adds anything. On a tie, the first one in the history.
        """
        row, term, weight = self._entries(history_num)
        weight = weight * rating[row]
        wanted = np.zeros(self.num_terms)  # the title of one item at a time
        reasons: list[int | None] = []
        for item in items:
            own = slice(self.offsets[item], self.offsets[item + 1])
            wanted[self.term[own]] = self.weight[own]
            share = np.bincount(row, weight * wanted[term], len(history_num))
            wanted[self.term[own]] = 0
            share[history_num == item] = 0
            reasons.append(int(history_num[share.argmax()]) if share.max(initial=0) > 0 else None)
        return reasons

    def word_weights(self, item_num: int, title: str) -> dict[str, float]:
        """Return the weight of each word of an item's title, from the item's row. Rarer words weigh more.

        The terms of a row are in alphabetical order, as scikit-learn sorts its vocabulary.

        Returns:
            Word -> weight; empty if the row and this title have different numbers of terms.
        """
        weights = self.weight[self.offsets[item_num] : self.offsets[item_num + 1]].tolist()
        terms = self.terms_of(item_num, title)
        return {term: weight for term, weight in zip(terms, weights, strict=False) if " " not in term}

    def terms_of(self, item_num: int, title: str) -> list[str]:
        """Return the terms of an item's row, in its order, from the item's title.

        Returns:
            An empty list if the row and this title have different numbers of terms.
        """
        words, size = WORD.findall(title.lower()), int(self.offsets[item_num + 1] - self.offsets[item_num])
        for length in range(1, MAX_WORDS + 1):
            terms = sorted({term for count in range(1, length + 1) for term in _ngrams(words, count)})
            if len(terms) == size:
                return terms
        return []

    def _entries(
        self, item_num: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return all entries of these rows: row (a position in `item_num`), term and weight."""
        begin = self.offsets[item_num]
        length = self.offsets[item_num + 1] - begin
        row = np.repeat(np.arange(len(item_num)), length)
        where = np.arange(len(row)) + (begin - np.cumsum(length) + length)[row]
        return row, self.term[where], self.weight[where]


def _ngrams(words: Sequence[str], count: int) -> list[str]:
    """Return all terms of `count` consecutive words."""
    return [" ".join(words[begin : begin + count]) for begin in range(len(words) - count + 1)]


def fit_titles(titles: Sequence[str], max_words: int = 1) -> TitleVectors:
    """Compute TF-IDF vectors of the titles with scikit-learn's `TfidfVectorizer` and its defaults. Rows have length 1.

    Only items with a title count in the inverse document frequencies. A title that is empty or has no word of two
    letters gets an empty row.

    Args:
        titles: the titles, by item number.
        max_words: maximum number of consecutive words in a term.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # this import takes two seconds

    known = [number for number, title in enumerate(titles) if title.strip()]
    vectorizer = TfidfVectorizer(dtype=np.float32, ngram_range=(1, max_words))
    try:
        matrix = vectorizer.fit_transform(titles[number] for number in known)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        return TitleVectors.empty(len(titles))
    matrix.sort_indices()
    lengths = np.zeros(len(titles), np.int64)
    lengths[known] = np.diff(matrix.indptr)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return TitleVectors(offsets, matrix.indices.astype(np.int32), matrix.data, matrix.shape[1])
