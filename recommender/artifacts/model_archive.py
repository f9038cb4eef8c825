"""The model folder as model.tar.gz, as SageMaker stores it in S3 (contract T6, S3), for runs without SageMaker."""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.common.array_folder import CONFIG_FILE, PLAIN_NAME
from recommender.common.files import open_regular
from recommender.common.memory import memory_bytes
from recommender.common.messages import printable, reason, shown
from recommender.data.s3 import SCHEME, Bucket
from recommender.errors import ArtifactError, ConfigError

FILE = "model.tar.gz"
PACK = f"pack it by tar -czf {FILE} -C my-job/model ."
MAX_MEMBERS = 256  # a model has some 40 files
MAX_HEADER_BYTES = 16_384  # of a member: its name, times and owner


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


class _Bounded:
    """The decompressed bytes of an archive, of which no more are read than are allowed."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._allowed = 0

    def allow(self, count: int) -> None:
        """Allow `count` more bytes."""
        self._allowed = count

    def read(self, count: int) -> bytes:
        """Return the next bytes; fewer at the end.

        Raises:
            TarError: there are more than allowed.
        """
        if not 0 <= count <= self._allowed:
            raise tarfile.ReadError(f"the header of a member has more than {MAX_HEADER_BYTES:,} bytes")
        self._allowed -= count
        return self._file.read(count)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seek(self, position: int) -> None:
        """Skip bytes; they count as read."""
        self.read(position - self.tell())

    def close(self) -> None:
        """Do nothing: the file is closed where it was opened."""


def _unpack(packed: Path, folder: Path, name: str) -> None:
    """Write the files of an archive to a folder; names, kinds, sizes and number are bounded before they are read.

    Raises:
        ArtifactError: the archive is damaged, has other files than those of a model, or does not fit.
    """
    folder.mkdir()
    left = min(memory_bytes(), shutil.disk_usage(folder).free)  # a model is served from memory
    try:
        with open_regular(packed) as file, gzip.GzipFile(fileobj=file) as content:
            bounded = _Bounded(content)
            for tar, member in _members(bounded):
                if member.isdir() and member.name in (".", "./"):
                    continue
                path = folder / member.name
                if not _is_model_file(member):
                    expected = f"expected only the files of a model folder; {PACK}"
                    raise ArtifactError(f"{name}: {shown(member.name)}: {expected}")
                if path.exists():
                    raise ArtifactError(f"{name}: {shown(member.name)}: expected each file once")
                if not 0 <= member.size <= left:
                    found = f"has {member.size:,} bytes, memory and disk have room for {left:,}"
                    raise ArtifactError(f"{name}: {shown(member.name)}: {found}")
                left -= member.size
                bounded.allow(member.size)
                source = tar.extractfile(member)
                assert source is not None  # it is a regular file
                with source, path.open("xb") as target:
                    shutil.copyfileobj(source, target)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, tarfile.TarError) as error:
        raise ArtifactError(f"{name}: expected a {FILE}: {reason(error)}") from None


def _members(content: _Bounded) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the members, and the archive that has them; each must be read before the next one."""
    content.allow(MAX_HEADER_BYTES)
    with tarfile.TarFile(fileobj=content) as tar:  # type: ignore[arg-type]  # it is only read
        for count, member in enumerate(tar):
            if count == MAX_MEMBERS:
                raise tarfile.ReadError(f"it has more than {MAX_MEMBERS} members")
            yield tar, member
            content.allow(MAX_HEADER_BYTES)


def _is_model_file(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a plain file with a name of a model's file, or macOS's companion of one (`._`)."""
    file_name = member.name.removeprefix("./").removeprefix("._")
    is_plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    return is_plain and (file_name == CONFIG_FILE or PLAIN_NAME.fullmatch(file_name) is not None)
