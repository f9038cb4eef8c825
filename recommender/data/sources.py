"""Find the files of a channel in a folder, in a pattern of paths or in S3, and make them local."""

import gzip
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from recommender.common.files import UNFINISHED
from recommender.common.messages import printable
from recommender.common.progress import progress, reading
from recommender.data.listing import (
    LOG_FOLDERS,
    is_hidden,
    is_side_file,
    say_skipped,
    table_format,
    table_message,
    unfinished_message,
)
from recommender.data.s3 import SCHEME, Bucket
from recommender.errors import DataError


class Format(StrEnum):
    """The format of a file."""

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
    stat.S_IFIFO: "a pipe (use SageMaker's input mode File or FastFile)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a link to a folder",
}


@dataclass(frozen=True)
class Listing:
    """The paths or keys of the files of a channel, and the names of skipped files; both sorted."""

    names: list[str]
    skipped: list[str]


@dataclass(frozen=True)
class SourceFile:
    """One file of a channel.

    Attributes:
        name: its path or s3:// URI, for messages.
        path: its local path.
        format: its format.
        compressed: whether it is compressed with gzip.
    """

    name: str
    path: Path
    format: Format
    compressed: bool

    @contextmanager
    def open(self, *, show: bool = False) -> Iterator[BinaryIO]:
        """Open the file for reading its decompressed bytes, with a progress bar if `show`."""
        with reading(self.path, f"reading {self.name}") if show else self.path.open("rb") as file:
            yield gzip.GzipFile(fileobj=file) if self.compressed else file  # type: ignore[misc]


@contextmanager
def open_channel(
    location: str | Path, content_type: str | None = None, formats: Collection[Format] = tuple(Format)
) -> Iterator[list[SourceFile]]:
    """Yield the files of a channel, at least one, sorted by name.

    Files and folders with names that begin with "." or "_" are skipped (markers of S3 tools and Spark). So are
    checksums, manifests and the like. One printed line names them.
    Objects in S3 are downloaded into a temporary folder, which is removed at the end of the block.

    Args:
        location: a folder, a file, a pattern (*, ?, [...]) of them, or s3://bucket/prefix. A prefix matches the object
            with that key and all objects below prefix/. It may also be a pattern of keys.
        content_type: the media type of files without a known suffix, from the settings of a SageMaker channel.
        formats: the allowed formats.

    Raises:
        DataError: the channel has no files, or a file has another format or is not a regular file. Also if the files
            belong to a table with a log, the run that wrote them did not finish, or S3 refuses the request.
    """
    if not _is_s3(location):
        found = _local_files(Path(location), formats)
        say_skipped(str(location), found.skipped)
        yield [_source_file(name, Path(name), content_type, formats) for name in found.names]
        return
    bucket, listed = _keys(str(location))
    say_skipped(str(location), listed.skipped)
    keys = listed.names
    with tempfile.TemporaryDirectory(prefix="channel-") as folder:
        # Numbers as names: a key is not a path, and a key such as "../x" must not become one.
        paths = {key: Path(folder, str(number)) for number, key in enumerate(keys)}
        files = [_source_file(bucket.uri(key), path, content_type, formats) for key, path in paths.items()]
        for key in progress(keys, f"downloading {printable(str(location))}"):
            bucket.download(key, paths[key])
        yield files


def names_in_channel(location: str, formats: Collection[Format]) -> list[str]:
    """Return the paths or s3:// URIs of the files that `open_channel` would open; download nothing.

    Raises:
        DataError: as `open_channel`.
    """
    if _is_s3(location):
        bucket, listed = _keys(location)
        names = [bucket.uri(key) for key in listed.names]
    else:
        names = _local_files(Path(location), formats).names
    return [_source_file(name, Path(name), None, formats).name for name in names]


def _is_s3(location: str | Path) -> bool:
    if "://" in str(location) and not str(location).startswith(SCHEME):
        raise DataError(f"{printable(str(location))}: expected a folder, a file or s3://bucket/prefix")
    return str(location).startswith(SCHEME)


def _keys(location: str) -> tuple[Bucket, Listing]:
    bucket, prefix = Bucket.parse(location)
    below = {key: key.removeprefix(prefix).strip("/") for key in bucket.keys(prefix)}
    _refuse_unfinished_or_table(location, [prefix + "/", *below.values()])
    skipped = {key for key, path in below.items() if _is_skipped(path)}
    keys = sorted(below.keys() - skipped, key=lambda key: below[key].split("/"))
    if not keys and has_magic(prefix):
        matching = [key for key in bucket.keys(_fixed_folder(prefix)) if _matches(key, prefix)]
        skipped = {key for key in matching if is_side_file(key.rpartition("/")[2])}
        keys, prefix = sorted(set(matching) - skipped), _fixed_folder(prefix)
    if not keys:
        raise DataError(f"{printable(location)}: no objects found at this key or prefix")
    _refuse_unfinished_or_table(location, _marks_above(bucket, prefix))
    return bucket, Listing(keys, sorted(below.get(key, key) for key in skipped))


