"""The main job: train.py with its defaults on the paper's split, and the metrics that it measures at the end."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import ROOT, paper_channels, report, table
from recommender.sagemaker.environment import BASE_DIR, Container


def main() -> None:
    """Run train.py and report the metrics of its metrics.json."""
    with TemporaryDirectory() as tmp:
        container = Container(Path(tmp))
        paper_channels(container.base_dir / "input" / "data")
        began = time.perf_counter()
        subprocess.run([sys.executable, ROOT / "train.py"], env=os.environ | {BASE_DIR: tmp}, check=True)
        seconds = time.perf_counter() - began
        metrics = json.loads(container.metrics_file.read_text())
    low, high = metrics["test_rmse_interval"]
    rows = [["RMSE", f"{metrics['test_rmse']:.4f} ({low:.3f} to {high:.3f})", "", ""]]
    for metric in ("hit_rate_at_5", "hit_rate_at_10", "hit_rate_at_100", "ndcg_at_10"):
        name = metric.replace("_", " ")
        rows.append([name, *(f"{metrics[f'{order}_{metric}']:.4f}" for order in ("test", "paper", "popularity"))])
    low, high = metrics["test_hit_rate_at_10_interval"]
    rows[2][1] += f" ({low:.4f} to {high:.4f})"
    stages = [name.removeprefix("seconds_") for name in metrics if name.startswith("seconds_")]
    times = ", ".join(f"{stage.replace('_', ' ')} {metrics[f'seconds_{stage}']:.2f} s" for stage in stages)
    report(
        "main_job",
        f"{metrics['num_ratings']:,} train and {metrics['num_test_ratings']:,} test ratings of the paper, 782 titles, "
        "seed 0. All test rows, full catalogue, 95 % intervals.",
        table(["", "ours", "the paper's pipeline", "popular items"], rows),
        f"train.py in all, report included: {seconds:.0f} s. Times: {times}. "
        f"Model folder: {metrics['model_bytes'] / 1e6:.0f} MB.",
    )


if __name__ == "__main__":
    main()
