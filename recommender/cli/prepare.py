r"""Make the channels of a training job out of raw Amazon reviews, as the paper does.

\b
    recommender prepare --reviews raw/Amazon_Fashion.jsonl.gz \
        --metadata raw/meta_Amazon_Fashion.jsonl.gz --output my-job/input/data

See README.md for the steps, the options and what is written.
"""

import re
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from recommender.cli.options import options_of, run
from recommender.errors import ConfigError
from recommender.prepare.config import PREPARE_MEMORY, PrepareConfig
from recommender.prepare.engine import Engine

PLACE = "file, folder, pattern or s3:// URI"
MEMORY = re.compile(r"[1-9]\d*(MB|GB)")


def main(arguments: list[str] | None = None, program: str = "recommender prepare") -> int:
    """Prepare; returns the exit code: 0, 1 failed, 130 or 143 where Ctrl-C or SIGTERM stopped it."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt  # ends as Ctrl-C does, so that what was made aside is removed

    before = signal.signal(signal.SIGTERM, stop)
    try:
        code = run(command(), arguments, program)
        return 128 + received[0] if received else code
    finally:
        signal.signal(signal.SIGTERM, before)


def command() -> click.Command:
    """The command line."""
    places: list[click.Parameter] = [
        click.Option(["--reviews"], multiple=True, required=True, metavar="PLACE", help=f"Raw reviews: {PLACE}."),
        click.Option(["--metadata"], multiple=True, required=True, metavar="PLACE", help=f"Raw metadata: {PLACE}."),
        click.Option(["--output"], required=True, metavar="PLACE", help="Folder or s3:// URI for the channels."),
        click.Option(
            ["--engine"],
            type=click.Choice(["duckdb", "spark"]),
            default="duckdb",
            show_default=True,
            help="duckdb is this machine; spark is the cluster that starts it, or this machine.",
        ),
        click.Option(
            ["--memory-limit"],
            default=PREPARE_MEMORY,
            show_default=True,
            help="duckdb: what its tables may take in memory; the rest is on disk.",
        ),
    ]
    return click.Command(
        "prepare",
        params=[*places, *options_of(PrepareConfig)],
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
    """Check what is given, then run."""
    given = {name: value for name, value in options.items() if value is not None}
    config = PrepareConfig.from_layers([("command line", given)])
    for option, places in (("reviews", reviews), ("metadata", metadata), ("output", (output,))):
        if "" in places:
            raise ConfigError(f"--{option}: expected a {PLACE}, got an empty text")
    if not MEMORY.fullmatch(memory_limit):
        raise ConfigError(f"--memory-limit: expected a size such as {PREPARE_MEMORY} or 500MB, got {memory_limit!r}")
    from recommender.prepare import run as preparation
    from recommender.prepare.output import opened

    start = engine_starter(engine, memory_limit)
    with opened(output, engine_writes_s3=engine == "spark") as place, start(place.staging) as started:
        preparation.run(reviews, metadata, config, started, place)
        print(f"the channels are in {output}; what is to be seen of them in {output.rstrip('/')}/summary.html")


def engine_starter(name: str, memory_limit: str) -> "Callable[[Path], AbstractContextManager[Engine]]":
    """What starts an engine, with a folder for what it keeps on disk."""
    if name == "spark":
        from recommender.prepare.spark_engine import SparkEngine

        return lambda _: SparkEngine()
    from recommender.prepare.duckdb_engine import DuckDBEngine

    return lambda folder: DuckDBEngine(folder, memory_limit)
