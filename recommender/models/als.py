"""Biased matrix factorization by exact alternating least squares (PyTorch).

It minimizes over all embeddings p, q and biases b, c

    sum over ratings (r_ui - mean - b_u - c_i - p_u . q_i)^2
        + regularization (sum |p_u|^2 + sum |q_i|^2) + user_reg sum b_u^2 + item_reg sum c_i^2

A sweep solves all items for fixed users, then all users for fixed items. Each row is solved exactly,
embedding and bias together. With n ratings x_1..x_n (rows of X, n x d) and residuals y:

    (X X'/reg + 11'/bias_reg + I) a = y,    p = X'a / reg,    b = 1'a / bias_reg     n x n, for n <= d
    the normal equations of the same problem                                       (d+1) x (d+1), for n > d

A sweep costs O(sum over rows of n d min(n, d)). Rows of equal n are solved in batches, each by one thread. So
threads synchronize only twice per sweep, and the result does not depend on their number. Cholesky solves the
systems, because they are symmetric positive definite. Torch's batched LU hangs at 151 rows and more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]  # not re-exported, but documented

from recommender.data.histories import row_offsets
from recommender.data.interactions import Interactions
from recommender.errors import FitError
from recommender.models import networks
from recommender.models.distributed import ALONE, Hosts
from recommender.models.iteration import Iteration, Start
from recommender.models.options import FactorizationOptions
from recommender.models.parallel import parallel_map

INITIAL_STD = 0.1
BATCH_FLOATS = 500_000  # numbers gathered per batch; these 2 MB stay in the cache, and malloc reuses them


@dataclass(frozen=True)
class Side:
    """Users or items: embedding (num_rows, embedding_dim) and bias (num_rows,), float32, updated in place."""

    embedding: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Batch:
    """Rows with the same number n of ratings: row (B,), rows of the other side (B, n), ratings (B, n)."""

    row: Tensor
    other: Tensor
    rating: Tensor


def sweeps(
    data: Interactions, config: FactorizationOptions, start: Start | None = None, hosts: Hosts = ALONE
) -> Iterator[Iteration]:
    """Yield the state after every sweep, without end. The next sweep updates the yielded tensors in place.

    A sweep ends with the users. So each user's vector is the exact solution for the user's ratings, as
    `factors.fold_in` computes it. The same seed and data give the same bytes.

    Args:
        data: the ratings.
        config: the hyper-parameters.
        start: the state to resume from. It has the users' tables only: they determine all later sweeps.
        hosts: the hosts that share the work. All have the same data, configuration and start.
    """
    mean = float(data.ratings.mean(dtype=np.float64)) if config.has_bias else 0.0
    rating = data.ratings - np.float32(mean)
    model = networks.create(config, len(data.users), len(data.items), mean)
    users = Side(model.user_embedding.data, model.user_bias.data)
    items = Side(model.item_embedding.data, model.item_bias.data)
    item_shares = hosts.shares(row_costs(data.item_num, len(data.items), config.embedding_dim))
    user_shares = hosts.shares(row_costs(data.user_num, len(data.users), config.embedding_dim))
    by_item = batches(data.item_num, data.user_num, rating, item_shares[hosts.rank], config.embedding_dim)
    by_user = batches(data.user_num, data.item_num, rating, user_shares[hosts.rank], config.embedding_dim)
    arrays = {"user_embedding": users.embedding, "user_bias": users.bias}
    if start is None:
        initialize(users, data, config.seed)
    else:
        start.copy_into(arrays)
    user_bias_reg, item_bias_reg = config.bias_regularizations
    for number in count(1 if start is None else start.number + 1):
        half_step(items, users, by_item, config.regularization, item_bias_reg)
        all_gather(hosts, items, item_shares)
        half_step(users, items, by_user, config.regularization, user_bias_reg)
        all_gather(hosts, users, user_shares)
        yield Iteration(number, model, arrays)


def initialize(users: Side, data: Interactions, seed: int) -> None:
    """Draw small random embeddings. Set those of users without ratings to zero: no sweep changes them."""
    users.embedding.normal_(std=INITIAL_STD, generator=torch.Generator().manual_seed(seed))
    without_ratings = torch.from_numpy(np.bincount(data.user_num, minlength=len(data.users)) == 0)
    users.embedding[without_ratings] = 0


def all_gather(hosts: Hosts, side: Side, shares: list[slice]) -> None:
    """Send every host all rows after a half-step."""
    hosts.all_gather(side.embedding, shares)
    hosts.all_gather(side.bias, shares)


def row_costs(row: np.ndarray, num_rows: int, embedding_dim: int) -> np.ndarray:
    """Return the cost of solving each row, (num_rows,) float64. It depends only on the row's number of ratings."""
    length = np.bincount(row, minlength=num_rows).astype(np.float64)
    return length * embedding_dim * np.minimum(length, embedding_dim)


