"""The names of files that are no data, and those of a table format."""

import re
from collections.abc import Sequence

from recommender.common.files import UNFINISHED
from recommender.common.messages import printable
from recommender.common.output import say

# Table format -> the files of the log that decides which of the table's files count.
TABLE_LOGS = {
    "Delta Lake": re.compile(r"(.*/)?_delta_log/.*"),
    "Apache Hudi": re.compile(r"(.*/)?\.hoodie(/.*|_partition_metadata.*)"),
    "Apache Iceberg": re.compile(r"(.*/)?metadata/([^/]+\.metadata\.json(\.gz)?|version-hint\.text)"),
    "Apache Paimon": re.compile(r"(.*/)?snapshot/(snapshot-\d+|LATEST)"),
}
LOG_FOLDERS = ("_delta_log", ".hoodie", "metadata", "snapshot")

# What other tools leave next to data: markers of folders, checksums, descriptions and lists of files.
SIDE_FILE = re.compile(
    r".+_\$folder\$|.+\.(crc|md5|sha1|sha256|sha512)|.+\.(csv|txt)\.metadata|(.*[^a-z0-9])?manifest(\.json)?"
    r"|thumbs\.db|desktop\.ini",
    re.IGNORECASE,
)
MOST_NAMED = 5


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is a marker of Spark, of an S3 tool or of a system, by its name."""
    return name.startswith((".", "_"))


def is_side_file(name: str) -> bool:
    """Return whether a file describes others and holds no data, by its name."""
    return SIDE_FILE.fullmatch(name) is not None


def table_format(path: str) -> str | None:
    """Return the table format whose log has a file or folder of this path; None for other files.

    Args:
        path: its names separated by "/"; that of a folder ends in "/".
    """
    return next((name for name, log in TABLE_LOGS.items() if log.fullmatch(path)), None)


def refusal(location: str, table: str) -> str:
    """Return the message for a table whose log decides which of its files count."""
    return (
        f"{printable(location)}: expected files that all count, got a table of {table}, in which only its log says "
        "which ones do: export the current snapshot as plain Parquet or CSV into a folder of its own"
    )


def unfinished(location: str) -> str:
    """Return the message for files of a run that did not end."""
    return (
        f"{printable(location)}: expected the files of a run that has ended, got some of a run that still writes or "
        f"was stopped: run it again; the file {UNFINISHED} marks the folder"
    )


def say_left_out(location: str, names: Sequence[str]) -> None:
    """Print how many files that are no data are left out, with the names of the first ones."""
    if names:
        say(f"{printable(location)}: {len(names):,} markers, checksums or lists of files are skipped: {named(names)}")


def named(names: Sequence[str]) -> str:
    """Return the first names of files as a message may show them."""
    return ", ".join(map(printable, names[:MOST_NAMED])) + (" and others" if len(names) > MOST_NAMED else "")
