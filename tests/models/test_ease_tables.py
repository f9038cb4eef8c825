"""EASE compared with the dense inverse of the paper's equation 8, in both spaces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recommender.candidates.ease import Ease
from recommender.components.base import check_arrays
from recommender.models.ease import ease_table, inverse
from recommender.models.groups import Groups
from recommender.models.table import Table

Matrix = NDArray[np.float64]


def groups_of(X: NDArray[np.bool_]) -> Groups:
    """Return the groups of a groups x items matrix."""
    group, item = np.nonzero(X)
    offsets = np.concatenate([[0], np.cumsum(X.sum(axis=1))])
    ones = np.ones(len(item), np.float32)
    return Groups(offsets, item.astype(np.int32), np.zeros(len(group), np.int32), ones)


def dense_weights(X: NDArray[np.bool_], regularization: float) -> Matrix:
    """Compute B by the dense inverse."""
    P = np.linalg.inv(X.T.astype(float) @ X + regularization * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return np.asarray(B)


def dense(table: Table) -> Matrix:
    """Return a table as a dense matrix."""
    found = np.zeros((table.num_items, table.num_items))
    row = np.repeat(np.arange(table.num_items), np.diff(table.offsets))
    found[row, table.item_num] = table.score
    return found


def random_groups(num_groups: int, num_items: int, seed: int) -> NDArray[np.bool_]:
    random = np.random.default_rng(seed)
    return random.random((num_groups, num_items)) < random.uniform(0.05, 0.6)


@settings(max_examples=50)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000), st.sampled_from([0.5, 10.0, 500.0]))
def test_the_weights_equal_those_of_the_dense_inverse(
    num_groups: int, num_items: int, seed: int, regularization: float
) -> None:
    """Try both spaces: with fewer groups than items the inverse is groups x groups, else items x items."""
    X = random_groups(num_groups, num_items, seed)
    table = ease_table(groups_of(X), num_items, regularization, num_items, None)
    assert np.allclose(dense(table), dense_weights(X, regularization), atol=1e-6)
    check_arrays(Ease.arrays, vars(table), {"items": num_items})


@settings(max_examples=50)
@given(st.integers(1, 12), st.integers(2, 30), st.integers(0, 1000))
def test_both_spaces_give_the_same_weights(num_groups: int, num_items: int, seed: int) -> None:
    """Add groups without events. They do not change the weights, but they make the items the smaller space."""
    X = random_groups(num_groups, num_items, seed)
    padded = np.vstack([X, np.zeros((num_items, num_items), bool)])
    one, other = (ease_table(groups_of(some), num_items, 3.0, num_items, None) for some in (X, padded))
    assert np.allclose(dense(one), dense(other), atol=1e-6)


@settings(max_examples=50)
@given(st.integers(1, 30), st.integers(2, 30), st.integers(0, 1000), st.integers(1, 10))
def test_a_row_keeps_the_weights_with_the_largest_absolute_values(
    num_groups: int, num_items: int, seed: int, num_entries: int
) -> None:
    X = random_groups(num_groups, num_items, seed)
    everything = dense_weights(X, 3.0)
    table = ease_table(groups_of(X), num_items, 3.0, num_entries, None)
    found = dense(table)
    for item in range(num_items):
        kept = np.flatnonzero(found[item])
        assert np.allclose(found[item, kept], everything[item, kept], atol=1e-6)
        size = np.abs(everything[item])
        wanted = min(num_entries, int((size > 1e-9).sum()))
        assert len(kept) >= wanted  # ties with the last one are kept too
        least = np.sort(size)[-num_entries] if num_entries < num_items else 0.0
        assert (size[kept] >= least - 1e-9).all()
        assert set(np.flatnonzero(size > least + 1e-9).tolist()) <= set(kept.tolist())


def test_all_weights_of_equal_size_are_kept_even_if_there_are_too_many() -> None:
    X = np.ones((3, 5), bool)
    assert np.diff(ease_table(groups_of(X), 5, 1.0, 2, None).offsets).tolist() == [4] * 5


@settings(max_examples=25)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1000), st.data())
def test_rows_that_are_computed_alone_equal_those_of_the_whole_table(
    num_groups: int, num_items: int, seed: int, data: st.DataObject
) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, num_items - 1))))
    groups = groups_of(random_groups(num_groups, num_items, seed))
    found = dense(ease_table(groups, num_items, 3.0, num_items, np.array(wanted, np.int64)))
    expected = dense(ease_table(groups, num_items, 3.0, num_items, None))
    others = np.setdiff1d(np.arange(num_items), wanted)
    assert np.allclose(found[wanted], expected[wanted], atol=1e-6)
    assert not found[others].any()


def test_the_error_of_a_matrix_that_is_not_positive_definite_names_the_regularization() -> None:
    with pytest.raises(ValueError, match=r"regularization 0\.5: the matrix is not positive definite"):
        inverse(np.array([[1.0, 4.0], [4.0, 1.0]]), 0.5)
