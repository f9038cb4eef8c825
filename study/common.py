"""Paths of real data and results, a description of the machine, and Markdown tables."""

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAPER_FILES = {"train": "train_set.csv.gz", "test": "test_set.csv.gz", "items": "product_partial.csv"}


def real_data(part: str = "paper-split") -> Path:
    """Return the folder named by RECOMMENDER_DATA (default ../shared/data); end the program if a part is missing."""
    folder = (ROOT / os.environ.get("RECOMMENDER_DATA", "../shared/data")).resolve()
    if not (folder / part).is_dir():
        sys.exit(f"RECOMMENDER_DATA: expected a folder {part} in {folder}, found none: name the folder of the data")
    return folder


def machine() -> str:
    """Return a line with the processor, the number of cores, the version of Python and the date."""
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    name = models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.date.today().isoformat()}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
