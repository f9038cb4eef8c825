r"""Hold out events for a test, and write the channels of a training job.

\b
    recommender split ratings.csv --items titles.csv --output my-job/input/data
    recommender split ratings.csv --output my-job/input/data --newest 0.1

By default the last event of each user goes to the channel test, unless its user or its item would then be unknown.
Training measures the model on the channel test and never learns from it.
"""

import click
import pandas as pd

from recommender.cli.options import LOCATION, options_of, run
from recommender.common.output import say
from recommender.data.channels import read_events, read_items
from recommender.data.interactions import Interactions
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.data.splits import split_at_time, split_leave_one_out, time_share
from recommender.errors import DataError
from recommender.prepare.output import Output, opened


def command() -> click.Command:
    """Return the command."""
    params: list[click.Parameter] = [
        click.Argument(["events"]),
        click.Option(["--items"], metavar="LOCATION", help=f"Titles for the channel items: {LOCATION}."),
        click.Option(["--output"], required=True, metavar="LOCATION", help="Folder or s3:// URI for the channels."),
        click.Option(
            ["--newest"],
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            metavar="SHARE",
            help="Hold out this share of all events, the newest ones, instead of the last event of each user.",
        ),
    ]
    help_text = str(__doc__).replace(r"\b", "\b")
    return click.Command("split", params=[*params, *options_of(EventOptions)], callback=split, help=help_text)


def split(events: str, items: str | None, output: str, newest: float | None, **options: str | None) -> None:
    """Read the events, split them, and write the channels.

    Raises:
        RecommenderError: a file can't be read or written, or no event can be held out.
    """
    given = {name: value for name, value in options.items() if value is not None}
    config = EventOptions.from_layers([("command line", given)])
    with open_channel(events) as files:
        data = Interactions.from_frame(read_events(files, config)).without_duplicates(config.duplicates)
    channels = held_out(data, newest, config.seed)
    if items is not None:
        with open_channel(items) as files:
            channels["items"] = read_items(files, config)
    with opened(output, engine_writes_s3=False) as destination:
        write(channels, destination)
    say(f"the channels are in {output}")


def held_out(data: Interactions, newest: float | None, seed: int) -> dict[str, pd.DataFrame]:
    """Return the channels train and test.

    Raises:
        DataError: no event can be held out.
    """
    parts = split_leave_one_out(data, seed=seed) if newest is None else split_at_time(data, time_share(data, newest))
    if not len(parts.test):
        raise DataError(
            "no event can be held out: expected users with at least two events, and items with events of several users"
        )
    return {"train": parts.train.to_frame(), "test": parts.test.to_frame()}


def write(channels: dict[str, pd.DataFrame], destination: Output) -> None:
    """Write each channel as one Parquet file; they appear together when all are complete."""
    for name, rows in channels.items():
        (destination.staging / name).mkdir()
        rows.to_parquet(destination.staging / name / "part-0.parquet", index=False)
        say(f"{name}: {len(rows):,} rows")
    destination.publish([*channels])


def main(arguments: list[str] | None = None, program: str = "recommender split") -> int:
    """Split; return the exit code."""
    return run(command(), arguments, program)
