"""Files that are complete or absent, also after a power cut."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.common.files import atomic, sync, sync_tree, write_text


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Record the system calls in order: syncs, by the path of the descriptor, and renames."""
    steps: list[tuple[str, Path]] = []
    fsync, rename = os.fsync, Path.replace

    def sync_and_note(descriptor: int) -> None:
        steps.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def rename_and_note(path: Path, target: Path) -> Path:
        steps.append(("rename", target))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", sync_and_note)
    monkeypatch.setattr(Path, "replace", rename_and_note)
    return steps


def test_a_file_is_synced_before_its_rename_and_its_folder_after_it(
    tmp_path: Path, steps: list[tuple[str, Path]]
) -> None:
    write_text(tmp_path / "a.json", "é")
    assert steps == [
        ("sync", tmp_path / ".a.json.tmp"),
        ("rename", tmp_path / "a.json"),
        ("sync", tmp_path),
    ]
    assert (tmp_path / "a.json").read_bytes() == "é".encode()


def test_a_folder_is_synced_after_its_content(tmp_path: Path, steps: list[tuple[str, Path]]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path)  # not followed: it may be a circle
    (tmp_path / "a" / "gone").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")  # never opened: it would wait for a writer
    sync_tree(tmp_path)
    synced = [path for _, path in steps]
    assert sorted(synced) == sorted(tmp_path / name for name in ("", "one", "a", "a/two", "a/b", "a/b/three"))
    assert all(synced.index(path) < synced.index(path.parent) for path in synced if path != tmp_path)


def test_an_error_of_the_block_or_of_the_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        with atomic(tmp_path / "a") as temporary:
            temporary.touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    monkeypatch.setattr(os, "fsync", failing(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "a", "text")
    assert list(tmp_path.iterdir()) == []


def test_only_for_folders_a_file_system_without_sync_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "fsync", failing(OSError(22, "Invalid argument")))
    sync(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path / "a")


def failing(error: OSError) -> Callable[[int], None]:
    def fsync(_: int) -> None:
        raise error

    return fsync


def test_an_error_of_writing_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as raised, atomic(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "a")
    with pytest.raises(FileNotFoundError) as missing, atomic(tmp_path / "a"):
        (tmp_path / "other").read_bytes()
    assert missing.value.filename == str(tmp_path / "other")
