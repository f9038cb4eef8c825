"""Title similarity: TF-IDF of the item's title, compared with the user's profile (the paper's section 3.3)."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.candidates.base import Candidates
from recommender.components.base import Array, Arrays, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.options import SharedOptions
from recommender.ranking.base import Feature
from recommender.ranking.title_vectors import TitleVectors


class TitleSimilarityOptions(SharedOptions):
    """The options of the feature."""

    weight: float = Field(
        1.0, ge=0, le=1, description="share of title similarity in the final score; the candidate score has the rest"
    )


class TitleSimilarity(Feature):
    """Cosine of the item's title and the user's profile; the reason is the title that adds most to it."""

    name = "title_similarity"
    Options = TitleSimilarityOptions
    hyperparameters = {"weight": "rerank_weight"}
    shown_as = "similarity"
    shown_description = "Cosine of the title and the user's profile; null if either is unknown."
    arrays = {
        "offsets": Array(np.int64, ("items+1",)),
        "term": Array(np.int32, ("",)),
        "tfidf": Array(np.float32, ("",)),
    }
    values = ("num_terms",)

    def __init__(self, vectors: TitleVectors) -> None:
        self.vectors = vectors

    @classmethod
    def fit(cls, context: FitContext, options: TitleSimilarityOptions) -> Self:
        """Compute the TF-IDF vectors of the titles."""
        return cls(fit_titles(context.titles))

    def save(self) -> tuple[Arrays, Values]:
        """Return the vectors."""
        vectors = self.vectors
        arrays: Arrays = {"offsets": vectors.offsets, "term": vectors.term, "tfidf": vectors.weight}
        return arrays, {"num_terms": vectors.num_terms}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: TitleSimilarityOptions) -> Self:
        """Return the feature with these vectors."""
        term, num_terms = arrays["term"], int(values["num_terms"])
        if len(term) and int(term.max()) >= num_terms:
            raise ValueError("title_similarity.num_terms is smaller than the terms of the titles")
        return cls(TitleVectors(arrays["offsets"], term, arrays["tfidf"], num_terms))

    def score(self, query: Query, candidates: Candidates) -> NDArray[np.float64] | None:
        """Return the cosines; None if no title of the history is known."""
        profile = self.vectors.profile(query.item_num, query.rating)
        if profile is None:
            return None
        similarity = self.vectors.similarity(candidates.item_num, profile)
        return np.where(self.vectors.known(candidates.item_num), similarity, np.nan)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[int | None]:
        """Return the item of the history that adds most to each similarity, by its title and rating."""
        return self.vectors.explain(item_num, query.item_num, query.rating)


def fit_titles(titles: Sequence[str]) -> TitleVectors:
    """Compute TF-IDF vectors of the titles by scikit-learn's `TfidfVectorizer` with its defaults, rows of length 1.

    The inverse document frequencies are computed from the items with a title. A title that is empty or has no
    word of two letters gets an empty row.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # two seconds

    known = [number for number, title in enumerate(titles) if title.strip()]
    vectorizer = TfidfVectorizer(dtype=np.float32)
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
