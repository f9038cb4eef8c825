import logging
from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.sagemaker.environment import Container
from recommender.sagemaker.server_environment import MediaType, ServerSettings


def test_the_paths_are_those_of_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGEMAKER_BASE_DIR", raising=False)
    container = Container.from_environment()
    assert container.hyperparameters_file == Path("/opt/ml/input/config/hyperparameters.json")
    assert container.channel_dir("train") == Path("/opt/ml/input/data/train")
    assert container.model_dir == Path("/opt/ml/model")
    assert container.failure_file == Path("/opt/ml/output/failure")
    assert container.metrics_file == Path("/opt/ml/output/data/metrics.json")
    assert container.report_file == Path("/opt/ml/output/data/report.html")


@pytest.mark.parametrize("content", ["", "[1]", "{", "nonsense", "[" * 100_000])
def test_hyperparameters_other_than_one_object_are_an_error(tmp_path: Path, content: str) -> None:
    container = Container(tmp_path)
    container.hyperparameters_file.parent.mkdir(parents=True)
    container.hyperparameters_file.write_text(content)
    with pytest.raises(ConfigError, match=r"hyperparameters\.json: expected one JSON object"):
        container.hyperparameters()


def test_a_failure_is_cut_to_sagemakers_limit(tmp_path: Path) -> None:
    Container(tmp_path).write_failure("é" * 5_000)
    assert Container(tmp_path).failure_file.read_text(encoding="utf-8") == "é" * 1024


def test_the_environment_sets_the_server() -> None:
    assert ServerSettings.from_environment(
        {
            "SAGEMAKER_BIND_TO_PORT": "9000",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "120",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "10",
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": "20",
            "SAGEMAKER_BATCH": "True",
            "SERVER_HOST": "0.0.0.0",
            "SERVER_USER": "99",
        }
    ) == ServerSettings("0.0.0.0", 9000, 3, 120, logging.DEBUG, MediaType.CSV, 20 * 2**20, is_batch=True, user=99)
    settings = ServerSettings.from_environment({})
    assert (settings.host, settings.port, settings.timeout) == ("127.0.0.1", 8080, 60)
    assert settings.log_level == logging.INFO
    assert (settings.accept, settings.max_payload_in_mb, settings.is_batch) == (None, 6, False)
    assert settings.workers >= 1
    assert settings.user is None
    assert ServerSettings.from_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).max_payload_in_mb == 100


def test_short_names_of_variables_count_if_the_long_ones_are_not_set() -> None:
    short = {"MODEL_SERVER_WORKERS": "5", "MODEL_SERVER_TIMEOUT": "7"}
    settings = ServerSettings.from_environment(short)
    assert (settings.workers, settings.timeout) == (5, 7)
    assert ServerSettings.from_environment({**short, "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}).workers == 2


@pytest.mark.parametrize(
    ("value", "level"), [("20", 20), ("warning", 30), ("ERROR", 40), ("", 20), ("0", 0), ("35", 35)]
)
def test_a_log_level_is_a_number_or_a_name(value: str, level: int) -> None:
    assert ServerSettings.from_environment({"SAGEMAKER_CONTAINER_LOG_LEVEL": value}).log_level == level


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "loud", "expected 10, 20, 30 ... or DEBUG, INFO, WARNING ..., got 'loud'"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "51", "expected 10, 20, 30"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "101", "expected a whole number from 0 to 100, got '101'"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "0", "expected a whole number from 1 to 3600, got '0'"),
        (
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
            "text/html",
            "expected one of application/json, application/jsonlines, text/csv, got 'text/html'",
        ),
    ],
)
def test_an_invalid_variable_of_the_server_is_an_error(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: {expected}"):
        ServerSettings.from_environment({name: value})


@pytest.mark.parametrize("name", ["SAGEMAKER_BIND_TO_PORT", "SAGEMAKER_MODEL_SERVER_WORKERS"])
@pytest.mark.parametrize("value", ["0", "-1", "http", "1.5", "65536", "9" * 10_000, "²"])
def test_a_variable_must_be_a_whole_number_in_its_range(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected a whole number from 1 to"):
        ServerSettings.from_environment({name: value})
