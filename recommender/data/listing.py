"""Recognize, by name, files without data and files of a table format."""

import re
from collections.abc import Sequence

from recommender.common.files import UNFINISHED
from recommender.common.messages import printable
from recommender.common.output import say

# Table format -> files of its log. The log decides which files of the table count.
TABLE_LOGS = {
    "Delta Lake": re.compile(r"(.*/)?_delta_log/.*"),
    "Apache Hudi": re.compile(r"(.*/)?\.hoodie(/.*|_partition_metadata.*)"),
    "Apache Iceberg": re.compile(r"(.*/)?metadata/([^/]+\.metadata\.json(\.gz)?|version-hint\.text)"),
    "Apache Paimon": re.compile(r"(.*/)?snapshot/(snapshot-\d+|LATEST)"),
}
LOG_FOLDERS = ("_delta_log", ".hoodie", "metadata", "snapshot")

# Other tools leave these next to data: markers of folders, checksums, descriptions and lists of files.
SIDE_FILE = re.compile(
    r".+_\$folder\$|.+\.(crc|md5|sha1|sha256|sha512)|.+\.(csv|txt)\.metadata|(.*[^a-z0-9])?manifest(\.json)?"
    r"|thumbs\.db|desktop\.ini",
    re.IGNORECASE,
)
MAX_NAMED = 5


def is_hidden(name: str) -> bool:
    """Return whether a name is that of a marker of Spark, of an S3 tool or of an operating system."""
    return name.startswith((".", "_"))


def is_side_file(name: str) -> bool:
    """Return whether a name is that of a file that describes other files and has no data."""
    return SIDE_FILE.fullmatch(name) is not None


def table_format(path: str) -> str | None:
    """Return the table format with such a path in its log; None for other files and folders.

    Args:
        path: names separated by "/"; the path of a folder ends in "/".
    """
    return next((name for name, log in TABLE_LOGS.items() if log.fullmatch(path)), None)


def table_message(location: str, table: str) -> str:
    """Return the error message for a table with a log that decides which files count."""
    return (
        f"{printable(location)}: expected plain data files, got a table of {table}, and only its log says which files "
        "count: export the current snapshot as plain Parquet or CSV into a separate folder"
    )


def unfinished_message(location: str) -> str:
    """Return the error message for the files of an unfinished run."""
    return (
        f"{printable(location)}: expected the files of a finished run, got the file {UNFINISHED} of a run that "
        "still writes or was stopped: wait for it, or run it again"
    )


def say_skipped(location: str, names: Sequence[str]) -> None:
    """Print how many files without data are skipped, with the names of the first ones."""
    if names:
        first = first_names(names)
        say(f"{printable(location)}: {len(names):,} markers, checksums or lists of files are skipped: {first}")


def first_names(names: Sequence[str]) -> str:
    """Return the first names of files, for a message."""
    return ", ".join(map(printable, names[:MAX_NAMED])) + (" and others" if len(names) > MAX_NAMED else "")
