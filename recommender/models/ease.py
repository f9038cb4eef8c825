"""EASE (Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019), in the smaller of two spaces.

X is the groups x items matrix of zeros and ones; a group is a user or a session. With P = (X'X + lambda I)^-1, the
weights are B_ij = -P_ij / P_jj for i != j. The score of item j for a history x is x B_j. P is items x items. With
fewer groups than items, K = (XX' + lambda I)^-1 is smaller: it is groups x groups, and

    P = (I - X' K X) / lambda

Then the rows of P are computed block by block from K. The time is O(min(groups, items)^3). The inverted matrix takes
8 min(groups, items)^2 bytes.
"""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from recommender.models.groups import Groups
from recommender.models.table import Table

ROWS_AT_ONCE = 256

Matrix = NDArray[np.float64]
Rows = Callable[[NDArray[np.integer]], Matrix]  # items -> their rows of P


def ease_table(
    groups: Groups, num_items: int, regularization: float, num_entries: int, rows: NDArray[np.integer] | None
) -> Table:
    """Return, for each row of B, the entries with the largest absolute values.

    Args:
        groups: users or sessions; a group has each item at most once.
        num_items: the number of items.
        regularization: lambda.
        num_entries: number of entries that a row keeps. Ties with the last one are kept too.
        rows: the items to compute rows for, ascending; None: all.
    """
    shape = (len(groups.offsets) - 1, num_items)
    X = sp.csr_array((np.ones(len(groups.item_num)), groups.item_num, groups.offsets), shape=shape)
    diagonal, rows_of = (_item_space if num_items <= shape[0] else _group_space)(X, regularization)
    wanted = np.arange(num_items) if rows is None else rows
    length = np.zeros(num_items, np.int64)
    parts = list(_largest_entries(wanted, rows_of, diagonal, min(num_entries, num_items), length))
    empty = (np.empty(0, np.int32), np.empty(0, np.float32))
    item_num, score = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    return Table(np.concatenate([[0], np.cumsum(length)]), item_num, score)


def _item_space(X: sp.csr_array, regularization: float) -> tuple[NDArray[np.float64], Rows]:
    P = inverse((X.T @ X).toarray(), regularization)
    return np.diag(P).copy(), lambda items: P[items]


def _group_space(X: sp.csr_array, regularization: float) -> tuple[NDArray[np.float64], Rows]:
    K = inverse((X @ X.T).toarray(), regularization)
    columns = sp.csr_array(X.T)

    def rows(items: NDArray[np.integer]) -> Matrix:
        block = -np.asarray((columns[items] @ K) @ X) / regularization
        block[np.arange(len(items)), items] += 1 / regularization
        return block

    groups = np.split(columns.indices, columns.indptr[1:-1])
    diagonal = np.array([(1 - K[np.ix_(of_item, of_item)].sum()) / regularization for of_item in groups])
    return diagonal, rows


def _largest_entries(
    wanted: NDArray[np.integer], rows_of: Rows, diagonal: NDArray[np.float64], count: int, length: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield the largest entries of each block of rows. Write each row's number of entries to `length`."""
    for begin in range(0, len(wanted), ROWS_AT_ONCE):
        items = wanted[begin : begin + ROWS_AT_ONCE]
        block = -rows_of(items) / diagonal
        block[np.arange(len(items)), items] = 0
        size = np.abs(block)
        least = np.partition(size, -count, axis=1)[:, -count, None]
        keep = (size >= least) & (size > 0)
        length[items] = keep.sum(axis=1)
        yield np.nonzero(keep)[1].astype(np.int32), block[keep].astype(np.float32)


def inverse(gram: Matrix, regularization: float) -> Matrix:
    """Return (gram + regularization I)^-1 by Cholesky. The result overwrites `gram`, a symmetric matrix.

    Raises:
        ValueError: the matrix is not positive definite.
    """
    gram[np.diag_indices_from(gram)] += regularization
    factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    result, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ValueError(f"regularization {regularization:g}: the matrix is not positive definite; raise it")
    for row in range(len(result)):
        result[row, row + 1 :] = result[row + 1 :, row]  # LAPACK fills one triangle
    return np.asarray(result)
