"""EASE in both spaces, compared with a literal copy of the closed form in its paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from study.hits.ease import ease, inverse, item_space, user_space
from study.hits.scoring import Matrix


def random_matrix(users: int, items: int, share: float, seed: int) -> Matrix:
    return csr_matrix((np.random.default_rng(seed).random((users, items)) < share).astype(np.float32))


def closed_form(dense: np.ndarray, regularization: float) -> np.ndarray:
    """Return the scores X B of Steck's algorithm 1: B = I - P diagMat(1 / diag(P))."""
    P = np.linalg.inv(dense.T @ dense + regularization * np.eye(dense.shape[1]))
    B = np.eye(dense.shape[1]) - P @ np.diag(1 / np.diag(P))
    return dense @ B


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.floats(0.1, 1000), st.integers(0, 1000))
def test_both_spaces_give_every_unseen_item_the_score_of_the_closed_form(
    users: int, items: int, share: float, regularization: float, seed: int
) -> None:
    X = random_matrix(users, items, share, seed)
    expected, all_users = closed_form(X.toarray().astype(float), regularization), np.arange(users)
    unseen = X.toarray() == 0
    for space in (user_space, item_space):
        assert space(X, regularization)(all_users)[unseen] == pytest.approx(expected[unseen], abs=1e-9)


def test_the_smaller_space_gives_the_closed_form_for_any_users() -> None:
    for users, items in ((5, 40), (40, 5)):
        X = random_matrix(users, items, 0.3, 0)
        expected = closed_form(X.toarray().astype(float), 10)
        some = np.array([3, 1])
        assert ease(X, 10)(some)[X[some].toarray() == 0] == pytest.approx(expected[some][X[some].toarray() == 0])


def test_items_with_the_same_raters_have_bitwise_equal_scores() -> None:
    column = random_matrix(30, 1, 0.3, 0).toarray()
    X = csr_matrix(np.hstack([random_matrix(30, 40, 0.2, 1).toarray(), column, column]))
    score = user_space(X, 100)(np.arange(30))
    assert (score[:, -1] == score[:, -2]).all()


def test_a_matrix_that_is_not_positive_definite_is_an_error() -> None:
    with pytest.raises(ValueError, match="regularization: -5 leaves a matrix that is not positive definite"):
        inverse(np.eye(3), -5)
