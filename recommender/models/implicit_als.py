"""Weighted least squares on events (Hu, Koren and Volinsky, ICDM 2008).

All pairs count, but pairs with an event count more. The loss is the sum over all users and items of c (p - x.y)^2, plus
an L2 penalty on both tables. A pair with an event has p = 1 and c = 1 + extra. All other pairs have p = 0 and c = 1.
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
SPREAD = 0.1  # standard deviation of the initial embeddings
MIN_CONFIDENCE = 1e-12  # minimum extra confidence of a pair with an event: `solve` divides by its root


def implicit_als(
    pairs: Interactions, embedding_dim: int, extra: float, regularization: float, num_sweeps: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the item table and the inverse of its regularized Gram matrix.

    The time is at most O(sweeps x (pairs d^2 + (users + items) d^2 + d^3)). Rows with fewer pairs than d cost less.

    Args:
        pairs: the events, from `Interactions.pairs`.
        embedding_dim: d.
        extra: additional confidence of a pair with the largest weight, compared with a pair without an event.
        regularization: the L2 penalty.
        num_sweeps: number of updates of all users and items.
        seed: seed of the initial embeddings.
    """
    num_users, num_items = len(pairs.users), len(pairs.items)
    confidence = torch.full((len(pairs),), extra)
    if pairs.weight is not None:
        confidence *= torch.from_numpy(pairs.weight / pairs.weight.max())
        confidence.clamp_(min=MIN_CONFIDENCE)
    of_users = (row_offsets(pairs.user_num, num_users), pairs.item_num, confidence)
    of_items = (row_offsets(pairs.item_num, num_items), *_by_item(pairs, confidence))
    item = torch.randn(num_items, embedding_dim, generator=torch.Generator().manual_seed(seed)) * SPREAD
    for _ in range(num_sweeps):
        item = solve(solve(item, *of_users, regularization), *of_items, regularization)
    gram = item.T @ item + regularization * torch.eye(embedding_dim)
    return item.numpy(), torch.cholesky_inverse(torch.linalg.cholesky(gram.double())).float().numpy()


def _by_item(pairs: Interactions, confidence: Tensor) -> tuple[NDArray[np.int32], Tensor]:
    """Return the user and the confidence of each pair, sorted by item."""
    order = np.argsort(pairs.item_num, kind="stable")
    return pairs.user_num[order].astype(np.int32), confidence[torch.from_numpy(order)]


def solve(
    table: Tensor,
    offsets: NDArray[np.int64],
    other_num: NDArray[np.integer],
    confidence: Tensor,
    regularization: float,
) -> Tensor:
    """Solve each row by least squares. Return the vectors, (num_rows, d) float32. Overwrites `table`.

    Let Y be the rows of `table` with an event of this row, D their extra confidences, and
    A = table' table + regularization I. The vector is (A + Y'DY)^-1 Y'(1 + D) 1. With A = CC' and Z = Y C'^-1 this is
    C'^-1 (I + Z'DZ)^-1 Z'(1 + D) 1. For at most d rows a smaller system gives the same:
    (I + Z'DZ)^-1 Z'D^1/2 = Z'D^1/2 (I + D^1/2 ZZ'D^1/2)^-1.
    """
    dim = table.shape[1]
    gram = table.T @ table
    gram.diagonal().add_(regularization)
    root_of_gram = torch.linalg.cholesky(gram)
    lengths = np.diff(offsets)
    result = torch.zeros(len(lengths), dim)
    for block in torch.split(table, ROWS_AT_ONCE):  # replace table by table C'^-1, in place
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
    """Return `table[num]`, by `index_select`: it copies rows several times faster."""
    return table.index_select(0, num.reshape(-1)).view(*num.shape, table.shape[1])


def _equal_rows(lengths: NDArray[np.int64], dim: int) -> list[NDArray[np.int64]]:
    """Return batches of rows with the same number of pairs; a batch has bounded memory."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    batches: list[NDArray[np.int64]] = []
    for rows in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(rows):
            at_once = max(1, NUMBERS_AT_ONCE // (max(int(lengths[rows[0]]), dim) * dim))
            batches += [rows[begin : begin + at_once] for begin in range(0, len(rows), at_once)]
    return batches
