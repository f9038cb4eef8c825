"""The paper's study again: table 5, and the hit rates of whole pipelines.

`make study` needs paper-split/ and uci-online-retail/ in the folder named by RECOMMENDER_DATA (default ../shared/data)
and takes 3.2 hours of one core, under 2 on two; `make study-sample` needs no data and takes minutes. Both install what
study/requirements.txt names. What is fitted is kept in build/study: the same command goes on where it was stopped, and
repeats nothing.
"""

import sys
from importlib.util import find_spec

import click

from recommender.cli.options import run as run_command
from recommender.common.progress import say
from recommender.errors import EngineError
from study import user_day
from study.cache import Cache
from study.common import RESULTS, ROOT
from study.data import DATA
from study.hits import run as hits
from study.table5 import run as table5

# Data sets (the first one for table 5 as well), where results go, and the command that makes them.
REAL = (("paper", "retail"), RESULTS, "make study")
SAMPLE = (("sample",), ROOT / "build" / "study-sample", "make study-sample")


def command() -> click.Command:
    """The command line."""
    sample = click.Option(
        ["--sample"], is_flag=True, help="Synthetic ratings and fewer cells, into build/study-sample."
    )
    return click.Command("study", callback=study, params=[sample], help=__doc__)


def study(sample: bool) -> None:
    """Run all parts."""
    if find_spec("surprise") is None:
        raise EngineError("table 5 needs scikit-surprise: pip install -r study/requirements.txt")
    cache = Cache(ROOT / "build" / "study")
    names, folder, words = SAMPLE if sample else REAL
    datasets = [DATA[name]() for name in names]  # what is missing is said before hours of work
    table5.run(names[0], cache, folder, words)
    user_day.run(names[0], folder, words)
    hits.run(datasets, cache, folder, words)
    say(f"the results are in {folder}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command(), arguments, "study", "stopped: the same command goes on from what is fitted")


if __name__ == "__main__":
    sys.exit(main())
