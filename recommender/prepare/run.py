"""Turn raw files into channels, rejects and a summary."""

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
from recommender.prepare.steps import ITEMS, channel_query, steps
from recommender.prepare.summary import (
    Counts,
    Summary,
    are_too_many,
    count_lines,
    count_reviews,
    summarize,
    too_many_message,
)

REJECTS, SUMMARY, PAGE = "rejects.csv", "summary.json", "summary.html"


def run(
    reviews: Sequence[str], metadata: Sequence[str], config: PrepareConfig, engine: Engine, output: Output
) -> Summary:
    """Read the raw files, run the steps, and write the channels, the rejects and the summary.

    Args:
        reviews: locations of raw reviews: files, folders, patterns or s3:// URIs.
        metadata: locations of raw metadata.
        config: the options of the steps.
        engine: the engine that runs the steps.
        output: the destination of train, test and items, of validation (with `leave-one-out-validation`), and of
            rejects.csv, summary.json and summary.html. A channel without rows is not written.

    Raises:
        RecommenderError: a file can't be read, too many lines are bad, no reviews are left, or the engine failed.
        OSError: a result can't be written.
    """
    check_given_once(reviews, metadata)
    engine.load("review_lines", reviews, records.reviews(config.item_key))
    engine.load("metadata_lines", metadata, records.metadata())
    lines = {
        "reviews": count_lines(engine, "review_lines", reviews),
        "metadata": count_lines(engine, "metadata_lines", metadata),
    }
    failed = are_too_many(lines, config.max_rejects)
    write_rejects(engine, output.staging / (FAILED if failed else REJECTS))
    if failed:  # the results of an earlier run stay
        output.publish([FAILED])
        raise DataError(too_many_message(lines, config.max_rejects, f"{output.name.rstrip('/')}/{FAILED}"))
    counts = run_steps(config, engine)
    summary = summarize(engine, config, lines, counts)
    say_summary(summary)
    output.begin()
    written = write_channels(summary, engine, output.tables)
    (output.staging / SUMMARY).write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")
    (output.staging / PAGE).write_text(page(summary), encoding="utf-8")
    output.publish([*written, REJECTS, PAGE, SUMMARY])
    return summary


def check_given_once(*places: Sequence[str]) -> None:
    """Check that no file is given twice, because its rows would count twice.

    Raises:
        DataError: a file is given twice; or see `names_in_channel`.
    """
    names = [name for place in chain(*places) for name in names_in_channel(place, {Format.JSON_LINES})]
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise DataError(f"{twice[0]}: expected once in --reviews and --metadata together, got it more than once")


def run_steps(config: PrepareConfig, engine: Engine) -> list[Counts]:
    """Run all steps.

    Returns:
        The number of reviews after each step that the paper counts.

    Raises:
        DataError: a step leaves no reviews.
    """
    counts: list[Counts] = []
    for step in steps(config):
        engine.make(step)
        if step.counted:
            counts.append(count_reviews(engine, step.table, step.counted))
            say(f"{counts[-1].reviews:>13,} reviews {step.counted}")
            if not counts[-1].reviews:
                raise DataError(no_reviews_message(config, counts))
    return counts


def no_reviews_message(config: PrepareConfig, counts: Sequence[Counts]) -> str:
    """Return the error message for a step that leaves no reviews."""
    until = f", or set a later --split_time than {config.split_time:%Y-%m-%d}" if config.split_time else ""
    advice = {
        "read": "give --reviews files that have reviews",
        "of items in the metadata": "check that --metadata is of the same category, because --item_key "
        f"{config.item_key} of a review must be the parent_asin of an item",
    }.get(counts[-1].name, f"lower --min_items {config.min_items}" + until)
    before = f" ({counts[-2].reviews:,} before it)" if len(counts) > 1 else ""
    return f"no reviews are left after the step {counts[-1].name!r}{before}: {advice}"


def write_rejects(engine: Engine, path: Path) -> None:
    """Write the file, line and problem of every bad line as CSV."""
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
        engine.write(channel_query(part), f"{folder}/{part}")
    engine.write(ITEMS, f"{folder}/items")
    return [*parts, "items"]


def say_summary(summary: Summary) -> None:
    """Print the problems of bad lines and the paper's table 3."""
    for kind, read in summary.lines.items():
        for problem, number in read.rejected.items():
            say(f"{number:>13,} bad lines of {kind} left out: {problem}")
    say(f"{'':10} {'users':>10} {'items':>10} {'reviews':>12} {'items a user':>13} {'density':>9}")
    for row in summary.datasets:
        of_user = f"{row.min_items:,} to {row.max_items:,}"
        say(f"{row.name:10} {row.users:10,} {row.items:10,} {row.reviews:12,} {of_user:>13} {row.density:9.4%}")
    if not any(row.name == "test" for row in summary.datasets):
        say("no review is held out for test, so the channel test is not written")
    if summary.cold:
        say(f"{summary.cold:,} later reviews are in no channel, because their item is not in train")
