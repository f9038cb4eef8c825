"""Users per second of one core on the paper's split: batch scoring, compared with one request after the other."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import ROOT, report, table
from benchmarks.load import measure, require_wrk
from benchmarks.serve import ON_CORE_0, ONE_WORKER, SECONDS, train, write_users
from recommender.common.output import say
from recommender.service.process import running_server

RUNS = 3


def main() -> None:
    """Train, measure single requests, score all users, and report."""
    require_wrk()
    with TemporaryDirectory() as tmp:
        users = train(Path(tmp))
        users_file = write_users(Path(tmp), users)
        say("one request after the other ...")
        with running_server(Path(tmp), ONE_WORKER, ON_CORE_0) as server:
            rate = measure(server, users_file, 1, SECONDS, core=1).rate
        seconds = sorted(score_all(Path(tmp)) for _ in range(RUNS))
    best, median, worst = seconds[0], seconds[len(seconds) // 2], seconds[-1]
    rows = [
        ["serve.py, one request after the other", f"{rate:.0f}", "1.0"],
        [
            "recommender score, start and file included",
            f"{len(users) / median:.0f} ({len(users) / worst:.0f} to {len(users) / best:.0f})",
            f"{len(users) / median / rate:.1f}",
        ],
    ]
    report(
        "score",
        f"One core, {len(users):,} users, 52,619 items with titles. Batch scoring: median and range of {RUNS} runs.",
        table(["", "users/s", "relative to serve.py"], rows),
    )


def score_all(base_dir: Path) -> float:
    """Score all users with the command; return the seconds."""
    command = [*ON_CORE_0, sys.executable, "-m", "recommender", "score", "--workers", "1"]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--model", str(base_dir / "model"), "--output", str(base_dir / "scores.parquet")],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
