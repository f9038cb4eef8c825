"""Folders of arrays, which are complete or refused: the model, and the checkpoints of its training.

There is one .npy file per array, and config.json with size and SHA-256 of each file and its own checksum. Nothing is
unpickled. The same arrays give the same bytes.

The checksums find damage. They are no signature: whoever can alter the folder can compute them anew. So what is
loaded is bounded and checked in any case. It is copied, so that files that change later change nothing.

A new content replaces an older one in three steps, so that a reader finds one of them whole at any time, also after a
kill or a power cut:

1. It is written into the folder `.staged`. It counts for nothing yet.
2. `.staged` is renamed to `.new`. From here on the new content counts; a file is in `.new` or, if it has moved, next to
   it.
3. The arrays move out of `.new`, then config.json does.
"""

import hashlib
import io
import json
import math
import mmap
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recommender.common.files import open_regular, sync, write_text
from recommender.common.memory import memory_bytes
from recommender.common.messages import reason, shown
from recommender.errors import ArtifactError

CONFIG_FILE = "config.json"
STAGED, NEW = ".staged", ".new"
MAX_CONFIG_BYTES = 1_000_000
MAX_HEADER_BYTES = 256  # of a .npy file; a table has 128
BYTES_AT_ONCE = 2**20
LARGE = 2**23  # bytes of an array for which huge pages pay
PLAIN_NAME = re.compile(r"[a-z0-9_]{1,100}(\.[a-z0-9_]{1,100})?\.npy")


