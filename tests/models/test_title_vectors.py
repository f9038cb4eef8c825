"""Title vectors compared with scikit-learn's sparse products (the paper's section 3.3)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from recommender.models.title_vectors import fit_titles

titles_strategy = st.lists(
    st.lists(st.sampled_from(["red", "blue", "shirt", "skirt", "wool", "silk", "a", "!", "é", "12"]), max_size=6).map(
        " ".join
    ),
    min_size=1,
    max_size=12,
)


def reference_vectors(titles: list[str]) -> NDArray[np.float64] | None:
    """Return dense TF-IDF rows; None without any word. Only titles that are not empty count as documents."""
    known = [number for number, title in enumerate(titles) if title.strip()]
    try:
        matrix = TfidfVectorizer().fit_transform([titles[number] for number in known]).toarray()
    except ValueError:
        return None
    rows = np.zeros((len(titles), matrix.shape[1]))
    rows[known] = matrix
    return rows


@given(titles_strategy, st.data())
def test_profile_and_similarity_equal_those_of_scikit_learn(titles: list[str], data: st.DataObject) -> None:
    vectors, rows = fit_titles(titles), reference_vectors(titles)
    items = np.arange(len(titles))
    history = np.array(data.draw(st.lists(st.sampled_from(items.tolist()), max_size=8)), np.int64)
    rating = np.array(data.draw(st.lists(st.integers(1, 5), min_size=len(history), max_size=len(history))), float)
    if rows is None:
        assert not vectors.known(items).any()
        assert vectors.profile(items, np.ones(len(items))) is None
        return
    assert vectors.known(items).tolist() == rows.any(axis=1).tolist()
    profile = vectors.profile(history, rating)
    if not rows[history].any():
        assert profile is None
        return
    assert profile is not None
    expected = np.average(rows[history], axis=0, weights=rating)[None]
    similarity = vectors.similarity(items, profile)
    assert np.allclose(similarity, cosine_similarity(expected, rows)[0], atol=1e-6)
    assert similarity.max() <= 1


def test_explain_returns_the_history_item_that_adds_most_to_the_similarity() -> None:
    titles = ["red wool shirt", "blue silk skirt", "red wool coat", "green hat", "", "red"]
    vectors = fit_titles(titles)
    history = np.array([1, 2, 5])
    everything = [0, 1, 2, 3, 4]
    assert vectors.explain(everything, history, np.array([5.0, 5.0, 1.0])) == [2, None, 5, None, None]
    assert vectors.explain([0], history, np.array([5.0, 0.5, 5.0])) == [5]  # a rating is a weight
    assert vectors.explain([0, 2], np.empty(0, int), np.empty(0)) == [None, None]


@given(titles_strategy, st.data())
def test_a_sparse_profile_is_the_profile_without_its_zeros(titles: list[str], data: st.DataObject) -> None:
    vectors = fit_titles(titles)
    items = np.array(data.draw(st.lists(st.sampled_from(range(len(titles))), unique=True)), np.int64)
    weights = data.draw(st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=len(items), max_size=len(items)))
    dense, sparse = (of(items, np.array(weights)) for of in (vectors.profile, vectors.sparse_profile))
    assert (dense is None) == (sparse is None)
    if dense is not None and sparse is not None:
        assert sparse[0].tolist() == np.flatnonzero(dense).tolist()
        assert sparse[1] == pytest.approx(dense[sparse[0]])


@pytest.mark.parametrize("weight", [0.0, 5e-324, 1e-200])
def test_a_history_with_weights_that_square_to_zero_has_no_profile(weight: float) -> None:
    vectors = fit_titles(["wool scarf", "silk dress"])
    assert vectors.profile(np.arange(2), np.full(2, weight)) is None
    assert vectors.sparse_profile(np.arange(2), np.full(2, weight)) is None


@pytest.mark.parametrize("titles", [[""], ["", " "], ["a", "!"]])
def test_without_any_word_there_are_no_vectors(titles: list[str]) -> None:
    vectors = fit_titles(titles)
    assert vectors.num_terms == 0
    assert not vectors.known(np.arange(len(titles))).any()


@given(titles_strategy, st.integers(1, 3))
def test_the_weight_of_a_word_equals_that_of_scikit_learn(titles: list[str], max_words: int) -> None:
    vectorizer = TfidfVectorizer(ngram_range=(1, max_words))
    try:
        matrix = vectorizer.fit_transform([title for title in titles if title.strip()]).toarray()
    except ValueError:
        matrix = np.empty((len(titles), 0))
    rows = iter(matrix)
    vectors = fit_titles(titles, max_words)
    for number, title in enumerate(titles):
        row = next(rows) if title.strip() else np.empty(0)
        expected = {word: row[vectorizer.vocabulary_[word]] for word in title.split() if len(word) > 1 and len(row)}
        assert vectors.word_weights(number, title) == pytest.approx(expected, rel=1e-6)


def test_a_title_with_another_number_of_terms_than_the_row_has_no_word_weights() -> None:
    vectors = fit_titles(["wool scarf for women", "silk dress"])
    assert vectors.word_weights(0, "wool scarf") == {}
    assert vectors.word_weights(1, "dress of silk") == {}
