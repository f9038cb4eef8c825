"""Requests per second of one core: today's pipelines, an older commit with one source, and the paper's handler.

All serve the paper's split, with a real title for every item. Each server has one worker pinned to core 0 and one
BLAS thread; wrk and the pings run on core 1. Users are drawn uniformly, and no response is cached. The older commit is
checked out from the repository's history, and its own code trains and serves.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import numpy as np
import pandas as pd

from benchmarks.common import ROOT, paper_split, real_data, report, table
from benchmarks.load import Load, measure, require_wrk
from recommender.common.output import say
from recommender.common.progress import progress
from recommender.sagemaker.environment import BASE_DIR
from recommender.sagemaker.server_environment import BIND_TO_PORT, MODEL_SERVER_WORKERS
from recommender.service.process import Server, running_server

CONCURRENCY = (1, 8, 64)
SECONDS = 10
ONE_SOURCE = "322eda5269927b441f1870ef0cd2498494a8023c"  # the last commit with bias MF as the only source
DEFAULT, POOLED, PAPER, OLDER = "default", "factorizations score the pool only", "pipeline paper", "with one source"
VARIANTS = {
    DEFAULT: {},
    POOLED: {
        "candidate_sources": "neighbours,session_neighbours,popularity",
        "scored_sources": "factorization,implicit_mf",
    },
    PAPER: {"pipeline": "paper"},
}
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ONE_WORKER = {MODEL_SERVER_WORKERS: "1"}
HANDLER = f"""
exec {sys.executable} -m gunicorn --bind 127.0.0.1:${BIND_TO_PORT} --timeout 120 'benchmarks.paper_handler:app()'
"""
ON_CORE_0 = ("taskset", "-c", "0")


def main() -> None:
    """Train and load all servers in turn, compare responses with the paper's handler, and report."""
    require_wrk()
    loads: dict[tuple[str, int], Load] = {}
    with TemporaryDirectory() as tmp, older_checkout(Path(tmp)) as older:
        users = write_channels(Path(tmp) / "channels")
        users_file = write_users(Path(tmp), users)
        for name, hyperparameters in progress(VARIANTS.items(), "serve.py"):
            base_dir = train_variant(Path(tmp), ROOT, hyperparameters)
            with running_server(base_dir, ONE_WORKER, ON_CORE_0) as server:
                loads |= {(name, count): measure(server, users_file, count, SECONDS, core=1) for count in CONCURRENCY}
                responses = recommended_items(server, users[::50])
        with running_server(base_dir, ONE_THREAD, ON_CORE_0, ("sh", "-c", HANDLER)) as handler:
            others = recommended_items(handler, users[::50])
            same = sum(one == other for one, other in zip(responses, others, strict=True))
            say("the paper's handler ...")
            loads["the paper's handler", 1] = measure(handler, users_file, 1, 2 * SECONDS, core=1)
        base_dir = train_variant(Path(tmp), older, {})
        own = {**ONE_WORKER, "PYTHONPATH": str(older)}
        with running_server(base_dir, own, ON_CORE_0, (sys.executable, "-P", "-m", "recommender", "serve")) as server:
            loads |= {(OLDER, count): measure(server, users_file, count, SECONDS, core=1) for count in CONCURRENCY}
    base = loads[OLDER, 1]
    ratios = {name: loads[name, 1].p50 / base.p50 for name in VARIANTS}
    report(
        "serve",
        f"One core, 9,566 users, 52,619 items with titles, {SECONDS} s each. Times in ms.",
        table(
            ["", "connections", "requests/s", "p50", "p99", "p50 relative to one source", "/ping p50", "/ping p99"],
            [row(name, count, load, base) for (name, count), load in loads.items()],
        ),
        f"With one connection, a response takes {ratios[DEFAULT]:.2f} times as long as with one source (commit "
        f"{ONE_SOURCE[:7]}), and {ratios[POOLED]:.2f} times if the factorizations only score candidates of the other "
        f"sources ({settings(POOLED)}). For {same} of {len(responses)} users, the pipeline paper and the paper's "
        "handler recommend the same five items.",
    )


@contextmanager
def older_checkout(folder: Path) -> Iterator[Path]:
    """Check out the commit with one source; remove the checkout at the end."""
    checkout = folder / "older"
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", checkout, ONE_SOURCE], check=True)
    try:
        yield checkout
    finally:
        subprocess.run([*git, "remove", "--force", checkout], check=True)


def settings(variant: str) -> str:
    """Return the hyper-parameters of a variant as command-line options."""
    return " ".join(f"`--{name} {value}`" for name, value in VARIANTS[variant].items())


def write_channels(folder: Path) -> list[str]:
    """Write the paper's split with a real title for every item; return the users."""
    (folder.parent / "split").mkdir(parents=True)
    ratings, _ = paper_split(folder.parent / "split")
    for channel in ("train", "items"):
        (folder / channel).mkdir(parents=True)
    ratings.to_csv(folder / "train" / "train.csv", index=False)
    titles = pd.read_csv(real_data() / "amazon-raw" / "fashion_titles.csv.gz", keep_default_na=False)["title"]
    items = np.sort(ratings["item_id"].unique())
    some = itertools.islice(itertools.cycle(titles[titles != ""]), len(items))
    pd.DataFrame({"item_id": items, "title": list(some)}).to_csv(folder / "items" / "items.csv", index=False)
    return sorted(ratings["user_id"].unique())


def train(base_dir: Path) -> list[str]:
    """Train the default pipeline on the paper's split with a real title for every item; return the users."""
    users = write_channels(base_dir / "input" / "data")
    run_train(base_dir, ROOT, {})
    return users


def train_variant(folder: Path, code: Path, hyperparameters: Mapping[str, str]) -> Path:
    """Train on the folder's channels with the code of a checkout; return the job's base directory."""
    base_dir = Path(mkdtemp(dir=folder))
    (base_dir / "input").mkdir()
    (base_dir / "input" / "data").symlink_to(folder / "channels")
    run_train(base_dir, code, hyperparameters)
    return base_dir


def run_train(base_dir: Path, code: Path, hyperparameters: Mapping[str, str]) -> None:
    """Run train.py of a checkout."""
    options = [f"--{name}={value}" for name, value in hyperparameters.items()]
    environment = {**os.environ, BASE_DIR: str(base_dir), "PYTHONPATH": str(code)}
    subprocess.run([sys.executable, code / "train.py", *options], env=environment, check=True)


def write_users(folder: Path, users: list[str]) -> Path:
    """Write the file of users from which wrk draws; return its path."""
    file = folder / "users.txt"
    file.write_text("\n".join(users) + "\n")
    return file


def recommended_items(server: Server, users: list[str]) -> list[list[str]]:
    """Return the recommended items of each user, one request after the other."""
    return [server.invoke({"user_id": user})[1]["recommended_items"] for user in users]


def row(name: str, connections: int, load: Load, base: Load) -> list[object]:
    """Return a row of the table."""
    times = [f"{value:.1f}" for value in (load.p50, load.p99)]
    pings = [f"{value:.1f}" for value in (load.ping_p50, load.ping_p99)]
    ratio = f"{load.p50 / base.p50:.2f}" if connections == 1 else ""
    return [name, connections, f"{load.rate:.{0 if load.rate > 100 else 1}f}", *times, ratio, *pings]


if __name__ == "__main__":
    main()
