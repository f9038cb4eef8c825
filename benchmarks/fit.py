"""Time of one fit on the paper's train ratings, compared with Surprise's SVD of the same embedding size."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from surprise import SVD, Dataset, Reader
from threadpoolctl import threadpool_limits

from benchmarks.common import paper_split, report, table
from recommender.common.progress import progress
from recommender.data.interactions import Interactions
from recommender.models.fit import choose_iterations, fit
from recommender.models.options import FactorizationOptions

REPEATS = 11


def timed(contestants: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the seconds of each run; contestants take turns, so that other load on the machine affects all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in progress(range(REPEATS), "rounds"):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Run the peer and ours in turns, and report the medians."""
    with TemporaryDirectory() as tmp:
        ratings, _ = paper_split(Path(tmp))
    data, config = Interactions.from_frame(ratings), FactorizationOptions()
    reader = Reader(rating_scale=(config.rating_min, config.rating_max))
    trainset = Dataset.load_from_df(ratings[["user_id", "item_id", "rating"]], reader).build_full_trainset()
    num_sweeps = choose_iterations(data, config).num_iterations
    threads = torch.get_num_threads()

    def surprise_svd() -> None:
        SVD(n_factors=config.embedding_dim, random_state=0).fit(trainset)

    def ours_on_one_thread() -> None:
        torch.set_num_threads(1)
        with threadpool_limits(1):
            fit(data, config, num_sweeps)
        torch.set_num_threads(threads)

    contestants: dict[str, tuple[int, Callable[[], object]]] = {
        f"Surprise SVD(n_factors={config.embedding_dim}).fit, 20 epochs": (1, surprise_svd),
        f"ours, one fit ({num_sweeps} sweeps, chosen on validation)": (threads, lambda: fit(data, config, num_sweeps)),
        "ours, the same fit": (1, ours_on_one_thread),
        f"ours, one fit with all {config.max_sweeps} sweeps": (threads, lambda: fit(data, config, config.max_sweeps)),
        "ours, choice of the sweeps and fit": (
            threads,
            lambda: fit(data, config, choose_iterations(data, config).num_iterations),
        ),
    }
    seconds = timed({name: run for name, (_, run) in contestants.items()})
    peer = median(next(iter(seconds.values())))
    rows: list[list[object]] = []
    for name, times in seconds.items():
        spread = f"{min(times):.3f} to {max(times):.3f}"
        rows.append([name, contestants[name][0], f"{median(times):.3f} s", spread, f"{median(times) / peer:.2f}"])
    sizes = f"{len(data):,} ratings, {len(data.users):,} users, {len(data.items):,} items"
    text = f"{sizes}, embedding size {config.embedding_dim}, median of {REPEATS} rounds"
    report("fit", text, table(["", "threads", "median", "range", "relative to Surprise"], rows))


if __name__ == "__main__":
    main()
