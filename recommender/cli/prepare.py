r"""Turn raw Amazon reviews into the channels of a training job, as the paper does.

\b
    recommender prepare --reviews raw/Amazon_Fashion.jsonl.gz \
        --metadata raw/meta_Amazon_Fashion.jsonl.gz --output my-job/input/data

docs/prepare.md describes the steps and the output.
"""

import re
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from recommender.cli.options import LOCATION, options_of, run
from recommender.common.output import say
from recommender.errors import ConfigError
from recommender.prepare.config import PREPARE_MEMORY, PrepareConfig
from recommender.prepare.engine import Engine

MEMORY = re.compile(r"[1-9]\d*(MB|GB)")


def main(arguments: list[str] | None = None, program: str = "recommender prepare") -> int:
    """Prepare; return the exit code: 0, 1 after a failure, 130 or 143 after Ctrl-C or SIGTERM."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt  # like Ctrl-C, so that staged files are removed

    before = signal.signal(signal.SIGTERM, stop)
    try:
        code = run(command(), arguments, program)
        return 128 + received[0] if received else code
    finally:
        signal.signal(signal.SIGTERM, before)


def command() -> click.Command:
    """Return the command."""
    locations: list[click.Parameter] = [
        click.Option(["--reviews"], multiple=True, required=True, metavar="LOCATION", help=f"Raw reviews: {LOCATION}."),
        click.Option(
            ["--metadata"], multiple=True, required=True, metavar="LOCATION", help=f"Raw metadata: {LOCATION}."
        ),
        click.Option(["--output"], required=True, metavar="LOCATION", help="Folder or s3:// URI for the channels."),
        click.Option(
            ["--engine"],
            type=click.Choice(["duckdb", "spark"]),
            default="duckdb",
            show_default=True,
            help="duckdb runs on this machine, spark on the cluster that starts the command, or on this machine.",
        ),
        click.Option(
            ["--memory-limit"],
            default=PREPARE_MEMORY,
            show_default=True,
            help="Memory for the tables of duckdb; larger data spill to disk.",
        ),
    ]
    return click.Command(
        "prepare",
        params=[*locations, *options_of(PrepareConfig)],
        callback=prepare,
        help=str(__doc__).replace(r"\b", "\b"),
    )


def prepare(
    reviews: tuple[str, ...],
    metadata: tuple[str, ...],
    output: str,
    engine: str,
    memory_limit: str,
    **options: str | None,
) -> None:
    """Check the options, then run."""
    given = {name: value for name, value in options.items() if value is not None}
    config = PrepareConfig.from_layers([("command line", given)])
    for option, locations in (("reviews", reviews), ("metadata", metadata), ("output", (output,))):
        if "" in locations:
            raise ConfigError(f"--{option}: expected a {LOCATION}, got an empty string")
    if not MEMORY.fullmatch(memory_limit):
        raise ConfigError(f"--memory-limit: expected a size such as {PREPARE_MEMORY} or 500MB, got {memory_limit!r}")
    from recommender.prepare import run as preparation
    from recommender.prepare.output import opened

    start = engine_starter(engine, memory_limit)
    with opened(output, engine_writes_s3=engine == "spark") as place, start(place.staging) as started:
        preparation.run(reviews, metadata, config, started, place)
        say(f"the channels are in {output}; see {output.rstrip('/')}/summary.html for a summary")


def engine_starter(name: str, memory_limit: str) -> "Callable[[Path], AbstractContextManager[Engine]]":
    """Return a function that starts an engine with a given folder for its temporary files."""
    if name == "spark":
        from recommender.prepare.spark_engine import SparkEngine

        return lambda _: SparkEngine()
    from recommender.prepare.duckdb_engine import DuckDBEngine

    return lambda folder: DuckDBEngine(folder, memory_limit)
