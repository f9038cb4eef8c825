"""Titles: items with titles similar to those of the history, also items without events."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.candidates.base import Axis, Candidates, Role, Source
from recommender.candidates.item_table import DENSE
from recommender.candidates.topk import lower_bound_of_kth_largest, top_k, without_others
from recommender.components.base import UNIT, Array, Arrays, Reason, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import NO_ITEMS, Query
from recommender.components.recency import RecencyOptions
from recommender.data.vocabulary import StringTable
from recommender.models.table import Table
from recommender.models.title_index import TitleIndex, postings
from recommender.models.title_vectors import TitleVectors

LEAST = float(np.finfo(np.float64).tiny)


class TitlesOptions(RecencyOptions):
    """How titles are read, and how a history is weighted."""

    max_words: int = Field(1, ge=1, le=3, description="most words of a term: 2 counts pairs of neighbouring words, too")
    max_items_per_term: int = Field(
        4_000, ge=1, le=100_000_000, description="a term in more titles than this proposes no items, but still scores"
    )


@dataclass(frozen=True)
class Profile:
    """The history's vector.

    Attributes:
        terms: (n,) int32, ascending.
        values: (n,) float64, above 0.
        num_terms: size of the vocabulary.
    """

    terms: NDArray[np.int32]
    values: NDArray[np.float64]
    num_terms: int

    @cached_property
    def dense(self) -> NDArray[np.float64]:
        """The value of every term, (num_terms,) float64; 0 for terms that the history does not have."""
        found = np.zeros(self.num_terms)
        found[self.terms] = self.values
        return found


class Titles(Source):
    """Items by the cosine of their title's TF-IDF vector and the history's, weighted by recency.

    A request costs O(t m) for t terms in the history's titles and `max_items_per_term` m.
    """

    name = "titles"
    default_roles = (Role.CANDIDATES,)
    is_content = True
    prior_weight = 0.5
    Options = TitlesOptions
    shown_as = "similarity"
    shown_description = "Cosine of the item's title and those of the history; null if either is unknown."
    arrays = {
        "offsets": Array(np.int64, ("items+1",), offsets_of="entries"),
        "term": Array(np.int32, ("entries",), below="terms"),
        "tfidf": Array(np.float32, ("entries",), 0, UNIT),
        "term_offsets": Array(np.int64, ("terms+1",), offsets_of="postings"),
        "term_item_num": Array(np.int32, ("postings",), below="items"),
        "term_tfidf": Array(np.float32, ("postings",), 0, UNIT),
    }

    def __init__(
        self,
        vectors: TitleVectors,
        term_offsets: NDArray[np.int64],
        term_item_num: NDArray[np.int32],
        term_tfidf: NDArray[np.float32],
        options: TitlesOptions,
    ) -> None:
        self.vectors = vectors
        self._postings = term_offsets, term_item_num, term_tfidf
        self._num_items = len(vectors.offsets) - 1
        self.options = options

    @classmethod
    def unsuited(cls, context: FitContext, options: TitlesOptions) -> str | None:
        """Return that no item has a title."""
        return None if any(title.strip() for title in context.titles) else "no item has a title"

    @classmethod
    def fit(cls, context: FitContext, options: TitlesOptions) -> Self:
        """Compute the vectors of the titles, and for each term the items that have it."""
        from recommender.models.title_vectors import fit_titles  # scikit-learn: two seconds

        vectors = context.remember(("titles", options.max_words), lambda: fit_titles(context.titles, options.max_words))
        return cls(vectors, *postings(vectors), options)

    @classmethod
    def choices(cls, context: FitContext, options: TitlesOptions) -> Sequence[Axis]:
        """Return the recencies, and single words or also pairs of words."""
        return [*options.recencies(context.has_clock), [{"max_words": count} for count in (1, 2)]]

    def save(self) -> tuple[Arrays, Values]:
        """Return the vectors, by item and by term."""
        vectors, (offsets, item_num, tfidf) = self.vectors, self._postings
        by_item: Arrays = {"offsets": vectors.offsets, "term": vectors.term, "tfidf": vectors.weight}
        return {**by_item, "term_offsets": offsets, "term_item_num": item_num, "term_tfidf": tfidf}, {}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: TitlesOptions) -> Self:
        """Return the source with these vectors."""
        num_terms = len(arrays["term_offsets"]) - 1
        postings = arrays["term_offsets"], arrays["term_item_num"], arrays["term_tfidf"]
        return cls(TitleVectors(arrays["offsets"], arrays["term"], arrays["tfidf"], num_terms), *postings, options)

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the items with the highest cosines above 0; None if no title of the history is known."""
        profile = self._profile(query)
        if profile is None:
            return None
        best = self._best(*self._postings_of(profile), query, count)
        exact = self.vectors.similarity(best, profile.dense)  # the terms of many items count here
        order = np.lexsort((best, -exact))
        order = order[exact[order] > 0]
        return Candidates(best[order].astype(np.int64), exact[order], self.name)

    def _postings_of(self, profile: "Profile") -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the items of each term that proposes items, and its contributions to their cosines; (n,) each."""
        offsets, item_num, tfidf = self._postings
        ranges = zip(offsets[profile.terms].tolist(), offsets[profile.terms + 1].tolist(), strict=True)
        most = self.options.max_items_per_term
        slices = [slice(begin, end if end - begin <= most else begin) for begin, end in ranges]
        items = np.concatenate([item_num[of_term] for of_term in slices])
        weights = np.repeat(profile.values, [of_term.stop - of_term.start for of_term in slices])
        weights *= np.concatenate([tfidf[of_term] for of_term in slices])
        return items, weights

    def _best(
        self, items: NDArray[np.int32], weights: NDArray[np.float64], query: Query, count: int
    ) -> NDArray[np.int64]:
        """Return the allowed items with the largest sums of weights, at most `count`."""
        if len(items) * DENSE > self._num_items:
            scores = np.bincount(items, weights, self._num_items).astype(np.float64, copy=False)
            if query.allowed is not None:
                scores[~query.allowed.mask] = 0.0
            scores[query.exclude] = 0.0
            found = np.flatnonzero(scores >= max(lower_bound_of_kth_largest(scores, count), LEAST))
            return found[top_k(scores[found], count)]
        found, place = np.unique(items, return_inverse=True)
        scores = np.bincount(place, weights, len(found)).astype(np.float64, copy=False)
        return found[top_k(without_others(found, scores, query), count)].astype(np.int64, copy=False)

    def target_ranks(self, queries: Sequence[Query], targets: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return the position of each target; see `Source.target_ranks`."""
        offsets, item_num, tfidf = self._postings
        if np.diff(offsets).max(initial=0) > self.options.max_items_per_term:  # terms score that propose nothing
            return super().target_ranks(queries, targets, count)
        from recommender.models.target_ranks import target_ranks  # numba

        profiles = [self._profile(query) for query in queries]
        terms = [NO_ITEMS if profile is None else profile.terms for profile in profiles]
        weights = [np.empty(0) if profile is None else profile.values for profile in profiles]
        exclude = [query.exclude for query in queries]
        return target_ranks(Table(offsets, item_num, tfidf), self._num_items, terms, weights, exclude, targets)

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the cosine of each item; NaN for one without a title."""
        profile = self._profile(query)
        if profile is None:
            return None
        return np.where(self.vectors.known(item_num), self.vectors.similarity(item_num, profile.dense), np.nan)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the item of the history that adds most to each cosine."""
        visits = query.visits
        found = self.vectors.explain(item_num, visits.item_num, self.options.history_weights(query))
        return [None if item is None else Reason((item,)) for item in found]

    def index(self, titles: StringTable) -> TitleIndex:
        """Return the index of the words of the titles, which are those of the fit."""
        return TitleIndex(self.vectors, titles, *self._postings[:2])

    def with_titles(self, item_num: NDArray[np.integer], titles: Sequence[str], before: StringTable) -> Self:
        """Return the source with other titles of some items; words that no title had before do not count."""
        vectors = self.index(before).with_titles(item_num, titles, self.options.max_words)
        return type(self)(vectors, *postings(vectors), self.options)

    def title_vectors(self) -> TitleVectors:
        """Return the vectors."""
        return self.vectors

    def word_weights(self, item_num: int, title: str) -> dict[str, float]:
        """Return the weight of each word in the item's vector."""
        return self.vectors.word_weights(item_num, title)

    def _profile(self, query: Query) -> "Profile | None":
        if self.name not in query.memo:
            found = self.vectors.sparse_profile(query.visits.item_num, self.options.history_weights(query))
            query.memo[self.name] = None if found is None else Profile(*found, self.vectors.num_terms)
        profile: Profile | None = query.memo[self.name]
        return profile
