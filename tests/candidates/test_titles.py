"""Titles as a candidate source, against scikit-learn's cosines with the whole catalogue."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from support.worlds import WORLDS, new_history

from recommender.candidates.titles import Titles, TitlesOptions
from recommender.components.fit_context import FitContext
from recommender.components.query import Query

DATA = WORLDS["an order"].data
STEP_DECAY = 0.8

words = st.sampled_from(["red", "blue", "shirt", "skirt", "wool", "silk", "a", "é", "12"])
titles_strategy = st.lists(st.lists(words, max_size=5).map(" ".join), min_size=2, max_size=14)


def fitted(titles: list[str], **options: object) -> Titles:
    given_options = TitlesOptions.model_validate({"step_decay": STEP_DECAY, **options})
    return Titles.fit(FitContext(DATA, titles=titles), given_options)


def query_of(items: list[int]) -> Query:
    history = new_history(items)
    return Query(None, history, False, True, history.item_num)


def cosines(titles: list[str], items: list[int], max_words: int = 1) -> NDArray[np.float64] | None:
    """Return the cosine of each title and the history's, weighted by recency; None if no title is known."""
    known = [number for number, title in enumerate(titles) if title.strip()]
    try:
        matrix = TfidfVectorizer(ngram_range=(1, max_words)).fit_transform(titles[number] for number in known)
    except ValueError:
        return None
    rows = np.zeros((len(titles), matrix.shape[1]))
    rows[known] = matrix.toarray()
    weights = STEP_DECAY ** np.arange(len(items) - 1, -1, -1.0)
    profile = weights @ rows[items]
    return np.asarray(cosine_similarity(profile[None], rows)[0]) if profile.any() else None


@settings(max_examples=150)
@given(titles_strategy, st.integers(1, 3), st.integers(1, 14), st.data())
def test_candidates_are_those_of_the_highest_cosines_in_the_whole_catalogue(
    titles: list[str], max_words: int, count: int, data: st.DataObject
) -> None:
    """Compare with scikit-learn; no term is in more titles than the limit."""
    items = data.draw(st.lists(st.sampled_from(range(len(titles))), min_size=1, max_size=5, unique=True))
    source, expected = fitted(titles, max_words=max_words), cosines(titles, items, max_words)
    found = source.top(query_of(items), count)
    score = source.score(query_of(items), np.arange(len(titles)))
    if expected is None:
        assert found is None
        assert score is None
        return
    assert found is not None
    assert score is not None
    has_words = [bool(fitted(titles).vectors.known(np.array([number]))[0]) for number in range(len(titles))]
    assert (~np.isnan(score)).tolist() == has_words
    assert np.allclose(np.nan_to_num(score), expected, atol=1e-6)
    others = [number for number in range(len(titles)) if number not in items and expected[number] > 1e-6]
    assert len(found.item_num) == min(count, len(others))
    assert set(found.item_num.tolist()) <= set(others)
    assert np.allclose(found.score, sorted(expected[others], reverse=True)[:count], atol=1e-6)
    assert np.allclose(found.score, expected[found.item_num], atol=1e-6)


TITLES = ["red shirt", "red skirt", "red wool shirt", "red coat", "blue coat", "red hat", ""]


def test_a_term_in_too_many_titles_proposes_no_items_but_still_scores() -> None:
    """Check `red` in five titles: with a limit of four, only `shirt` proposes items for a red shirt."""
    bounded, free = fitted(TITLES, max_items_per_term=4), fitted(TITLES)
    query, everything = query_of([0]), np.arange(len(TITLES))
    found = bounded.top(query, 10)
    assert found is not None
    assert found.item_num.tolist() == [2]
    everywhere = free.top(query_of([0]), 10)
    assert everywhere is not None
    assert set(everywhere.item_num.tolist()) == {1, 2, 3, 5}
    one, other = bounded.score(query, everything), free.score(query_of([0]), everything)
    assert one is not None
    assert other is not None
    assert np.array_equal(one, other, equal_nan=True)
    assert found.score.tolist() == [one[2]]
    assert one[3] > 0  # through `red` alone


def test_a_term_in_exactly_the_maximum_number_of_titles_proposes_items() -> None:
    found = fitted(TITLES, max_items_per_term=5).top(query_of([0]), 10)
    assert found is not None
    assert set(found.item_num.tolist()) == {1, 2, 3, 5}


def test_if_all_terms_are_in_too_many_titles_nothing_is_proposed() -> None:
    found = fitted(TITLES, max_items_per_term=1).top(query_of([0]), 10)
    assert found is not None
    assert found.item_num.tolist() == []


def test_the_reason_is_the_title_that_adds_most_by_words_and_recency() -> None:
    source = fitted(TITLES)
    (reason,) = source.reasons(query_of([1, 4]), [3])  # red coat: `coat` is rarer than `red`
    assert reason is not None
    assert reason.item_num == (4,)
    older = fitted(TITLES, step_decay=0.01)
    assert [reason.item_num for reason in older.reasons(query_of([4, 1]), [3]) if reason] == [(1,)]
    assert source.reasons(query_of([4]), [0, 6]) == [None, None]


@pytest.mark.parametrize("titles", [["a", "b c"], ["!", "?"]])
def test_titles_without_a_word_of_two_letters_propose_nothing_and_score_nothing(titles: list[str]) -> None:
    source = fitted(titles)
    assert source.top(query_of([0]), 3) is None
    assert source.score(query_of([0]), np.arange(2)) is None
    assert source.reasons(query_of([0]), [1]) == [None]


def test_the_source_ranks_by_two_neighbouring_words_if_it_counts_them() -> None:
    titles = ["dark blue shirt", "blue dark", "dark blue", "wool hat"]
    for max_words, first in ((1, {1, 2}), (2, {2})):
        found = fitted(titles, max_words=max_words).top(query_of([0]), 2)
        assert found is not None
        best = found.item_num[np.isclose(found.score, found.score[0])]
        assert set(best.tolist()) == first
