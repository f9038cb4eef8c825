"""Where a channel's files are: a folder, one file, or objects of S3 -> files that can be read here."""

import gzip
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path

from recommender.data.s3 import SCHEME, Bucket
from recommender.data.text import printable
from recommender.errors import DataError
from recommender.progress import progress


class Format(StrEnum):
    """How a file holds its rows."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {
    ".csv": (Format.CSV, False),
    ".csv.gz": (Format.CSV, True),
    ".jsonl": (Format.JSON_LINES, False),
    ".jsonl.gz": (Format.JSON_LINES, True),
    ".parquet": (Format.PARQUET, False),
}
CONTENT_TYPES = {
    "text/csv": Format.CSV,
    "application/jsonlines": Format.JSON_LINES,
    "application/x-jsonlines": Format.JSON_LINES,
    "application/x-ndjson": Format.JSON_LINES,
    "application/x-parquet": Format.PARQUET,
    "application/vnd.apache.parquet": Format.PARQUET,
}
FILE_KINDS = {
    stat.S_IFIFO: "a pipe (of SageMaker's input modes take File or FastFile)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a link to a folder",
}


@dataclass(frozen=True)
class SourceFile:
    """One file of a channel.

    Attributes:
        name: what messages call it: its path or its s3:// URI.
        path: where it can be read.
        format: how it holds its rows.
        compressed: whether that is inside gzip.
    """

    name: str
    path: Path
    format: Format
    compressed: bool

    def open(self) -> gzip.GzipFile | BufferedReader:
        """Its bytes, decompressed."""
        return gzip.open(self.path) if self.compressed else self.path.open("rb")


@contextmanager
def open_channel(location: str | Path, content_type: str | None = None) -> Iterator[list[SourceFile]]:
    """The files of a channel, at least one, in the order of their names below it.

    Files and folders whose names begin with "." or "_" are ignored (markers that S3 tools and Spark leave).
    Objects of S3 are downloaded into a temporary folder that is removed in the end.

    Args:
        location: a folder, a file, or s3://bucket/prefix: the object of that key and all below prefix/.
        content_type: what a file without a known suffix is, as a channel of SageMaker has it.

    Raises:
        DataError: there is no file, one of them has no known format or is not a regular file, or S3 refuses.
    """
    if not str(location).startswith(SCHEME):
        if "://" in str(location):
            raise DataError(f"{printable(str(location))}: expected a folder, a file or s3://bucket/prefix")
        yield [_source_file(str(path), path, content_type) for path in _local_files(Path(location))]
        return
    with tempfile.TemporaryDirectory(prefix="channel-") as folder:
        yield _downloaded(str(location), Path(folder), content_type)


def _downloaded(location: str, folder: Path, content_type: str | None) -> list[SourceFile]:
    bucket, prefix = Bucket.parse(location)
    below = {key: key.removeprefix(prefix).strip("/").split("/") for key in bucket.keys(prefix)}
    keys = sorted((key for key in below if not _is_hidden(below[key])), key=below.__getitem__)
    if not keys:
        raise DataError(f"{printable(location)}: expected an object of that key or objects below it, there are none")
    # Numbers as names: a key is not a path, and "../x" must not become one.
    paths = {key: folder / str(number) for number, key in enumerate(keys)}
    files = [_source_file(bucket.uri(key), path, content_type) for key, path in paths.items()]
    for key in progress(keys, f"downloading {printable(location)}"):
        bucket.download(key, paths[key])
    return files


def _local_files(location: Path) -> list[Path]:
    try:
        files = _files_below(location) if location.is_dir() else [location]
        for path in files:
            _check_regular(path)
    except FileNotFoundError as error:
        what = "a link to a file that is not there" if Path(error.filename).is_symlink() else "there is none"
        raise DataError(f"{printable(str(error.filename))}: expected a folder or a file, {what}") from None
    except OSError as error:
        raise DataError(f"{printable(str(error.filename))}: can't be read: {error.strerror}") from None
    if not files:
        raise DataError(f"{printable(str(location))}: expected at least one file ({', '.join(SUFFIXES)}), got none")
    return sorted(files)


def _files_below(folder: Path) -> list[Path]:
    files: list[Path] = []
    folders = [folder]
    while folders:
        for path in folders.pop().iterdir():
            if _is_hidden([path.name]):
                continue
            (folders if path.is_dir() and not path.is_symlink() else files).append(path)
    return files


def _check_regular(path: Path) -> None:
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise DataError(f"{printable(str(path))}: expected a file, got {FILE_KINDS.get(kind, 'something else')}")


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith((".", "_")) for part in parts)


def _source_file(name: str, path: Path, content_type: str | None) -> SourceFile:
    for suffix, (kind, compressed) in SUFFIXES.items():
        if name.endswith(suffix):
            return SourceFile(printable(name), path, kind, compressed)
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type not in CONTENT_TYPES:
        raise DataError(f"{printable(name)}: expected a name that ends in {', '.join(SUFFIXES)}")
    return SourceFile(printable(name), path, CONTENT_TYPES[media_type], compressed=False)
