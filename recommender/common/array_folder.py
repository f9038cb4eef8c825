"""Folders of arrays, which are complete or refused: the model, and the checkpoints of its training.

There is one .npy file per array, and config.json with size and SHA-256 of each file and its own checksum. Nothing is
unpickled. The same arrays give the same bytes.

A new content replaces an older one in three steps, so that a reader finds one of them whole at any time, also after a
kill or a power cut:

1. It is written into the folder `.staged`. It counts for nothing yet.
2. `.staged` is renamed to `.new`. From here on the new content counts; a file is in `.new` or, if it has moved, next to
   it.
3. The arrays move out of `.new`, then config.json does.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recommender.common.files import sync, write_text
from recommender.common.messages import shown
from recommender.errors import ArtifactError

CONFIG_FILE = "config.json"
STAGED, NEW = ".staged", ".new"
MAX_CONFIG_BYTES = 1_000_000
PLAIN_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?\.npy")


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
            np.save(path, array, allow_pickle=False)
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
        _finish(folder)  # what an interrupted call has left
        (folder / STAGED).rename(folder / NEW)
        sync(folder)
        _finish(folder)
    except OSError as error:
        raise ArtifactError(f"{folder}: the new files can't be moved into it: {error}") from None


def discard(folder: Path) -> None:
    """Remove what `stage` has written, if it was not published."""
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


def place_of(folder: Path, file: str) -> Path:
    """Return where a file of the folder is, also while its content is replaced."""
    new = folder / NEW
    return new / file if (new / CONFIG_FILE).exists() and (new / file).exists() else folder / file


def load_config(folder: Path, form: str, version: int, hint: str) -> dict[str, Any]:
    """Return the `config` that `save` wrote, after checking it.

    Args:
        folder: as for `save`.
        form: the `format` expected.
        version: the `format_version` expected.
        hint: the advice of the message if there is no folder.

    Raises:
        ArtifactError: config.json is missing, damaged or of another format or version.
    """
    path = place_of(folder, CONFIG_FILE)
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG_BYTES))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing; {hint}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: can't be read as JSON: {error}") from None
    if not isinstance(config, dict) or config.get("format") != form:
        raise ArtifactError(f"{path}: expected format {form!r}, as train.py writes it")
    if config.get("format_version") != version:
        found = shown(config.get("format_version"))
        raise ArtifactError(
            f"{path}: format_version is {found}, this version reads {version}: "
            "train again, or use the version of the project that wrote it"
        )
    if config != signed(config):
        raise ArtifactError(f"{path}: its checksum is not that of its content: the file was altered")
    return config


def load_array(folder: Path, name: str, config: Mapping[str, Any]) -> np.ndarray:
    """Map an array into memory after verifying its checksum, which reads the whole file once.

    Raises:
        ArtifactError: the file is missing, truncated or altered.
    """
    path = place_of(folder, array_file(folder, name).name)
    try:
        expected = config["files"][path.name]
        found = fingerprint(path)
        if found["bytes"] != expected["bytes"]:
            raise ArtifactError(
                f"{path}: has {found['bytes']} bytes, expected {expected['bytes']}: truncated or altered"
            )
        if found["sha256"] != expected["sha256"]:
            raise ArtifactError(f"{path}: its SHA-256 is not the one in {CONFIG_FILE}: the file was altered")
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing") from None
    except (KeyError, TypeError):
        raise ArtifactError(f"{folder / CONFIG_FILE}: 'files' has no size and sha256 of {path.name}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: can't be loaded: {type(error).__name__}: {error}") from None


def clear(folder: Path, names: Iterable[str]) -> None:
    """Remove the files that `save` wrote for arrays of these names, and no others; config.json first."""
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
        with path.open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG_BYTES))
        names = list(config["files"]) if form in (None, config["format"]) else []
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return []
    return [name for name in names if PLAIN_NAME.fullmatch(name)]


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
