from pathlib import Path

import pytest

from recommender.container import Container, ServerSettings
from recommender.errors import ConfigError


def test_the_tree_is_that_of_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGEMAKER_BASE_DIR", raising=False)
    container = Container.from_environment()
    assert container.hyperparameters_file == Path("/opt/ml/input/config/hyperparameters.json")
    assert container.channel_dir("train") == Path("/opt/ml/input/data/train")
    assert container.model_dir == Path("/opt/ml/model")
    assert container.failure_file == Path("/opt/ml/output/failure")
    assert container.metrics_file == Path("/opt/ml/output/data/metrics.json")


@pytest.mark.parametrize("content", ["", "[1]", "{", "nonsense", "[" * 100_000])
def test_hyperparameters_that_are_not_one_object_are_named(tmp_path: Path, content: str) -> None:
    container = Container(tmp_path)
    container.hyperparameters_file.parent.mkdir(parents=True)
    container.hyperparameters_file.write_text(content)
    with pytest.raises(ConfigError, match=r"hyperparameters\.json: expected one JSON object"):
        container.hyperparameters()


def test_a_failure_is_cut_to_what_sagemaker_keeps(tmp_path: Path) -> None:
    Container(tmp_path).write_failure("é" * 5_000)
    assert Container(tmp_path).failure_file.read_text(encoding="utf-8") == "é" * 1024


def test_port_and_workers_come_from_the_environment() -> None:
    environ = {"SAGEMAKER_BIND_TO_PORT": "9000", "SAGEMAKER_MODEL_SERVER_WORKERS": "3"}
    assert ServerSettings.from_environment(environ) == ServerSettings(port=9000, workers=3)
    settings = ServerSettings.from_environment({})
    assert settings.port == 8080
    assert settings.workers >= 1


@pytest.mark.parametrize("name", ["SAGEMAKER_BIND_TO_PORT", "SAGEMAKER_MODEL_SERVER_WORKERS"])
@pytest.mark.parametrize("value", ["0", "-1", "http", "1.5", "65536", "9" * 10_000, "²"])
def test_a_variable_that_is_not_a_whole_number_in_range_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected a whole number from 1 to"):
        ServerSettings.from_environment({name: value})