class Header(NamedTuple):
    """The beginning of a .npy file: its bytes, and the dtype and shape that they state."""

    content: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def save(folder: Path, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write the folder, or replace its content; see `stage` and `publish`."""
    stage(folder, config, arrays)
    publish(folder)


def stage(folder: Path, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write a new content of the folder; return where it is until `publish` or `discard`.

    Args:
        folder: created if it is missing.
        config: JSON values; at least `format` and `format_version`, which `load_config` checks.
        arrays: by name.

    Raises:
        ArtifactError: a file cannot be written.
    """
    path = staged = folder / STAGED
    try:
        discard(folder)
        staged.mkdir(parents=True)
        files = {}
        for name, array in arrays.items():
            path = array_file(staged, name)
            np.save(path, np.asarray(array, order="C"), allow_pickle=False)
            sync(path)
            files[path.name] = fingerprint(path)
        path = staged / CONFIG_FILE
        write_text(path, json.dumps(signed({**config, "files": files}), indent=2) + "\n")
    except OSError as error:
        hint = "is the disk full or read-only?" if folder.is_dir() or not folder.exists() else "expected a folder"
        raise ArtifactError(f"{path}: can't be written ({error}); {hint}") from None
    return staged


def publish(folder: Path) -> None:
    """Replace the content of the folder by the staged one.

    Raises:
        ArtifactError: a file cannot be moved.
    """
    try:
        _finish(folder)  # complete an interrupted call
        (folder / STAGED).rename(folder / NEW)
        sync(folder)
        _finish(folder)
    except OSError as error:
        raise ArtifactError(f"{folder}: the new files can't be moved into it: {error}") from None


def discard(folder: Path) -> None:
    """Remove the staged files that were not published."""
    if (folder / STAGED).is_dir():
        shutil.rmtree(folder / STAGED)


def is_staged(folder: Path) -> bool:
    """Return whether `stage` finished and the content was not published yet."""
    return (folder / STAGED / CONFIG_FILE).exists()


def _finish(folder: Path) -> None:
    """Move the files out of `.new`; config.json is the last one."""
    new = folder / NEW
    if not new.is_dir():
        return
    own = sorted(path.name for path in new.iterdir())
    before = set(_files_of(folder / CONFIG_FILE)) - set(_files_of(new / CONFIG_FILE))
    for name in [*(name for name in own if name != CONFIG_FILE), *(name for name in own if name == CONFIG_FILE)]:
        (new / name).replace(folder / name)
    sync(folder)
    for name in before:
        (folder / name).unlink(missing_ok=True)
    new.rmdir()
    sync(folder)


def _places(folder: Path, file: str) -> Iterator[Path]:
    """Yield where a file of the folder can be: while its content is replaced, files move from the first place."""
    if (folder / NEW / CONFIG_FILE).exists():
        yield folder / NEW / file
    yield folder / file


def load_config(folder: Path, form: str, version: int, hint: str, sha256: str | None = None) -> dict[str, Any]:
    """Return the `config` that `save` wrote, after checking it.

    Args:
        folder: as for `save`.
        form: the `format` expected.
        version: the `format_version` expected.
        hint: the advice of the message if there is no folder.
        sha256: the SHA-256 that config.json must have; None: any.

    Raises:
        ArtifactError: config.json is missing, damaged, of another format or version, or not the one meant.
    """
    path = folder / CONFIG_FILE
    try:
        content = _read_config(*_places(folder, CONFIG_FILE))
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and found != sha256.lower():
            raise ArtifactError(f"{path}: its SHA-256 is {found}, expected {sha256.lower()}: this is another model")
        config = _parsed(content)
        is_unaltered = config == signed(config)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing; {hint}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: can't be read as JSON: {reason(error)}") from None
    if config.get("format") != form:
        raise ArtifactError(f"{path}: expected format {form!r}, as train.py writes it")
    if config.get("format_version") != version:
        found = shown(config.get("format_version"))
        raise ArtifactError(
            f"{path}: format_version is {found}, this version reads {version}: "
            "train again, or use the version of the project that wrote it"
        )
    if not is_unaltered:
        raise ArtifactError(f"{path}: its checksum is not that of its content: the file was altered")
    return config


def load_arrays(folder: Path, names: Iterable[str], config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Load arrays of plain numbers into memory that forked processes share; O(bytes), each file is read once.

    The checksum is that of the copy, which nothing can alter. So files may be overwritten, truncated or removed later.

    Returns:
        The arrays, read-only. Their dtypes, shapes and values are whatever the files hold.

    Raises:
        ArtifactError: a file is missing, truncated, altered or no such array, or all of them do not fit into memory.
    """
    listed = {name: _listed_file(folder, name, config) for name in names}
    total, most = sum(num_bytes for num_bytes, _ in listed.values()), memory_bytes()
    if total > most:
        raise ArtifactError(f"{folder / CONFIG_FILE}: its files take {total:,} bytes of memory, there are {most:,}")
    return {name: _load_array(folder, name, *expected) for name, expected in listed.items()}


def _listed_file(folder: Path, name: str, config: Mapping[str, Any]) -> tuple[int, str]:
    """Return the size and the SHA-256 that config.json states of the file of an array."""
    file = array_file(folder, name).name
    try:
        num_bytes, sha256 = config["files"][file]["bytes"], config["files"][file]["sha256"]
    except (KeyError, TypeError):
        num_bytes, sha256 = None, None
    if type(num_bytes) is not int or not 0 <= num_bytes < 2**63 or not isinstance(sha256, str):
        raise ArtifactError(f"{folder / CONFIG_FILE}: 'files' has no size and sha256 of {file}")
    return num_bytes, sha256


def _load_array(folder: Path, name: str, num_bytes: int, sha256: str) -> np.ndarray:
    path = array_file(folder, name)
    try:
        with _opened(*_places(folder, path.name)) as file:
            found = os.fstat(file.fileno()).st_size
            if found != num_bytes:
                raise ArtifactError(f"{path}: has {found} bytes, expected {num_bytes}: truncated or altered")
            header = _read_header(file)
            data_bytes = num_bytes - len(header.content)
            if data_bytes != math.prod(header.shape) * header.dtype.itemsize:
                raise ValueError(f"its header does not state the size of its data, {data_bytes:,} bytes")
            copied, digest = _copied(file, data_bytes, header.content)
        if digest != sha256:
            raise ArtifactError(f"{path}: its SHA-256 is not the one in {CONFIG_FILE}: the file was altered")
        return np.frombuffer(copied, header.dtype).reshape(header.shape)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing") from None
    except (OSError, ValueError, MemoryError) as error:
        raise ArtifactError(f"{path}: can't be loaded: {type(error).__name__}: {reason(error)}") from None


def _read_header(file: io.BufferedReader) -> Header:
    """Read the header of a .npy file; the file is then at its data."""
    begin = io.BytesIO(file.read(MAX_HEADER_BYTES))
    try:
        if np.lib.format.read_magic(begin) != (1, 0):
            raise ValueError("expected version 1.0 of the .npy format")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(begin, max_header_size=MAX_HEADER_BYTES)
    except Exception as error:  # noqa: BLE001 - numpy evaluates the text as a literal, which has many ways to fail
        raise ValueError(f"expected the header of a .npy file, damaged or altered: {reason(error)}") from None
    if is_fortran or dtype.kind not in "biuf" or not dtype.isnative or min(shape, default=0) < 0:
        raise ValueError(f"expected a table of plain numbers, row by row, got {shown(str(dtype))}")
    file.seek(begin.tell())
    return Header(begin.getvalue()[: begin.tell()], dtype, shape)


def _copied(file: io.BufferedReader, num_bytes: int, header: bytes) -> tuple[memoryview, str]:
    """Copy the rest of a file; return the copy, which can't be written to, and the SHA-256 of header and copy.

    No file is behind the memory. Processes that are forked share its pages, since nothing is written to them.
    """
    digest = hashlib.sha256(header)
    memory = mmap.mmap(-1, max(num_bytes, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if num_bytes >= LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)  # a request reads rows here and there: fewer pages to look up
    copied = memoryview(memory)[:num_bytes]
    begin = 0
    while begin < num_bytes:
        count = file.readinto(copied[begin : begin + BYTES_AT_ONCE])
        if not count:
            raise ValueError("it became shorter while it was read")
        digest.update(copied[begin : begin + count])
        begin += count
    return copied.toreadonly(), digest.hexdigest()


def _opened(*places: Path) -> io.BufferedReader:
    """Open the first regular file that exists; a link out of its folder is refused."""
    for path in places[:-1]:
        with suppress(FileNotFoundError):
            return _opened(path)
    target = Path(os.path.realpath(places[-1]))
    if target.parent != Path(os.path.realpath(places[-1].parent)):
        raise OSError("it is a link out of its folder")
    return open_regular(target)


def _read_config(*places: Path) -> bytes:
    with _opened(*places) as file:
        content = file.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise ValueError(f"it has more than {MAX_CONFIG_BYTES:,} bytes")
    return content


def _parsed(content: bytes) -> dict[str, Any]:
    config = json.loads(content, object_pairs_hook=_object)
    if not isinstance(config, dict):
        raise ValueError(f"expected an object, got {shown(config)}")
    return config


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def clear(folder: Path, names: Iterable[str]) -> None:
    """Remove only the files that `save` wrote for arrays with these names; config.json first."""
    files = [CONFIG_FILE, f".{CONFIG_FILE}.tmp", *(array_file(folder, name).name for name in names)]
    for name in files:
        (folder / name).unlink(missing_ok=True)
    for part in (NEW, STAGED):
        if (folder / part).is_dir():
            shutil.rmtree(folder / part)


def listed(folder: Path, form: str) -> list[str]:
    """Return the names of the arrays that the config.json of a folder lists, in any version of a format."""
    return [name.removesuffix(".npy") for name in _files_of(folder / CONFIG_FILE, form)]


def _files_of(path: Path, form: str | None = None) -> list[str]:
    """Return the plain names of files that a config.json lists, never a path out of the folder."""
    try:
        config = _parsed(_read_config(path))
    except (OSError, ValueError, RecursionError):
        return []
    files = config.get("files")
    if form not in (None, config.get("format")) or not isinstance(files, dict):
        return []
    return [name for name in files if PLAIN_NAME.fullmatch(name)]


def array_file(folder: Path, name: str) -> Path:
    """Return the path of an array."""
    return folder / f"{name}.npy"


def fingerprint(path: Path) -> dict[str, int | str]:
    """Return the size and the SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def signed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with the checksum of its other entries."""
    content = {name: value for name, value in config.items() if name != "checksum"}
    text = json.dumps(content, sort_keys=True)
    return {**content, "checksum": hashlib.sha256(text.encode()).hexdigest()}
