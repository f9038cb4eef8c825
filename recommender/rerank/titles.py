"""Titles -> TF-IDF vectors (training only: the one module of the package that needs scikit-learn)."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recommender.rerank.vectors import TitleVectors


def fit_titles(titles: Sequence[str]) -> TitleVectors:
    """TF-IDF vectors of the titles by scikit-learn's `TfidfVectorizer` with its defaults, rows of length 1.

    The inverse document frequencies are those of the items that have a title; a title that is empty or
    has no word of two letters gets an empty row.
    """
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
