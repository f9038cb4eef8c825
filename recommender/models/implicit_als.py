"""Weighted least squares on events (Hu, Koren and Volinsky, ICDM 2008): every pair counts, seen ones more.

The loss is the sum over all users and items of c (p - x.y)^2, with p = 1 and c = 1 + extra for a pair that was seen,
p = 0 and c = 1 for all others, plus an L2 penalty on both tables.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommender.data.histories import row_offsets
from recommender.data.interactions import Interactions
from recommender.models.parallel import parallel_map

NUMBERS_AT_ONCE = 4_000_000
ROWS_AT_ONCE = 16_384
SPREAD = 0.1  # of the random start
LEAST_CONFIDENCE = 1e-12  # of a pair, beyond 1: `solve` divides by its root


def implicit_als(
    pairs: Interactions, embedding_dim: int, extra: float, regularization: float, num_sweeps: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the item table and the inverse of its regularized Gram matrix.

    O(sweeps x (pairs d^2 + (users + items) d^2 + d^3)) time at most; rows with fewer pairs than d cost less.

    Args:
        pairs: as `Interactions.pairs` returns them.
        embedding_dim: d.
        extra: confidence of a pair with weight 1, beyond that of all others.
        regularization: the L2 penalty.
        num_sweeps: updates of users and items.
        seed: of the random start.
    """
    num_users, num_items = len(pairs.users), len(pairs.items)
    confidence = torch.full((len(pairs),), extra)
    if pairs.weight is not None:
        confidence *= torch.from_numpy(pairs.weight / pairs.weight.max())
        confidence.clamp_(min=LEAST_CONFIDENCE)
    of_users = (row_offsets(pairs.user_num, num_users), pairs.item_num, confidence)
    of_items = (row_offsets(pairs.item_num, num_items), *_by_item(pairs, confidence))
    item = torch.randn(num_items, embedding_dim, generator=torch.Generator().manual_seed(seed)) * SPREAD
    for _ in range(num_sweeps):
        item = solve(solve(item, *of_users, regularization), *of_items, regularization)
    gram = item.T @ item + regularization * torch.eye(embedding_dim)
    return item.numpy(), torch.cholesky_inverse(torch.linalg.cholesky(gram.double())).float().numpy()


def _by_item(pairs: Interactions, confidence: Tensor) -> tuple[NDArray[np.int32], Tensor]:
    """Return user and confidence of the pairs, sorted by item."""
    order = np.argsort(pairs.item_num, kind="stable")
    return pairs.user_num[order].astype(np.int32), confidence[torch.from_numpy(order)]


def solve(
    table: Tensor,
    offsets: NDArray[np.int64],
    other_num: NDArray[np.integer],
    confidence: Tensor,
    regularization: float,
) -> Tensor:
    """Return the vector of least squares of each row, (num_rows, d) float32; `table` is used up.

    With Y the rows of `table` that a row has seen, D their extra confidences and A = table' table + regularization I,
    the vector is (A + Y'DY)^-1 Y'(1 + D) 1. With A = CC' and Z = Y C'^-1 it is C'^-1 (I + Z'DZ)^-1 Z'(1 + D) 1. For
    fewer than d rows it is computed in their space: (I + Z'DZ)^-1 Z'D^1/2 = Z'D^1/2 (I + D^1/2 ZZ'D^1/2)^-1.
    """
    dim = table.shape[1]
    gram = table.T @ table
    gram.diagonal().add_(regularization)
    root_of_gram = torch.linalg.cholesky(gram)
    lengths = np.diff(offsets)
    result = torch.zeros(len(lengths), dim)
    for block in torch.split(table, ROWS_AT_ONCE):  # table becomes table C'^-1, in its own memory
        block.copy_(torch.linalg.solve_triangular(root_of_gram, block.T, upper=False).T)

    def work(rows: NDArray[np.int64]) -> None:
        length = int(lengths[rows[0]])
        where = torch.from_numpy(offsets[rows][:, None] + np.arange(length))
        num, extra = torch.from_numpy(other_num)[where], confidence[where][:, :, None]
        Z = _rows(table, num)
        if length <= dim:
            root = extra.sqrt()
            rooted = root * Z
            S = rooted @ rooted.mT
            S.diagonal(dim1=1, dim2=2).add_(1.0)
            found = rooted.mT @ torch.cholesky_solve((1 + extra) / root, torch.linalg.cholesky(S))
        else:
            left = Z.mT @ (extra * Z)
            left.diagonal(dim1=1, dim2=2).add_(1.0)
            found = torch.cholesky_solve(Z.mT @ (1 + extra), torch.linalg.cholesky(left))
        result[torch.from_numpy(rows)] = torch.linalg.solve_triangular(root_of_gram.T, found[:, :, 0].T, upper=True).T

    parallel_map(work, _equal_rows(lengths, dim))
    return result


def _rows(table: Tensor, num: Tensor) -> Tensor:
    """Return `table[num]`; `index_select` copies rows several times faster."""
    return table.index_select(0, num.reshape(-1)).view(*num.shape, table.shape[1])


def _equal_rows(lengths: NDArray[np.int64], dim: int) -> list[NDArray[np.int64]]:
    """Return batches of rows with equally many pairs, bounded in memory."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    batches: list[NDArray[np.int64]] = []
    for rows in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(rows):
            at_once = max(1, NUMBERS_AT_ONCE // (max(int(lengths[rows[0]]), dim) * dim))
            batches += [rows[begin : begin + at_once] for begin in range(0, len(rows), at_once)]
    return batches
