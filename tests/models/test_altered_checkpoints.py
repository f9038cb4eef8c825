"""Altered checkpoints with a valid signature: they are named and skipped, or refused before the fit resumes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recommender.common import array_folder
from recommender.errors import FitError
from recommender.models.checkpoints import Checkpoints, Phase
from recommender.models.iteration import Iteration, Start
from recommender.models.networks import BasicMF

TABLE = torch.arange(6, dtype=torch.float32).reshape(3, 2)


def saved(folder: Path) -> Path:
    """Save one checkpoint of a job. Return its path."""
    iteration = Iteration(4, BasicMF(3, 2, 2), {"user_embedding": TABLE, "user_bias.values": TABLE[:, 0]})
    Checkpoints(folder, "job").save(Phase.CHOOSE, iteration, [1.5, 1.25])
    (path,) = folder.iterdir()
    return path


def change_and_sign(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the config.json of a checkpoint, and sign it again."""
    file = path / array_folder.CONFIG_FILE
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(array_folder.signed(config)))


def test_a_saved_checkpoint_is_loaded_unchanged(tmp_path: Path) -> None:
    saved(tmp_path)
    found = Checkpoints(tmp_path, "job").newest()
    assert found is not None
    assert (found.phase, found.start.number, found.errors) == (Phase.CHOOSE, 4, [1.5, 1.25])
    assert torch.equal(found.start.arrays["user_embedding"], TABLE)
    found.start.arrays["user_bias.values"][0] = 7  # its memory is writable


@pytest.mark.parametrize(
    "change",
    [
        *(lambda config, name=name: config.pop(name) for name in ("phase", "number", "errors", "arrays", "files")),
        lambda config: config.update(phase="other"),
        lambda config: config.update(number="4"),
        lambda config: config.update(number=0),
        lambda config: config.update(number=True),
        lambda config: config.update(errors={}),
        lambda config: config.update(errors=["1"]),
        lambda config: config.update(arrays=["../user_embedding", "user_bias.values"]),
        lambda config: config.update(arrays=7),
        lambda config: config.update(arrays=["user_embedding"]),
        lambda config: config["files"].pop("user_embedding.npy"),
        lambda config: config["files"].update({"../other.npy": {"bytes": 1, "sha256": ""}, "other.npy": {}}),
    ],
)
def test_an_altered_checkpoint_is_named_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], object]
) -> None:
    path = saved(tmp_path)
    change_and_sign(path, change)
    assert Checkpoints(tmp_path, "job").newest() is None
    assert f"{path}/config.json: " in capsys.readouterr().out


@pytest.mark.parametrize("array", [np.zeros((3, 2), np.complex64), np.zeros((3, 2), ">f4"), np.array(["a"])])
def test_an_array_without_plain_numbers_is_named_and_the_checkpoint_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], array: np.ndarray
) -> None:
    path = saved(tmp_path)
    np.save(path / "user_embedding.npy", array)
    files = {"user_embedding.npy": array_folder.fingerprint(path / "user_embedding.npy")}
    change_and_sign(path, lambda config: config["files"].update(files))
    assert Checkpoints(tmp_path, "job").newest() is None
    assert f"{path}/user_embedding.npy: can't be loaded: " in capsys.readouterr().out


@pytest.mark.parametrize("other", [{}, {"a": TABLE[:2]}, {"a": TABLE[:, 0]}, {"b": TABLE}, {"a": TABLE, "b": TABLE}])
def test_tables_with_other_names_or_shapes_are_refused_before_the_fit_resumes(other: dict[str, torch.Tensor]) -> None:
    tables = {"a": torch.zeros(3, 2)}
    Start(1, {"a": TABLE}).copy_into(tables)
    assert torch.equal(tables["a"], TABLE)
    with pytest.raises(FitError, match="the checkpoint has other tables than this job"):
        Start(1, other).copy_into(tables)
