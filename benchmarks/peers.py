"""Time and test RMSE of a whole fit, compared with other matrix factorizations of the same embedding size.

`cmfrec` minimises the same objective as ours, with the same penalties. The number of its sweeps is chosen on the same
validation ratings, with its fastest variant. `implicit` fits confidences, not ratings. It has no comparable RMSE, so
only the time of its iterations is compared.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from cmfrec import CMF
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from surprise import SVD, Dataset, Reader
from threadpoolctl import threadpool_limits

from benchmarks.common import paper_split, report, table
from recommender.common.progress import progress
from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.models import als
from recommender.models.fit import choose_iterations, fit
from recommender.models.options import FactorizationOptions

REPEATS = 3
ITERATIONS = 5
MAX_SWEEPS = 5  # largest number of cmfrec's sweeps to try on validation
Predictions = NDArray[np.floating]
Contestant = Callable[[int], tuple[float, Predictions]]  # seed -> seconds of the fit, predictions for the test rows
VARIANTS: dict[str, dict[str, bool]] = {
    "use_cg=True, finalize_chol=False": {"use_cg": True, "finalize_chol": False},
    "use_cg=True": {"use_cg": True},
    "use_cg=False": {"use_cg": False},
}


def main() -> None:
    """Fit all in turns on one thread and on all threads, and report."""
    with TemporaryDirectory() as tmp:
        train, test = paper_split(Path(tmp))
    data, config, all_threads = Interactions.from_frame(train), FactorizationOptions(), torch.get_num_threads()
    known = data.known(test)
    assert len(known) == len(test)  # every peer can predict every row
    sweeps, niter = choose_iterations(data, config).num_iterations, choose_cmfrec(data, config)
    fits: list[list[object]] = []
    iterations: list[list[object]] = []
    for threads in sorted({1, all_threads}):
        contestants: dict[str, Contestant] = {
            f"ours, {sweeps} sweeps": lambda seed: fit_ours(
                data, test, config.model_copy(update={"seed": seed}), sweeps
            )
        }
        if threads == 1:
            contestants["Surprise SVD(n_factors=150), 20 epochs"] = lambda seed: fit_surprise(train, test, seed)
        for name, variant in VARIANTS.items():
            contestants[f"cmfrec.CMF({name}), {niter} sweeps"] = cmfrec_of(data, known, config, niter, threads, variant)
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            fits += fit_rows(contestants, known.ratings, threads)
            iterations += iteration_rows(data, config, threads)
        torch.set_num_threads(all_threads)
    report(
        "peers",
        f"{len(train):,} train and {len(test):,} test ratings of the paper, embedding size {config.embedding_dim}, "
        f"{REPEATS} seeds in turns. Sweeps of ours and of cmfrec are chosen on validation; Surprise has its default.",
        table(["", "threads", "a fit, median", "range", "relative to ours", "test RMSE, mean", "range of seeds"], fits),
        f"One iteration over all users and items, {ITERATIONS} after the first. `implicit` fits confidences of all "
        "pairs, another objective, so no RMSE is comparable.",
        table(["", "threads", "an iteration, median", "range", "relative to ours"], iterations),
    )


def fit_rows(contestants: dict[str, Contestant], rating: NDArray[np.float32], threads: int) -> list[list[object]]:
    """Return a row of seconds and errors per contestant; the others are compared with the first."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for seed in progress(range(REPEATS), f"seeds, threads {threads}"):
        for name, run in contestants.items():
            seconds, predicted = run(seed)
            runs[name].append((seconds, float(np.sqrt(np.mean((predicted - rating) ** 2)))))
    rows: list[list[object]] = []
    base = median(seconds for seconds, _ in next(iter(runs.values())))
    for name, pairs in runs.items():
        times, errors = zip(*pairs, strict=True)
        spread = f"{min(times):.2f} to {max(times):.2f}"
        rmse = [f"{np.mean(errors):.4f}", f"{min(errors):.4f} to {max(errors):.4f}"]
        rows.append([name, threads, f"{median(times):.2f} s", spread, f"{median(times) / base:.2f}", *rmse])
    return rows


