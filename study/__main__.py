"""Repeat the paper's study: table 5, and the hit rates of whole pipelines.

`make study` needs paper-split/, uci-online-retail/ and amazon-beauty-2014/ in the folder named by RECOMMENDER_DATA
(default ../shared/data). It takes hours. `make study-sample` needs no data and takes minutes. Both install the packages
of study/requirements.txt; `make study` also builds .venv-sasrec for study/requirements-sasrec.txt. build/study keeps
the result of every fit: after a stop, run the same command to resume. It repeats no finished fit.
"""

import sys
from importlib.util import find_spec

import click

from recommender.cli.options import run as run_command
from recommender.common.output import say
from recommender.errors import EngineError
from study import user_day
from study.cache import Cache
from study.common import RESULTS, ROOT
from study.data import DATA, REAL, SAMPLES
from study.hits import run as pipelines
from study.table5 import run as table5

# --sample -> the data sets (table 5 uses the first), the folder of the results, and the command to show in them.
PARTS = {
    False: (REAL, RESULTS, "make study"),
    True: (SAMPLES, ROOT / "build" / "study-sample", "make study-sample"),
}


def command() -> click.Command:
    """Return the command line."""
    sample = click.Option(
        ["--sample"], is_flag=True, help="Use synthetic ratings and fewer cells, and write to build/study-sample."
    )
    peers = click.Option(
        ["--peers", "name"],
        type=click.Choice(list(DATA)),
        help="Fit only the baselines and peers of this data set, keep them in build/study and print the tables.",
    )
    only_hits = click.Option(["--hits"], is_flag=True, help="Measure only whole pipelines, without table 5.")
    return click.Command("study", callback=study, params=[sample, peers, only_hits], help=__doc__)


def study(sample: bool, name: str | None, hits: bool) -> None:
    """Run all parts, only the hit rates, or the peers of one data set."""
    cache = Cache(ROOT / "build" / "study")
    if name is not None:
        print(pipelines.peers_of(DATA[name](), cache))
        return
    if not hits and find_spec("surprise") is None:
        raise EngineError("scikit-surprise is not installed, table 5 needs it: pip install -r study/requirements.txt")
    names, folder, shown_command = PARTS[sample]
    datasets = [DATA[name]() for name in names]  # missing data ends the program before hours of work
    if not hits:
        table5.run(names[0], cache, folder, shown_command)
        user_day.run(names[0], folder, shown_command)
    only_hits = f"python -m study{' --sample' if sample else ''} --hits"
    pipelines.run(datasets, cache, folder, only_hits if hits else shown_command)
    say(f"the results are in {folder}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    return run_command(command(), arguments, "study", "stopped: run the same command to resume")


if __name__ == "__main__":
    sys.exit(main())
