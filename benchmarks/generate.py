"""Time to generate and write the gzipped raw files of a synthetic data set, at three sizes."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import ROOT, report, table

SIZES = [(1_600, 600, 10_000), (16_000, 6_000, 100_000), (160_000, 60_000, 1_000_000)]  # users, items, ratings


def main() -> None:
    """Run `recommender synthesize` at each size, and report."""
    rows = []
    for users, items, ratings in SIZES:
        with TemporaryDirectory() as tmp:
            sizes = ["--users", str(users), "--items", str(items), "--ratings", str(ratings)]
            began = time.perf_counter()
            command = [sys.executable, "-m", "recommender", "synthesize", "--output", tmp, *sizes]
            subprocess.run(command, cwd=ROOT, check=True)
            seconds = time.perf_counter() - began
            megabytes = sum(path.stat().st_size for path in Path(tmp).rglob("*") if path.is_file()) / 1e6
        rows.append([f"{users:,}", f"{items:,}", f"{ratings:,}", f"{megabytes:,.0f} MB", f"{seconds:.1f} s"])
    report("generate", table(["users", "items", "ratings", "written", "time"], rows))


if __name__ == "__main__":
    main()
