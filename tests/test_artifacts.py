"""The model folder: what is damaged is named, and nothing is unpickled."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job import Job

from recommender import artifacts, storage
from recommender.errors import ArtifactError
from recommender.pipeline import Recommender

FILES = sorted([*(f"{name}.npy" for name in artifacts.ARRAYS), storage.CONFIG_FILE])


def test_the_folder_holds_what_the_server_needs_and_nothing_else(trained: Job) -> None:
    assert trained.model_files == FILES


def test_what_is_loaded_is_what_was_saved(trained: Job, tmp_path: Path) -> None:
    model = artifacts.load(trained.container.model_dir)
    artifacts.save(model, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (trained.container.model_dir / name).read_bytes(), name


def test_arrays_are_mapped_and_not_copied(trained: Job) -> None:
    model = artifacts.load(trained.container.model_dir)
    for name, array_of in artifacts.ARRAYS.items():
        array = array_of(model)
        base = array
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            assert base.base is not None, f"{name} is a copy"
            base = base.base
        assert not array.flags.writeable, name


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(trained_copy: Job, name: str) -> None:
    (trained_copy.container.model_dir / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: is missing"):
        artifacts.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(trained_copy: Job, name: str) -> None:
    file = trained_copy.container.model_dir / name
    file.write_bytes(file.read_bytes()[:-1])
    if name == storage.CONFIG_FILE:  # its last byte is a line feed
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=name):
        artifacts.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("name", [name for name in FILES if name != storage.CONFIG_FILE])
def test_one_altered_bit_is_named(trained_copy: Job, name: str) -> None:
    file = trained_copy.container.model_dir / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name}.*altered"):
        artifacts.load(trained_copy.container.model_dir)


def set_version(config: dict[str, Any]) -> None:
    config["format_version"] = artifacts.FORMAT_VERSION + 1


def drop_files(config: dict[str, Any]) -> None:
    del config["files"]


def drop_mean(config: dict[str, Any]) -> None:
    del config["global_mean"]


def other_format(config: dict[str, Any]) -> None:
    config["format"] = "something else"


def unknown_hyperparameter(config: dict[str, Any]) -> None:
    config["hyperparameters"]["colour"] = "red"


def spoil_mean(config: dict[str, Any]) -> None:
    config["global_mean"] = float("nan")


def spoil_terms(config: dict[str, Any]) -> None:
    config["num_title_terms"] = 1


def drop_fingerprint(config: dict[str, Any]) -> None:
    config["files"]["titles.npy"] = None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_version, "format_version is 2, this server reads 1"),
        (drop_files, "'files' has no size"),
        (drop_mean, "global_mean"),
        (other_format, "expected format"),
        (unknown_hyperparameter, "'colour'"),
        (drop_fingerprint, "titles.npy"),
        (spoil_mean, "global_mean is not a finite number"),
        (spoil_terms, "num_title_terms"),
    ],
)
def test_a_config_that_this_server_cannot_serve_is_named(
    trained_copy: Job, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    file = trained_copy.container.model_dir / storage.CONFIG_FILE
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(storage.signed(config)))
    with pytest.raises(ArtifactError, match=expected):
        artifacts.load(trained_copy.container.model_dir)


@pytest.mark.parametrize(("found", "other"), [('"global_mean": ', '"global_mean": 9'), ('"seed": 0', '"seed": 1')])
def test_an_altered_config_is_named(trained_copy: Job, found: str, other: str) -> None:
    file = trained_copy.container.model_dir / storage.CONFIG_FILE
    assert found in file.read_text()
    file.write_text(file.read_text().replace(found, other))
    with pytest.raises(ArtifactError, match=r"config\.json: .* was altered"):
        artifacts.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"', "[" * 100_000, '{"format": "two-stage-recommender"}'])
def test_a_config_that_is_not_what_train_writes_is_named(trained_copy: Job, content: str) -> None:
    (trained_copy.container.model_dir / storage.CONFIG_FILE).write_text(content)
    with pytest.raises(ArtifactError, match=r"config\.json"):
        artifacts.load(trained_copy.container.model_dir)


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (open, ("exploded", "w"))  # type: ignore[return-value]


def test_a_pickled_array_is_refused_and_not_executed(
    trained_copy: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a checksum that fits."""
    monkeypatch.chdir(tmp_path)
    folder = trained_copy.container.model_dir
    np.save(folder / "titles.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert pickle.PROTO in (folder / "titles.npy").read_bytes()
    config = json.loads((folder / storage.CONFIG_FILE).read_text())
    config["files"]["titles.npy"] = storage.fingerprint(folder / "titles.npy")
    (folder / storage.CONFIG_FILE).write_text(json.dumps(storage.signed(config)))
    with pytest.raises(ArtifactError, match=r"titles\.npy"):
        artifacts.load(folder)
    assert not (tmp_path / "exploded").exists()


def test_tables_that_do_not_belong_together_are_refused(trained_copy: Job) -> None:
    folder = trained_copy.container.model_dir
    np.save(folder / "item_bias.npy", np.zeros(3, np.float32))
    config = json.loads((folder / storage.CONFIG_FILE).read_text())
    config["files"]["item_bias.npy"] = storage.fingerprint(folder / "item_bias.npy")
    (folder / storage.CONFIG_FILE).write_text(json.dumps(storage.signed(config)))
    with pytest.raises(ArtifactError, match="item tables do not all have"):
        artifacts.load(folder)


def test_a_recommender_is_not_made_from_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"config\.json: is missing"):
        Recommender.load(tmp_path)