def _marks_above(bucket: Bucket, prefix: str) -> Iterator[str]:
    """Yield the keys of unfinished marks and of table logs, next to a prefix or to one of its parent folders."""
    parts = prefix.rstrip("/").split("/")
    for depth in range(len(parts) + 1):
        for name in (*(f"{log}/" for log in LOG_FOLDERS), UNFINISHED):
            with suppress(DataError):  # the role may be allowed to list only this prefix
                yield from bucket.first_keys("/".join([*parts[:depth], name]))


def _refuse_unfinished_or_table(location: str, paths: Iterable[str]) -> None:
    for path in paths:
        if path.rpartition("/")[2] == UNFINISHED:
            raise DataError(unfinished_message(location))
        if table := table_format(path):
            raise DataError(table_message(location, table))


def _is_skipped(path: str) -> bool:
    parts = path.split("/")
    return any(map(is_hidden, parts)) or is_side_file(parts[-1])


def _fixed_folder(pattern: str) -> str:
    """Return the leading folders of a pattern that contain no wildcard."""
    return "/".join(takewhile(lambda part: not has_magic(part), pattern.split("/")))


def _matches(key: str, pattern: str) -> bool:
    """Return whether a key matches a pattern; as in a shell, a star does not match "/"."""
    parts, patterns = key.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _local_files(location: Path, formats: Collection[Format]) -> Listing:
    files: list[Path] = []
    skipped: list[str] = []
    try:
        given = _expanded(location)
        _refuse_unfinished_or_table(str(location), _marks_around(given[0]))
        for path in given:
            if path.is_dir():
                _add_files_below(path, files, skipped)
            elif given != [location] and is_side_file(path.name):
                skipped.append(path.name)
            else:
                files.append(path)
        for path in files:
            _check_regular(path)
    except FileNotFoundError as error:
        what = "the target of this link does not exist" if Path(error.filename).is_symlink() else "it does not exist"
        raise DataError(f"{printable(str(error.filename))}: expected a folder or a file; {what}") from None
    except OSError as error:
        raise DataError(f"{printable(str(error.filename))}: can't be read: {error.strerror}") from None
    if not files:
        raise DataError(f"{printable(str(location))}: expected at least one file ({_suffixes(formats)}), got none")
    return Listing([str(path) for path in sorted(files)], sorted(skipped))


def _marks_around(path: Path) -> Iterator[str]:
    """Yield the paths of unfinished marks and of table logs, in a folder or in one of its parents."""
    path = path.absolute()
    for folder in (path, *path.parents):
        with suppress(PermissionError):
            if (folder / UNFINISHED).is_file():
                yield UNFINISHED
        for log in LOG_FOLDERS:
            with suppress(PermissionError):
                if (folder / log).is_dir():
                    yield f"{log}/"
                    yield from (f"{log}/{found.name}" for found in (folder / log).iterdir())


def _expanded(location: Path) -> list[Path]:
    """Return the paths that match a pattern; for any other location, the location itself."""
    if not has_magic(str(location)) or location.exists():
        return [location]
    return [Path(path) for path in glob(str(location))] or [location]  # noqa: PTH207 - Path.glob accepts no absolute patterns


def _add_files_below(folder: Path, files: list[Path], skipped: list[str]) -> None:
    """Append the files below a folder to `files`, and the names of skipped files and folders to `skipped`."""
    folders = [folder]
    while folders:
        for path in folders.pop().iterdir():
            is_folder = path.is_dir() and not path.is_symlink()
            name = str(path.relative_to(folder)) + "/" * is_folder
            _refuse_unfinished_or_table(str(folder), [name])
            if is_hidden(path.name) or (not is_folder and is_side_file(path.name)):
                skipped.append(name)
            else:
                (folders if is_folder else files).append(path)


def _check_regular(path: Path) -> None:
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise DataError(f"{printable(str(path))}: expected a file, got {FILE_KINDS.get(kind, 'something else')}")


def _suffixes(formats: Collection[Format]) -> str:
    return ", ".join(suffix for suffix, (kind, _) in SUFFIXES.items() if kind in formats)


def _source_file(name: str, path: Path, content_type: str | None, formats: Collection[Format]) -> SourceFile:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    known = [found for suffix, found in SUFFIXES.items() if name.endswith(suffix)]
    kind, compressed = known[0] if known else (CONTENT_TYPES.get(media_type), False)
    if kind is None or kind not in formats:
        raise DataError(f"{printable(name)}: expected a name that ends in {_suffixes(formats)}")
    return SourceFile(printable(name), path, kind, compressed)
