"""Files that are complete or absent, also after a power cut: this project writes all its results so.

Files that count only together. Files that are read without waiting.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from recommender.errors import BusyFolderError

UNFINISHED = "_recommender_unfinished"  # name of a file: the content of its folder is not complete
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}  # a file system that can't sync a folder, or read it


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file next to `path`; rename it to `path` when the block ends, remove it after an error.

    The file is on the disk before it has its name, and the name is on the disk when the block has ended.

    Raises:
        OSError: the disk is full, say; it has the name of the file.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with problems_named(path):
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        if temporary.is_file():
            temporary.unlink()


@contextmanager
def problems_named(path: Path) -> Iterator[None]:
    """Add the name of the file to errors of writing: the system names a file only if it can't be opened.

    Raises:
        OSError: that of the block, with a name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 that appears under its name only when it is complete."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def whole_together(folder: Path) -> Iterator[None]:
    """Mark a folder as unfinished until the block ends: the files that it writes count only all together.

    The mark stays if the block raises or the process is killed: the folder may then have files of two runs.
    """
    mark = folder / UNFINISHED
    write_text(mark, "Files are being written here, or a run was stopped while it wrote them. Run it again.\n")
    yield
    sync(folder)
    mark.unlink()
    sync(folder)


@contextmanager
def only_process(folder: Path, advice: str) -> Iterator[None]:
    """Hold a lock on a folder. The kernel releases it at any end of the process.

    Args:
        folder: the folder.
        advice: what the user can do instead of waiting.

    Raises:
        BusyFolderError: another process holds it.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise BusyFolderError(f"{folder}: another job is at work on this folder: wait for it, or {advice}") from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(number)


def sync(path: Path) -> None:
    """Write the bytes of a file, or the names in a folder, to the disk: they survive a power cut from then on.

    A folder on a file system that syncs no folders is left as it is.

    Raises:
        OSError: the disk is full or broken.
    """
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not (is_folder and error.errno in NO_SYNC):
            raise


def sync_tree(folder: Path) -> None:
    """Sync a folder and all files and folders below it; its parent stores its name.

    Raises:
        OSError: the disk is full or broken.
    """
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            sync_tree(path)
        elif path.is_file():
            sync(path)
    sync(folder)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; a FIFO, a device or a folder is refused at once.

    Raises:
        OSError: the file is missing, can't be read or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # else a FIFO waits for a writer
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("expected a regular file, got a folder, a FIFO or a device")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
