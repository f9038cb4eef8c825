"""The model folder as model.tar.gz, as SageMaker stores it in S3 (contract T6, S3), for runs without SageMaker."""

import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.common.messages import printable, reason
from recommender.data.s3 import SCHEME, Bucket
from recommender.errors import ArtifactError, ConfigError

FILE = "model.tar.gz"
MEMBERS = (".npy", ".json")  # the files of a model folder
MAX_BYTES = 100 * 2**30


def check_output(place: str) -> None:
    """Check that a location is one that `upload` can write to.

    Raises:
        ConfigError: the location is not s3://bucket/prefix.
    """
    if not place.startswith(SCHEME) or not place.removeprefix(SCHEME).partition("/")[0]:
        raise ConfigError(f"--model-output: expected s3://bucket/prefix, got {printable(place)}")


def upload(folder: Path, place: str) -> str:
    """Write a model folder to s3://bucket/prefix/model.tar.gz; return that URI.

    Raises:
        DataError: S3 refuses.
    """
    bucket, prefix = Bucket.parse(place.rstrip("/"))
    key = f"{prefix}/{FILE}" if prefix else FILE
    with tempfile.TemporaryDirectory(prefix="model-") as tmp:
        packed = Path(tmp) / FILE
        with tarfile.open(packed, "w:gz", compresslevel=1) as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
        bucket.upload(packed, key)
    return bucket.uri(key)


@contextmanager
def unpacked(place: str) -> Iterator[Path]:
    """Yield the model folder of a folder, a model.tar.gz or its s3:// URI; remove unpacked files at the end.

    Raises:
        ArtifactError: the archive is damaged, or has other files.
        DataError: S3 refuses.
    """
    in_s3 = place.startswith(SCHEME)
    if not in_s3 and Path(place).is_dir():
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="model-") as tmp:
        packed = Path(tmp) / FILE if in_s3 else Path(place)
        if in_s3:
            bucket, key = Bucket.parse(place)
            bucket.download(key, packed)
        folder = Path(tmp) / "model"
        _unpack(packed, folder, printable(place))
        yield folder


def _unpack(packed: Path, folder: Path, name: str) -> None:
    folder.mkdir()
    try:
        with tarfile.open(packed, "r:gz") as tar:
            total = 0
            for member in tar:
                if member.isdir() and member.name in (".", "./"):
                    continue
                total += member.size
                path = Path(member.name)
                if not member.isfile() or len(path.parts) != 1 or path.suffix not in MEMBERS or total > MAX_BYTES:
                    raise ArtifactError(f"{name}: {printable(member.name)}: expected only the files of a model folder")
                content = tar.extractfile(member)
                assert content is not None  # it is a regular file
                with content, (folder / path).open("wb") as file:
                    shutil.copyfileobj(content, file)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ArtifactError(f"{name}: expected a {FILE}: {reason(error)}") from None
