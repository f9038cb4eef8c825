"""Time of an epoch of the row-wise Adam, compared with torch's SparseAdam and its dense Adam, which the paper uses.

Each runs with the paper's numbers of users and items, and with 4 and 16 times as many. The additional ones have no
ratings.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, SparseAdam

from benchmarks.common import paper_split, report, table
from recommender.common.progress import progress
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.models import adam
from recommender.models.options import FactorizationOptions

TIMES = [1, 4, 16]
REPEATS = 3
DENSE_BATCHES = 30


class Embeddings(nn.Module):
    """Bias MF with torch's embedding tables; the global bias is a table of one row, so that it can be sparse."""

    def __init__(self, data: Interactions, config: FactorizationOptions, sparse: bool) -> None:
        super().__init__()
        users, items, dim = len(data.users), len(data.items), config.embedding_dim
        shapes = [(users, dim), (items, dim), (users, 1), (items, 1), (1, 1)]
        self.tables = nn.ModuleList(nn.Embedding(*shape, sparse=sparse) for shape in shapes)
        for embedding in self.parameters():
            nn.init.normal_(embedding, std=adam.INITIAL_STD)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return the predicted ratings of pairs."""
        numbers = (user, item, user, item, torch.zeros_like(user))
        p, q, b, c, mean = (rows(number) for rows, number in zip(self.tables, numbers, strict=True))
        return (p * q).sum(dim=1) + (b + c + mean)[:, 0]


def main() -> None:
    """Measure all optimizers at each size of the tables, and report."""
    with TemporaryDirectory() as tmp:
        ratings, _ = paper_split(Path(tmp))
    data, config = Interactions.from_frame(ratings), FactorizationOptions(solver="adam")
    rows = [row for times in progress(TIMES, "sizes of the tables") for row in rows_of(data, config, times)]
    report(
        "adam",
        f"{len(data):,} ratings, embedding size {config.embedding_dim}, the same batches of {config.batch_size} for "
        f"all; median of {REPEATS} epochs. The time of a dense epoch is extrapolated from {DENSE_BATCHES} batches, for "
        "larger tables from fewer, at least 5. Ours always uses one thread.",
        table(["", "threads", "rows of the tables", "an epoch", "range", "relative to ours"], rows),
    )


def rows_of(data: Interactions, config: FactorizationOptions, times: int) -> list[list[object]]:
    """Return the rows of all optimizers, for tables enlarged by this factor."""
    threads = torch.get_num_threads()
    users, items = enlarged(data.users, times), enlarged(data.items, times)
    larger = replace(data, users=users, items=items)
    dense = partial(epochs_of_torch, larger, config, False, max(5, DENSE_BATCHES // times))
    contestants: list[tuple[str, int, Callable[[], list[float]]]] = [
        ("ours", 1, partial(ours, larger, config)),
        ("torch.optim.SparseAdam, which has no weight decay", 1, partial(epochs_of_torch, larger, config, True)),
        *(("torch.optim.Adam, dense", number, dense) for number in sorted({1, threads})),
    ]
    rows: list[list[object]] = []
    base = 0.0
    for name, number, run in contestants:
        torch.set_num_threads(number)
        seconds = run()
        base = base or median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        size = f"{len(users) + len(items):,}"
        rows.append([name, number, size, f"{median(seconds):.2f} s", spread, f"{median(seconds) / base:.1f}"])
    torch.set_num_threads(threads)
    return rows


def enlarged(vocabulary: Vocabulary, times: int) -> Vocabulary:
    """Return a vocabulary without names, longer by this factor; a fit uses only its length."""
    return Vocabulary(StringTable(np.zeros(0, np.uint8), np.zeros(times * len(vocabulary) + 1, np.int64)))


def ours(data: Interactions, config: FactorizationOptions) -> list[float]:
    """Return the seconds of our epochs after the first, which makes the tables."""
    running = adam.epochs(data, config)
    next(running)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        next(running)
        seconds.append(time.perf_counter() - began)
    return seconds


def epochs_of_torch(
    data: Interactions, config: FactorizationOptions, sparse: bool, dense_batches: int = 0
) -> list[float]:
    """Return the seconds of epochs of the plain loop; dense ones are extrapolated from some of their batches."""
    model = Embeddings(data, config, sparse)
    optimizer: Optimizer = (
        SparseAdam(model.parameters(), lr=config.learning_rate)
        if sparse
        else Adam(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    )
    running = batches_of(data, config)
    of_epoch = -(-len(data) // config.batch_size)
    measured = of_epoch if sparse else dense_batches
    train(model, optimizer, [next(running), next(running)])  # the first step creates the moments
    seconds = []
    for _ in range(REPEATS):
        some = [next(running) for _ in range(measured)]
        began = time.perf_counter()
        train(model, optimizer, some)
        seconds.append((time.perf_counter() - began) / measured * of_epoch)
    return seconds


def batches_of(data: Interactions, config: FactorizationOptions) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the batches of our own epochs, one epoch after the other, without end."""
    user, item, rating = map(torch.tensor, (data.user_num, data.item_num, data.ratings))
    number = 0
    while True:
        number += 1
        order = torch.from_numpy(np.random.default_rng([config.seed, number]).permutation(len(data)))
        for some in torch.split(order, config.batch_size):
            yield user[some], item[some], rating[some]


def train(model: nn.Module, optimizer: Optimizer, batches: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Run the usual training loop over these batches."""
    for user, item, rating in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(user, item), rating).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


if __name__ == "__main__":
    main()