def batches(row: np.ndarray, other: np.ndarray, rating: np.ndarray, share: slice, embedding_dim: int) -> list[Batch]:
    """Group the ratings by row, and the rows of the share by number of ratings. Skip rows without ratings."""
    order = np.argsort(row, kind="stable")
    offsets = row_offsets(row, share.stop)
    counts = np.diff(offsets)
    counts[: share.start] = 0
    result = []
    for length in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == length)
        at_once = max(1, BATCH_FLOATS // (int(length) * embedding_dim))
        for part in np.split(rows, range(at_once, len(rows), at_once)):
            entries = order[offsets[part][:, None] + np.arange(length)]
            result.append(Batch(*map(torch.from_numpy, (part, other[entries], rating[entries]))))
    return result


def half_step(target: Side, other: Side, batched: list[Batch], reg: float, bias_reg: float) -> None:
    """Solve every row of `target` for a fixed `other`, in place.

    Raises:
        FitError: numbers overflowed float32.
    """

    def solve_batch(batch: Batch) -> None:
        num_rows, length = batch.other.shape
        entries, dim = batch.other.view(-1), other.embedding.shape[1]
        # index_select copies whole rows. It is several times faster than other.embedding[batch.other].
        design = other.embedding.index_select(0, entries).view(num_rows, length, dim)
        residual = batch.rating - other.bias.index_select(0, entries).view(num_rows, length)
        solve = _solve_one if length == 1 else _solve_in_rating_space if length <= dim else _solve_in_factor_space
        embedding, bias = solve(design, residual, reg, bias_reg)
        target.embedding.index_copy_(0, batch.row, embedding)
        target.bias.index_copy_(0, batch.row, bias)

    try:
        parallel_map(solve_batch, batched)
    except LinAlgError:
        raise FitError(f"the fit reached numbers that are not finite: {networks.FINITE}") from None


def _solve_one(design: Tensor, residual: Tensor, reg: float, bias_reg: float) -> tuple[Tensor, Tensor]:
    """Solve rows with a single rating in closed form. Nine items in ten have a single rating."""
    vector = design[:, 0]
    dual = residual[:, 0] / (1 + 1 / bias_reg + vector.square().sum(dim=1) / reg)
    return vector * (dual / reg)[:, None], dual / bias_reg


def _solve_in_rating_space(design: Tensor, residual: Tensor, reg: float, bias_reg: float) -> tuple[Tensor, Tensor]:
    bias_part = torch.tensor(1 / bias_reg).expand(1, 1, 1)
    gram = torch.baddbmm(bias_part, design, design.mT, alpha=1 / reg)
    gram.diagonal(dim1=1, dim2=2).add_(1)
    dual = torch.cholesky_solve(residual[:, :, None], torch.linalg.cholesky(gram))
    return (dual.mT @ design)[:, 0] / reg, dual.sum(dim=(1, 2)) / bias_reg


def _solve_in_factor_space(design: Tensor, residual: Tensor, reg: float, bias_reg: float) -> tuple[Tensor, Tensor]:
    bias_column = design.new_full((*design.shape[:2], 1), bias_reg**-0.5)
    scaled = torch.cat([design * reg**-0.5, bias_column], dim=2)
    gram = scaled.mT @ scaled
    gram.diagonal(dim1=1, dim2=2).add_(1)
    solution = torch.cholesky_solve(scaled.mT @ residual[:, :, None], torch.linalg.cholesky(gram))[:, :, 0]
    return solution[:, :-1] * reg**-0.5, solution[:, -1] * bias_reg**-0.5
