"""Requests a second of one core: serve.py as it is beside the paper's handler, on the paper's split.

Each server has one worker pinned to core 0 and one BLAS thread; wrk and the pings run on core 1. Users
are drawn uniformly, every item has a real title, every answer is computed.
"""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.common import ROOT, paper_split, real_data, report, table
from benchmarks.load import Load, measure, require_wrk
from recommender.common.progress import progress, say
from recommender.sagemaker.environment import BASE_DIR
from recommender.sagemaker.server_environment import BIND_TO_PORT, MODEL_SERVER_WORKERS
from recommender.service.process import Server, running_server

CONCURRENCY = (1, 2, 4, 8, 16, 32, 64)
SECONDS = 10
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ONE_WORKER = {MODEL_SERVER_WORKERS: "1"}
PAPER = f"""
exec {sys.executable} -m gunicorn --bind 127.0.0.1:${BIND_TO_PORT} --timeout 120 'benchmarks.paper_handler:app()'
"""
ON_CORE_0 = ("taskset", "-c", "0")


def main() -> None:
    """Train, serve both, compare the answers, load both."""
    require_wrk()
    with TemporaryDirectory() as tmp:
        users = train(Path(tmp))
        users_file = write_users(Path(tmp), users)
        with running_server(Path(tmp), ONE_WORKER, ON_CORE_0) as ours:
            loads = {c: measure(ours, users_file, c, SECONDS, core=1) for c in progress(CONCURRENCY, "serve.py")}
            answers = ask(ours, users[::50])
        with running_server(Path(tmp), ONE_THREAD, ON_CORE_0, ("sh", "-c", PAPER)) as paper:
            same = sum(one == other for one, other in zip(answers, ask(paper, users[::50]), strict=True))
            say("the paper's handler ...")
            peer = measure(paper, users_file, 1, 3 * SECONDS, core=1)
    best = max(load.rate for load in loads.values())
    report(
        "serve",
        f"One core, 9,566 users, 52,619 items with titles, {SECONDS} s each, times in ms.",
        table(
            ["", "connections", "requests/s", "of the paper's", "p50", "p99", "/ping p50", "/ping p99"],
            [row("serve.py", c, load, peer) for c, load in loads.items()] + [row("the paper's handler", 1, peer, peer)],
        ),
        f"At best {best / peer.rate:.0f} times the paper's requests per second; one request after the other "
        f"{loads[1].rate / peer.rate:.0f} times. {same} of {len(answers)} users get the same five items from both.",
    )


def train(base_dir: Path) -> list[str]:
    """Train on the paper's split with a real title for every item; returns the users."""
    (base_dir / "split").mkdir()
    ratings, _ = paper_split(base_dir / "split")
    channels = base_dir / "input" / "data"
    for channel in ("train", "items"):
        (channels / channel).mkdir(parents=True)
    ratings.to_csv(channels / "train" / "train.csv", index=False)
    titles = pd.read_csv(real_data() / "amazon-raw" / "fashion_titles.csv.gz", keep_default_na=False)["title"]
    items = np.sort(ratings["item_id"].unique())
    some = itertools.islice(itertools.cycle(titles[titles != ""]), len(items))
    pd.DataFrame({"item_id": items, "title": list(some)}).to_csv(channels / "items" / "items.csv", index=False)
    subprocess.run([sys.executable, ROOT / "train.py"], env=os.environ | {BASE_DIR: str(base_dir)}, check=True)
    return sorted(ratings["user_id"].unique())


def write_users(folder: Path, users: list[str]) -> Path:
    """The file of users that the load generator draws from."""
    file = folder / "users.txt"
    file.write_text("\n".join(users) + "\n")
    return file


def ask(server: Server, users: list[str]) -> list[list[str]]:
    """The recommended items of each user."""
    return [server.invoke({"user_id": user})[1]["recommended_items"] for user in users]


def row(name: str, connections: int, load: Load, peer: Load) -> list[object]:
    """A line of the table."""
    times = [f"{value:.1f}" for value in (load.p50, load.p99, load.ping_p50, load.ping_p99)]
    return [name, connections, f"{load.rate:.{0 if load.rate > 100 else 1}f}", f"{load.rate / peer.rate:.0f} x", *times]


if __name__ == "__main__":
    main()
