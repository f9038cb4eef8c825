"""Raw files -> channels, rejects and a summary."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from recommender.common.output import say
from recommender.data.sources import Format, names_in_channel
from recommender.errors import DataError
from recommender.prepare import records
from recommender.prepare.config import PrepareConfig
from recommender.prepare.engine import Engine
from recommender.prepare.output import FAILED, Output
from recommender.prepare.page import page
from recommender.prepare.steps import TITLES, channel, steps
from recommender.prepare.summary import Counts, Summary, are_too_many, counts_of, lines_of, summarize, too_many

REJECTS, SUMMARY, PAGE = "rejects.csv", "summary.json", "summary.html"


def run(
    reviews: Sequence[str], metadata: Sequence[str], config: PrepareConfig, engine: Engine, output: Output
) -> Summary:
    """Read the raw files, run the steps, write the channels, the rejects and the summary.

    Args:
        reviews: locations of raw reviews: files, folders, patterns or s3:// URIs.
        metadata: locations of raw metadata.
        config: the options of the steps.
        engine: runs the steps.
        output: gets train, test and items, with `leave-one-out-validation` validation, rejects.csv, summary.json and
            summary.html; a channel without rows is left out.

    Raises:
        RecommenderError: a file can't be read, too many lines are bad, no review is left, or the engine failed.
        OSError: a result can't be written.
    """
    check_given_once(reviews, metadata)
    engine.load("review_lines", reviews, records.reviews(config.item_key))
    engine.load("metadata_lines", metadata, records.metadata())
    lines = {
        "reviews": lines_of(engine, "review_lines", reviews),
        "metadata": lines_of(engine, "metadata_lines", metadata),
    }
    failed = are_too_many(lines, config.max_rejects)
    write_rejects(engine, output.staging / (FAILED if failed else REJECTS))
    if failed:  # the results of an earlier run stay
        output.publish([FAILED])
        raise DataError(too_many(lines, config.max_rejects, f"{output.name.rstrip('/')}/{FAILED}"))
    counts = carry_out(config, engine)
    summary = summarize(engine, config, lines, counts)
    say_summary(summary)
    output.begin()
    written = write_channels(summary, engine, output.tables)
    (output.staging / SUMMARY).write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")
    (output.staging / PAGE).write_text(page(summary), encoding="utf-8")
    output.publish([*written, REJECTS, PAGE, SUMMARY])
    return summary


def check_given_once(*places: Sequence[str]) -> None:
    """Check that no file is read twice: its rows would count twice.

    Raises:
        DataError: a file is given twice; or see `names_in_channel`.
    """
    names = [name for place in chain(*places) for name in names_in_channel(place, {Format.JSON_LINES})]
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise DataError(f"{twice[0]}: is given more than once, by --reviews and --metadata together")


def carry_out(config: PrepareConfig, engine: Engine) -> list[Counts]:
    """Create the table of every step.

    Returns:
        The reviews that are left after each step that the paper counts.

    Raises:
        DataError: a step leaves no reviews.
    """
    counts: list[Counts] = []
    for step in steps(config):
        engine.make(step)
        if step.counted:
            counts.append(counts_of(engine, step.table, step.counted))
            say(f"{counts[-1].reviews:>13,} reviews {step.counted}")
            if not counts[-1].reviews:
                raise DataError(nothing_left(config, counts))
    return counts


def nothing_left(config: PrepareConfig, counts: Sequence[Counts]) -> str:
    """Return the message for a step that leaves no reviews: what was found, and what to do."""
    until = f", or there is nothing before --split_time {config.split_time:%Y-%m-%d}" if config.split_time else ""
    advice = {
        "read": "Give --reviews files that hold some",
        "of items in the metadata": f"Is --metadata of the same category? Reviews are matched by --item_key "
        f"{config.item_key}, metadata by parent_asin",
    }.get(counts[-1].name, f"--min_items {config.min_items} may be too many" + until)
    before = f" {counts[-2].reviews:,} were left before that." if len(counts) > 1 else ""
    return f"of the reviews {counts[-1].name} none is left.{before} {advice}"


def write_rejects(engine: Engine, path: Path) -> None:
    """Write file, line and problem of every bad line."""
    bad = [f"SELECT file, line, problem FROM {table} WHERE problem IS NOT NULL" for table in
           ("review_lines", "metadata_lines")]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "line", "problem"])
        writer.writerows(engine.rows(f"SELECT * FROM ({' UNION ALL '.join(bad)}) AS bad ORDER BY file, line"))


def write_channels(summary: Summary, engine: Engine, folder: str) -> list[str]:
    """Write the channels that have rows; return their names."""
    parts = [dataset.name for dataset in summary.datasets if dataset.name != "ratings"]
    for part in parts:
        engine.write(channel(part), f"{folder}/{part}")
    engine.write(TITLES, f"{folder}/items")
    return [*parts, "items"]


def say_summary(summary: Summary) -> None:
    """Print the paper's table 3 and the problems of bad lines."""
    for kind, read in summary.lines.items():
        for problem, number in read.rejected.items():
            say(f"{number:>13,} bad lines of {kind} left out: {problem}")
    say(f"{'':10} {'users':>10} {'items':>10} {'reviews':>12} {'items a user':>13} {'density':>9}")
    for row in summary.datasets:
        of_user = f"{row.min_items:,} to {row.max_items:,}"
        say(f"{row.name:10} {row.users:10,} {row.items:10,} {row.reviews:12,} {of_user:>13} {row.density:9.4%}")
    if not any(row.name == "test" for row in summary.datasets):
        say("no review is held out for test: there is no channel test")
    if summary.cold:
        say(f"{summary.cold:,} later reviews belong to no channel: their item is not in train")
