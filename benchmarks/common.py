"""Write the paper's data as channels, and the report of a benchmark."""

from pathlib import Path

import pandas as pd

from recommender.common.files import write_text
from recommender.data.channels import read_events
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from study.common import PAPER_FILES, RESULTS, ROOT, machine, real_data, table

__all__ = ["PAPER_FILES", "RESULTS", "ROOT", "machine", "real_data", "table"]


def paper_channels(folder: Path) -> None:
    """Make the channels train, test and items in a folder, as links to the paper's files."""
    for channel, file in PAPER_FILES.items():
        (folder / channel).mkdir(parents=True)
        (folder / channel / file).symlink_to(real_data() / "paper-split" / file)


def paper_split(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the channels in an empty folder; return the paper's train and test ratings, read from them."""
    paper_channels(folder)
    with open_channel(folder / "train") as train, open_channel(folder / "test") as test:
        return read_events(train, EventOptions()), read_events(test, EventOptions())


def report(name: str, *parts: str) -> None:
    """Print the parts and write them to results/`name`.md, after the command and the machine."""
    text = "\n\n".join([f"`python -m benchmarks.{name}` on {machine()}", *parts]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    write_text(RESULTS / f"{name}.md", text)
    print(text)
