"""The paper's study again: table 5, and the hit rates of whole pipelines.

`make study` needs the paper's split, `make study-sample` no data at all. What is fitted is kept in build/study: the
same command goes on where it was stopped, and repeats nothing.
"""

import sys
from pathlib import Path

import click

from benchmarks.common import RESULTS
from recommender.options import run as run_command
from study import user_day
from study.cache import Cache
from study.table5 import run as table5

ROOT = Path(__file__).parents[1]


def command() -> click.Command:
    """The command line."""
    sample = click.Option(
        ["--sample"], is_flag=True, help="Synthetic ratings and fewer cells, into build/study-sample."
    )
    return click.Command("study", callback=study, params=[sample], help=__doc__)


def study(sample: bool) -> None:
    """Run all parts."""
    cache = Cache(ROOT / "build" / "study")
    folder = ROOT / "build" / "study-sample" if sample else RESULTS
    name, words = ("sample", "make study-sample") if sample else ("paper", "make study")
    table5.run(name, cache, folder, words)
    user_day.run(name, folder, words)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command(), arguments, "study", "stopped: the same command goes on from what is fitted")


if __name__ == "__main__":
    sys.exit(main())
