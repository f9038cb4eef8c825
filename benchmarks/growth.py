"""Time of a sweep and memory of a fit at 60 thousand to 10 million ratings, and for rows of different lengths.

The ratings are random, with the paper's six ratings per user and at least four. As in the whole category, there is one
item for three ratings. The numbers of ratings have the long tail of a lognormal. A separate process measures each size,
so that its peak memory does not include the other sizes.
"""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmarks.common import report, table
from recommender.common.progress import progress
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.models import als, networks
from recommender.models.options import FactorizationOptions

Result = TypeVar("Result")

SIZES = [60_000, 600_000, 2_500_000, 10_000_000]
EXTRAPOLATED_RATINGS = 100_000_000
LENGTHS = [1, 2, 6, 10, 50, 150, 151, 300, 1000]
RATINGS_OF_LENGTH, OTHERS = 300_000, 50_000  # of the rows of one length; rows of the other side
RATINGS_PER_USER, RATINGS_PER_ITEM = 6, 3
MIN_OF_USER, MIN_OF_ITEM = 4, 1  # ratings
USER_SIGMA, ITEM_SIGMA = 1.2, 2.0  # of the lognormal that distributes the other ratings
RATINGS_OF_SWEEPS = 12_500_000  # in all sweeps of one size together, which are 3 to 30
GIGABYTE = 1e9
MEMORY = 24 * 2**30


@dataclass(frozen=True)
class Measured:
    """The measurements of one size: numbers, seconds of each sweep by number of threads, other seconds, and bytes."""

    num_ratings: int
    num_users: int
    num_items: int
    longest_row: int
    sweeps: dict[int, list[float]]
    grouping: float
    finishing: float
    peak_of_sweeps: int
    peak_of_fit: int
    num_bytes: int

    def per_rating(self, threads: int) -> float:
        """Return the microseconds of a sweep per rating."""
        return median(self.sweeps[threads]) / self.num_ratings * 1e6


