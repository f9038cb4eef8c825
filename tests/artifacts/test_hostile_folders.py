"""A model folder with something that is not a plain file of a model: it is refused by name, at once."""

import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.job import Job

from recommender.artifacts import model_folder
from recommender.common import array_folder
from recommender.errors import ArtifactError

CONFIG = array_folder.CONFIG_FILE
NAMES = ("titles.npy", "popularity.item_count.npy", CONFIG)
TEBIBYTE = 2**40


@pytest.fixture
def folder(trained_copy: Job) -> Path:
    return trained_copy.container.model_dir


def problem(folder: Path, name: str) -> str:
    """Return the error about a file, without its name."""
    with pytest.raises(ArtifactError) as error:
        model_folder.load(folder)
    message = str(error.value)
    assert message.startswith(f"{folder / name}: ")
    return message.removeprefix(f"{folder / name}: ")


def sign(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any JSON
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(array_folder.signed({**config, **changes})))


@pytest.mark.parametrize("name", NAMES)
def test_a_fifo_is_refused_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "expected a regular file, got a folder, a FIFO or a device" in problem(folder, name)
    assert array_folder.listed(folder, model_folder.FORMAT) == [] or name != CONFIG
    model_folder.clear(folder)
    assert not (folder / name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_instead_of_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert "expected a regular file" in problem(folder, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_socket_is_refused(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).unlink()
    monkeypatch.chdir(folder)  # a name of a socket has 107 characters at most
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(name)
        assert "can't be " in problem(folder, name)


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", "../secret.npy", "nowhere"])
@pytest.mark.parametrize("name", NAMES)
def test_a_link_out_of_the_folder_is_refused(folder: Path, name: str, target: str) -> None:
    content = (folder / name).read_bytes()
    (folder.parent / "secret.npy").write_bytes(content)
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    assert problem(folder, name)
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    model_folder.load(folder)


def test_links_within_the_folder_and_to_the_folder_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "titles.npy").rename(folder / "kept")
    (folder / "titles.npy").symlink_to("kept")
    (tmp_path / "link").symlink_to(folder)
    assert model_folder.load(tmp_path / "link").titles


def test_a_file_larger_than_the_memory_is_refused_before_it_is_read(folder: Path) -> None:
    os.truncate(folder / "titles.npy", TEBIBYTE)  # takes no place on the disk
    files = json.loads((folder / CONFIG).read_text())["files"]
    sign(folder, files={**files, "titles.npy": {**files["titles.npy"], "bytes": TEBIBYTE}})
    assert f"its files take {TEBIBYTE / 1e12:.0f}," in problem(folder, CONFIG)


def test_a_file_that_grows_during_reading_is_read_with_its_first_size(folder: Path) -> None:
    before = np.load(folder / "titles.npy")
    config = array_folder.load_config(folder, model_folder.FORMAT, model_folder.FORMAT_VERSION, "")
    with array_folder._opened(folder / "titles.npy") as file:
        header = array_folder._read_header(file)
        size = (folder / "titles.npy").stat().st_size
        with (folder / "titles.npy").open("ab") as more:
            more.write(b"more")
        copied, digest = array_folder._copied(file, size - len(header.content), header.content)
    assert bytes(copied) == before.tobytes()
    assert digest == config["files"]["titles.npy"]["sha256"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1, "a": 2}', "a name occurs twice"),
        (b'{"a": {"b": {"c": 1, "c": 1}}}', "a name occurs twice"),
        (b"[" * 200_000, "can't be read as JSON"),
        (b'{"a":' * 200_000, "can't be read as JSON"),
        (b'{"a": ' + b"[" * 990 + b"]" * 990 + b"}", ""),
        (b'{"a": ' + b"9" * 5_000 + b"}", "can't be read as JSON"),
        (b" " * 1_000_001, "it has more than 1,000,000 bytes"),
        (b"{}" + b" " * 2**21, "it has more than 1,000,000 bytes"),
        (b'"' + b"\xff" * 99 + b'"', "can't be read as JSON"),
        (b"\xff\xfe", "can't be read as JSON"),
        (b"null", "expected an object, got null"),
    ],
)
def test_the_size_of_a_config_is_checked_before_it_is_read(folder: Path, content: bytes, expected: str) -> None:
    (folder / CONFIG).write_bytes(content)
    tracemalloc.start()
    assert expected in problem(folder, CONFIG)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25
    assert array_folder.listed(folder, model_folder.FORMAT) == []


@pytest.mark.parametrize(
    "files",
    [
        {"../secret.npy": {}, "/etc/passwd.npy": {}, "a/../../secret.npy": {}, ".npy": {}, "a.b.c.npy": {}},
        {"x" * 300 + ".npy": {}, "a\x00.npy": {}, "titles.npy\n": {}, "ü.npy": {}, "\ud800.npy": {}},
        ["../secret.npy", 7, None],
        "titles.npy",
        7,
        None,
        {},
    ],
)
def test_hostile_names_are_neither_removed_nor_counted(folder: Path, files: object) -> None:
    secret = folder.parent / "secret.npy"
    secret.write_bytes(b"stays")
    sign(folder, files=files)
    assert array_folder.listed(folder, model_folder.FORMAT) == []
    assert model_folder.num_bytes(folder) == (folder / CONFIG).stat().st_size
    assert "'files' has no size and sha256 of " in problem(folder, CONFIG)
    model_folder.clear(folder)
    assert list(folder.iterdir()) == []
    assert secret.read_bytes() == b"stays"
