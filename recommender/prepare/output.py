"""Write results to a folder or to S3. Results are staged first, so that published ones are complete."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from recommender.common.files import UNFINISHED, only_process, problems_named, sync_tree, whole_together
from recommender.common.messages import printable
from recommender.data.s3 import SCHEME, Bucket
from recommender.errors import ConfigError
from recommender.sagemaker.environment import CHANNELS

STAGING = ".prepare-"
FAILED = "rejects-of-failed-run.csv"  # next to the results of an earlier run, which stay
ENGINE_FILES = re.compile(r"part-\d+.*\.parquet|[._].*")  # names of the files that engines write in a channel


class Output(Protocol):
    """A destination of results.

    Attributes:
        staging: a temporary folder of this run; it gets the results under their final names.
        tables: the folder or s3:// URI into which an engine writes the folders of channels.
        name: the destination as the user wrote it.
    """

    staging: Path
    tables: str
    name: str

    def begin(self) -> None:
        """Mark the destination as unfinished, if an engine writes into it before `publish`.

        Raises:
            DataError: S3 refuses the request.
        """

    def publish(self, names: Sequence[str]) -> None:
        """Move these files and folders to the destination, in this order; remove other results of an earlier run.

        The results are valid only together. The destination is marked as unfinished until the last one is moved.

        Raises:
            OSError: a folder can't be written.
            DataError: S3 refuses the request.
        """


@contextmanager
def opened(output: str, *, engine_writes_s3: bool) -> Iterator[Output]:
    """Yield the destination of results; remove its staging folder at the end of the block.

    Args:
        output: a folder, created if it does not exist, or s3://bucket/prefix.
        engine_writes_s3: whether the engine itself writes channels to S3.

    Raises:
        ConfigError: the folder has files that no earlier run wrote, or S3 already has an object to write.
        BusyFolderError: another run writes into the folder.
        DataError: S3 refuses the request.
        OSError: a folder can't be written.
    """
    if output.startswith(SCHEME):
        bucket, prefix = Bucket.parse(output.rstrip("/"))
        _check_bucket(bucket, prefix)
        with tempfile.TemporaryDirectory(prefix="prepare-") as staging:
            yield BucketOutput(output, bucket, prefix, Path(staging), engine_writes_s3)
        return
    folder = Path(output)
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder, "give this run another --output"):
        for left_behind in folder.glob(f"{STAGING}*"):  # leftovers of a killed run
            shutil.rmtree(left_behind)
        with problems_named(folder), tempfile.TemporaryDirectory(prefix=STAGING, dir=folder) as staging:
            yield FolderOutput(folder, Path(staging))


class FolderOutput:
    """A local folder as the destination; see `Output`."""

    def __init__(self, folder: Path, staging: Path) -> None:
        self.name, self.staging, self.tables = str(folder), staging, str(staging)
        self._folder = folder

    def begin(self) -> None:
        """Do nothing, because engines write into the staging folder; see `Output`."""

    def publish(self, names: Sequence[str]) -> None:
        """Move the results, each one atomically; see `Output`."""
        sync_tree(self.staging)
        if names == [FAILED]:  # the results of an earlier run stay
            self._move(FAILED)
            return
        with whole_together(self._folder):
            for name in {*CHANNELS, FAILED} - set(names):
                _remove(self._folder / name)
            for name in names:
                self._move(name)

    def _move(self, name: str) -> None:
        _remove(self._folder / name)
        (self.staging / name).rename(self._folder / name)


class BucketOutput:
    """A prefix in S3 as the destination; see `Output`."""

    def __init__(self, name: str, bucket: Bucket, prefix: str, staging: Path, engine_writes_s3: bool) -> None:
        self.name, self.staging = name, staging
        self.tables = name.rstrip("/") if engine_writes_s3 else str(staging)
        self._bucket, self._prefix = bucket, prefix

    def begin(self) -> None:
        """See `Output`."""
        if self.tables != str(self.staging):
            self._mark()

    def publish(self, names: Sequence[str]) -> None:
        """See `Output`."""
        self._mark()
        for name in names:
            made = self.staging / name
            for path in sorted(made.rglob("*")) if made.is_dir() else [made]:
                if path.exists():  # otherwise the engine wrote it to S3
                    self._bucket.upload(path, _key(self._prefix, str(path.relative_to(self.staging))))
        self._bucket.remove(_key(self._prefix, UNFINISHED))

    def _mark(self) -> None:
        mark = self.staging / UNFINISHED
        mark.touch()
        self._bucket.upload(mark, _key(self._prefix, UNFINISHED))


def _key(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _check_folder(folder: Path) -> None:
    for channel in CHANNELS:
        found = folder / channel
        if found.is_symlink() or (found.exists() and not found.is_dir()):
            raise ConfigError(f"{printable(str(found))}: expected a folder of an earlier run or nothing: move it")
        for path in sorted(found.glob("*")):
            if not ENGINE_FILES.fullmatch(path.name) or path.is_dir():
                raise ConfigError(
                    f"{printable(str(path))}: expected only files of an earlier run, which this run "
                    "replaces: move this file, or choose another --output"
                )


def _check_bucket(bucket: Bucket, prefix: str) -> None:
    for name in (*CHANNELS, "summary.json"):
        if keys := bucket.keys(_key(prefix, name)):
            raise ConfigError(
                f"{printable(bucket.uri(keys[0]))}: already exists: remove it, or choose another --output"
            )