def main() -> None:
    """Measure every size and every row length, and report."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        sizes = [fresh.submit(measure, size).result() for size in progress(SIZES, "sizes")]
        lengths = [fresh.submit(measure_length, length).result() for length in progress(LENGTHS, "lengths")]
    header = ["ratings", "users", "items", "longest row", "threads", "a sweep, median", "range", "us per rating"]
    growth = table([*header, f"relative to {SIZES[0]:,}"], [row for size in sizes for row in time_rows(size, sizes[0])])
    header = [
        "ratings",
        "grouping, once",
        "finishing, once",
        "peak of the sweeps",
        "peak of the fit",
        "data",
        "peak/data",
    ]
    memory = table(header, [memory_row(size) for size in sizes])
    threads = list(lengths[0])
    header = ["ratings per row", "solved in", *(f"us per rating, {number} threads" for number in threads)]
    rows = [
        [length, solution_space(length), *(f"{m[n]:.2f}" for n in threads)]
        for length, m in zip(LENGTHS, lengths, strict=True)
    ]
    report(
        "growth",
        f"Embedding size {FactorizationOptions().embedding_dim}; a separate process measures each size.",
        growth,
        "Grouping sorts the ratings by row and the rows by length, and touches the tables for the first time. "
        "Finishing makes plain arrays, and stores parallel item embeddings once. Data are factors and ratings. Peaks "
        "include Python and torch; GB = 10^9 bytes.",
        memory,
        extrapolated(sizes[0], sizes[-1]),
        f"Half a sweep over rows of one length: {RATINGS_OF_LENGTH:,} ratings, {OTHERS:,} rows on the other side, "
        "median of 5.",
        table(header, rows),
    )


def time_rows(size: Measured, smallest: Measured) -> list[list[object]]:
    """Return the times of the sweeps of one size, one row per number of threads."""
    shape = [f"{number:,}" for number in (size.num_ratings, size.num_users, size.num_items, size.longest_row)]
    rows: list[list[object]] = []
    for threads, seconds in size.sweeps.items():
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        per_rating = size.per_rating(threads)
        ratio = f"{per_rating / smallest.per_rating(threads):.2f}"
        rows.append([*shape, threads, f"{median(seconds):.3f} s", spread, f"{per_rating:.2f}", ratio])
    return rows


def memory_row(size: Measured) -> list[object]:
    """Return the bytes of one size, and the seconds of the steps that a fit does once."""
    peaks = [f"{number / GIGABYTE:.2f} GB" for number in (size.peak_of_sweeps, size.peak_of_fit, size.num_bytes)]
    ratio = f"{size.peak_of_fit / size.num_bytes:.1f}"
    return [f"{size.num_ratings:,}", f"{size.grouping:.2f} s", f"{size.finishing:.2f} s", *peaks, ratio]


def extrapolated(smallest: Measured, largest: Measured) -> str:
    """Return time and memory for ten times the largest size, extrapolated, as text."""
    threads = max(largest.sweeps)
    seconds = largest.per_rating(threads) * EXTRAPOLATED_RATINGS / 1e6
    parts = []
    for name in ("peak_of_sweeps", "peak_of_fit"):
        floor = getattr(smallest, name)
        per_rating = (getattr(largest, name) - floor) / (largest.num_ratings - smallest.num_ratings)
        need, most = (floor + per_rating * EXTRAPOLATED_RATINGS) / GIGABYTE, (MEMORY - floor) / per_rating / 1e6
        parts.append(f"{name.replace('_', ' ')} {need:,.0f} GB (24 GiB suffice for {most:.0f} million ratings)")
    of_sweep = f"{EXTRAPOLATED_RATINGS:,} ratings, extrapolated: a sweep {seconds:,.0f} s on {threads} threads"
    return f"{of_sweep}; {'; '.join(parts)}."


def measure(num_ratings: int) -> Measured:
    """Measure sweeps over this number of ratings, in turns on all threads and on one, and the last step of the fit."""
    data, config = random_ratings(num_ratings), FactorizationOptions()
    threads = torch.get_num_threads()
    sweeps: dict[int, list[float]] = {threads: [], 1: []}
    running = als.sweeps(data, config)
    first, sweep = timed(lambda: next(running))
    for _ in range(max(3, min(30, RATINGS_OF_SWEEPS // num_ratings))):
        for number, seconds in sweeps.items():
            torch.set_num_threads(number)
            seconds.append(timed(lambda: next(running))[0])
    torch.set_num_threads(threads)
    peak_of_sweeps = peak()
    finishing, _ = timed(lambda: networks.factors_of(sweep.model))
    factors = sum(values.nbytes for values in sweep.model.state_dict().values())
    return Measured(
        num_ratings=num_ratings,
        num_users=len(data.users),
        num_items=len(data.items),
        longest_row=int(max(np.bincount(data.user_num).max(), np.bincount(data.item_num).max())),
        sweeps=sweeps,
        grouping=first - median(sweeps[threads]),
        finishing=finishing,
        peak_of_sweeps=peak_of_sweeps,
        peak_of_fit=peak(),
        num_bytes=factors + sum(column.nbytes for column in (data.user_num, data.item_num, data.ratings, data.time)),
    )


def measure_length(length: int) -> dict[int, float]:
    """Return the microseconds per rating for rows of this length, by number of threads."""
    config, random = FactorizationOptions(), np.random.default_rng(0)
    num_rows = RATINGS_OF_LENGTH // length
    user_num = np.repeat(np.arange(num_rows), length)
    item_num = random.integers(0, OTHERS, len(user_num))
    rating = random.standard_normal(len(user_num), dtype=np.float32)
    items = als.Side(0.1 * torch.randn(OTHERS, config.embedding_dim), torch.zeros(OTHERS))
    users = als.Side(torch.zeros(num_rows, config.embedding_dim), torch.zeros(num_rows))
    batched = als.batches(user_num, item_num, rating, slice(0, num_rows), config.embedding_dim)
    result = {}
    for threads in (torch.get_num_threads(), 1):
        torch.set_num_threads(threads)
        regs = (config.regularization, config.bias_regularizations[0])
        seconds = [timed(lambda: als.half_step(users, items, batched, *regs))[0] for _ in range(6)]  # noqa: B023
        result[threads] = median(seconds[1:]) / len(user_num) * 1e6
    return result


def solution_space(length: int) -> str:
    """Return the space in which rows of this length are solved, with its size."""
    dim = FactorizationOptions().embedding_dim
    return "closed form" if length == 1 else f"rating space, {length}" if length <= dim else f"factor space, {dim + 1}"


def random_ratings(num_ratings: int) -> Interactions:
    """Return ratings in random order; the numbers per user and per item have the same distribution at every size."""
    random = np.random.default_rng(0)
    num_users, num_items = num_ratings // RATINGS_PER_USER, num_ratings // RATINGS_PER_ITEM
    user_num = long_tailed(num_ratings, num_users, MIN_OF_USER, USER_SIGMA, random)
    item_num = long_tailed(num_ratings, num_items, MIN_OF_ITEM, ITEM_SIGMA, random)
    rating = random.integers(1, 6, num_ratings).astype(np.float32)
    return Interactions(unnamed(num_users), unnamed(num_items), user_num, item_num, rating, np.arange(num_ratings))


def long_tailed(
    num_ratings: int, num_rows: int, least: int, sigma: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the row of each rating, in random order.

    Every row has `least` ratings. The others are drawn with weights at the quantiles of a lognormal.
    """
    weight = random.permutation(np.exp(sigma * ndtri((np.arange(num_rows) + 0.5) / num_rows)))
    rest = random.choice(num_rows, num_ratings - least * num_rows, p=weight / weight.sum())
    return random.permutation(np.concatenate([np.repeat(np.arange(num_rows), least), rest]))


def unnamed(num_rows: int) -> Vocabulary:
    """Return a vocabulary of this length without names; a fit uses only its length."""
    return Vocabulary(StringTable(np.zeros(0, np.uint8), np.zeros(num_rows + 1, np.int64)))


def timed(run: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds of a call, and its result."""
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def peak() -> int:
    """Return the peak memory of this process in bytes (ru_maxrss is in KiB on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
