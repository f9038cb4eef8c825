"""--model-sha256 and its variable: every model except the given one is refused."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from support.job import ROOT, Job

from recommender.cli import score, serve
from recommender.common import array_folder
from recommender.sagemaker.server_environment import MODEL_SHA256
from recommender.service.process import running_server

CLAIM = "its SHA-256 is {found}, expected {expected}: this is another model"


def sha256_of(job: Job) -> str:
    return hashlib.sha256((job.container.model_dir / array_folder.CONFIG_FILE).read_bytes()).hexdigest()


def forge(job: Job) -> None:
    """Alter an array and compute all checksums anew."""
    folder = job.container.model_dir
    counts = np.load(folder / "popularity.item_count.npy")
    np.save(folder / "popularity.item_count.npy", counts[::-1].copy())
    config = json.loads((folder / array_folder.CONFIG_FILE).read_text())
    config["files"]["popularity.item_count.npy"] = array_folder.fingerprint(folder / "popularity.item_count.npy")
    (folder / array_folder.CONFIG_FILE).write_text(json.dumps(array_folder.signed(config)))


def test_only_the_model_with_the_given_sha256_is_served(
    trained_copy: Job, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant = sha256_of(trained_copy)
    command = (sys.executable, str(ROOT / "serve.py"), "--model-sha256", meant.upper())
    with running_server(trained_copy.base_dir, {MODEL_SHA256: "0" * 64}, command=command) as server:
        assert server.invoke({"user_id": "nobody"})[0] == 200
    forge(trained_copy)
    folder, expected = (
        str(trained_copy.container.model_dir),
        CLAIM.format(found=sha256_of(trained_copy), expected=meant),
    )
    assert serve.main(["--model", folder, "--model-sha256", meant]) == 1
    assert f"config.json: {expected}" in capsys.readouterr().err
    output = tmp_path / "scores.parquet"
    assert score.main(["--model", folder, "--output", str(output), "--model-sha256", meant]) == 1
    assert f"config.json: {expected}" in capsys.readouterr().err
    monkeypatch.setenv(MODEL_SHA256, meant)
    assert serve.main(["--model", folder]) == 1
    assert f"config.json: {expected}" in capsys.readouterr().err
    assert score.main(["--model", folder, "--output", str(output)]) == 1
    assert f"config.json: {expected}" in capsys.readouterr().err
    assert score.main(["--model", folder, "--output", str(output), "--model-sha256", sha256_of(trained_copy)]) == 0


@pytest.mark.parametrize("given", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_the_error_for_an_invalid_sha256_names_its_source(
    given: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serve.main(["--model-sha256", given]) == 1
    assert "error: --model-sha256: expected 64 hexadecimal digits" in capsys.readouterr().err
    if given:
        monkeypatch.setenv(MODEL_SHA256, given)
        assert serve.main([]) == 1
        assert f"error: {MODEL_SHA256}: expected 64 hexadecimal digits" in capsys.readouterr().err
