"""The paper's data, the machine's name and the report of a benchmark."""

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from recommender.data.channels import read_ratings
from recommender.data.sources import open_channel

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAPER_FILES = {"train": "train_set.csv.gz", "test": "test_set.csv.gz", "items": "product_partial.csv"}


def real_data() -> Path:
    """The folder named by RECOMMENDER_DATA (default ../shared/data); ends the program where it is missing."""
    folder = (ROOT / os.environ.get("RECOMMENDER_DATA", "../shared/data")).resolve()
    if not (folder / "paper-split").is_dir():
        sys.exit(f"RECOMMENDER_DATA: expected a folder with paper-split/train_set.csv.gz, there is none in {folder}")
    return folder


def paper_channels(folder: Path) -> None:
    """Make the channels train, test and items of the paper's files in a folder."""
    for channel, file in PAPER_FILES.items():
        (folder / channel).mkdir(parents=True)
        (folder / channel / file).symlink_to(real_data() / "paper-split" / file)


def paper_split(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test ratings of the paper, read as channels that are made in an empty folder."""
    paper_channels(folder)
    with open_channel(folder / "train") as train, open_channel(folder / "test") as test:
        return read_ratings(train, 1, 5), read_ratings(test, 1, 5)


def machine() -> str:
    """Processor, cores in use, Python and the date."""
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    name = models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.date.today().isoformat()}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def report(name: str, *parts: str) -> None:
    """Print the parts and keep them as results/`name`.md, with the command and the machine."""
    text = "\n\n".join([f"`python -m benchmarks.{name}` on {machine()}", *parts]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
