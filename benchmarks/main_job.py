"""The main job on the paper's split as it is: train.py with its defaults, and what it measured at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import ROOT, paper_channels, report, table
from recommender.sagemaker.environment import BASE_DIR, Container


def main() -> None:
    """Run train.py and report its metrics.json."""
    with TemporaryDirectory() as tmp:
        container = Container(Path(tmp))
        paper_channels(container.base_dir / "input" / "data")
        subprocess.run([sys.executable, ROOT / "train.py"], env=os.environ | {BASE_DIR: tmp}, check=True)
        metrics = json.loads(container.metrics_file.read_text())
    low, high = metrics["test_rmse_interval"]
    rows = [["RMSE", f"{metrics['test_rmse']:.4f} ({low:.3f} to {high:.3f})", ""]]
    for k in (5, 10, 100):
        ours, popular = metrics[f"test_hit_rate_at_{k}"], metrics[f"popularity_hit_rate_at_{k}"]
        stage = "recall" if k == 100 else "final order"
        rows.append([f"hit rate at {k}, {stage}", f"{ours:.4f}", f"{popular:.4f}"])
    low, high = metrics["test_hit_rate_at_10_interval"]
    rows[2][1] += f" ({low:.4f} to {high:.4f})"
    rows.append(["NDCG at 10, final order", f"{metrics['test_ndcg_at_10']:.4f}", ""])
    stages = ("read", "choose", "fit", "save", "load", "evaluate")
    times = ", ".join(f"{stage.replace('_', ' ')} {metrics[f'seconds_{stage}']:.2f} s" for stage in stages)
    report(
        "main_job",
        f"{metrics['num_ratings']:,} train and {metrics['num_test_ratings']:,} test ratings of the paper, 782 titles, "
        "seed 0; all test rows, the full catalogue; 95 % intervals",
        table(["", "ours", "popular items"], rows),
        f"Times: {times}. Model folder: {metrics['model_bytes'] / 1e6:.0f} MB.",
    )


if __name__ == "__main__":
    main()