def fit_ours(
    data: Interactions, test: pd.DataFrame, config: FactorizationOptions, sweeps: int
) -> tuple[float, Predictions]:
    """Fit ours as a training job does; return the seconds and the predictions."""
    began = time.perf_counter()
    factors = fit(data, config, sweeps)
    seconds = time.perf_counter() - began
    return seconds, factors.predict(data.users.numbers(test["user_id"]), data.items.numbers(test["item_id"]))


def fit_surprise(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[float, Predictions]:
    """Fit Surprise's SVD with its defaults; return the seconds and the predictions."""
    columns = ["user_id", "item_id", "rating"]
    trainset = Dataset.load_from_df(train[columns], Reader(rating_scale=(1, 5))).build_full_trainset()
    began = time.perf_counter()
    algorithm = SVD(n_factors=150, random_state=seed).fit(trainset)
    seconds = time.perf_counter() - began
    return seconds, np.array([one.est for one in algorithm.test(test[columns].to_numpy().tolist())])


def cmfrec_of(
    data: Interactions,
    known: Interactions,
    config: FactorizationOptions,
    niter: int,
    threads: int,
    variant: dict[str, bool],
) -> Contestant:
    """Return cmfrec's `CMF` with the penalties of our configuration."""
    matrix = coo_matrix((data.ratings, (data.user_num, data.item_num)), shape=(len(data.users), len(data.items)))
    factors = [config.regularization] * 4  # of users, items, and side information, which is not used

    def run(seed: int) -> tuple[float, Predictions]:
        model = CMF(
            k=config.embedding_dim, lambda_=[*config.bias_regularizations, *factors], method="als", niter=niter,
            nthreads=threads, random_state=seed, precompute_for_predictions=False, verbose=False, **variant,
        )  # fmt: skip
        began = time.perf_counter()
        model.fit(matrix)
        return time.perf_counter() - began, model.predict(known.user_num, known.item_num)

    return run


def choose_cmfrec(data: Interactions, config: FactorizationOptions) -> int:
    """Return the number of cmfrec's sweeps with the smallest error on our validation ratings."""
    held_out = leave_one_out(data)
    rest, validation = data.where(~held_out), data.where(held_out)
    errors = []
    for niter in progress(range(1, MAX_SWEEPS + 1), "cmfrec's sweeps"):
        _, predicted = cmfrec_of(rest, validation, config, niter, 1, next(iter(VARIANTS.values())))(0)
        errors.append(float(np.mean((predicted - validation.ratings) ** 2)))
    return int(np.argmin(errors)) + 1


def iteration_rows(data: Interactions, config: FactorizationOptions, threads: int) -> list[list[object]]:
    """Return rows with the seconds of our sweeps and of implicit's iterations."""
    of_ours, of_implicit = [], []
    running = als.sweeps(data, config)
    next(running)
    for _ in range(ITERATIONS):
        began = time.perf_counter()
        next(running)
        of_ours.append(time.perf_counter() - began)
    matrix = csr_matrix((data.ratings, (data.user_num, data.item_num)), shape=(len(data.users), len(data.items)))
    peer = AlternatingLeastSquares(
        config.embedding_dim, config.regularization, iterations=1 + ITERATIONS, num_threads=threads, random_state=0
    )
    peer.fit(matrix, show_progress=False, callback=lambda _, seconds, __: of_implicit.append(seconds))
    named = {"ours, a sweep": of_ours, "implicit AlternatingLeastSquares(factors=150), use_cg=True": of_implicit[1:]}
    base = median(of_ours)
    return [
        [name, threads, f"{median(s):.3f} s", f"{min(s):.3f} to {max(s):.3f}", f"{median(s) / base:.2f}"]
        for name, s in named.items()
    ]


if __name__ == "__main__":
    main()
