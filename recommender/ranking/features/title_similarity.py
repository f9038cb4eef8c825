"""Title similarity: TF-IDF of the item's title, compared with the user's profile (the paper's section 3.3)."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.candidates.base import Candidates
from recommender.components.base import UNIT, Array, Arrays, Reason, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.options import SharedOptions
from recommender.data.vocabulary import StringTable
from recommender.models.title_index import TitleIndex
from recommender.models.title_vectors import TitleVectors, fit_titles
from recommender.ranking.base import Feature


class TitleSimilarityOptions(SharedOptions):
    """The options of the feature."""

    weight: float = Field(
        1.0, ge=0, le=1, description="share of title similarity in the final score; the candidate score has the rest"
    )


class TitleSimilarity(Feature):
    """Cosine of the item's title and the user's profile; the reason is the title that adds most to it."""

    name = "title_similarity"
    Options = TitleSimilarityOptions
    only_paper = True
    is_content = True
    hyperparameters = {"weight": "rerank_weight"}
    shown_as = "similarity"
    shown_description = "Cosine of the title and the user's profile; null if either is unknown."
    arrays = {
        "offsets": Array(np.int64, ("items+1",), offsets_of="entries"),
        "term": Array(np.int32, ("entries",), below="num_terms"),
        "tfidf": Array(np.float32, ("entries",), 0, UNIT),
    }
    values = ("num_terms",)

    def __init__(self, vectors: TitleVectors, rating_max: float = 5.0) -> None:
        self.vectors = vectors
        self._rating_max = rating_max

    @classmethod
    def fit(cls, context: FitContext, options: TitleSimilarityOptions) -> Self:
        """Compute the TF-IDF vectors of the titles."""
        return cls(fit_titles(context.titles), options.rating_max)

    def save(self) -> tuple[Arrays, Values]:
        """Return the vectors."""
        vectors = self.vectors
        arrays: Arrays = {"offsets": vectors.offsets, "term": vectors.term, "tfidf": vectors.weight}
        return arrays, {"num_terms": vectors.num_terms}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: TitleSimilarityOptions) -> Self:
        """Return the feature with these vectors."""
        num_terms = int(values["num_terms"])
        if not 0 <= num_terms <= len(arrays["term"]):  # each term is in a title
            raise ValueError(f"title_similarity.num_terms: expected the number of terms of the titles, got {num_terms}")
        return cls(TitleVectors(arrays["offsets"], arrays["term"], arrays["tfidf"], num_terms), options.rating_max)

    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        """Return the cosines; None if no title of the history is known."""
        profile = self.vectors.profile(query.item_num, self._ratings(query))
        if profile is None:
            return None
        similarity = self.vectors.similarity(candidates.item_num, profile)
        return np.where(self.vectors.known(candidates.item_num), similarity, np.nan)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the item of the history that adds most to each similarity, by its title and rating."""
        found = self.vectors.explain(item_num, query.item_num, self._ratings(query))
        return [None if item is None else Reason((item,)) for item in found]

    def with_titles(self, item_num: NDArray[np.integer], titles: Sequence[str], before: StringTable) -> Self:
        """Return the feature with other titles of some items; words that no title had before do not count."""
        return type(self)(TitleIndex.of(self.vectors, before).with_titles(item_num, titles, 1), self._rating_max)

    def title_vectors(self) -> TitleVectors:
        """Return the vectors."""
        return self.vectors

    def word_weights(self, item_num: int, title: str) -> dict[str, float]:
        """Return the weight of each word in the item's vector."""
        return self.vectors.word_weights(item_num, title)

    def _ratings(self, query: Query) -> NDArray[np.floating]:
        """Return the ratings of the history; an event without one counts as one with the highest rating."""
        return np.where(np.isnan(query.rating), np.float32(self._rating_max), query.rating)
