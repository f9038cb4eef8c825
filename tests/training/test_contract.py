"""The training contract, by the lines of its checklist. train.py is called as SageMaker or a user calls it."""

import gzip
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Protocol

import pandas as pd
import pytest
from support.job import Job
from support.model import options_of

from infra.local.s3 import S3Server
from recommender.cli import train
from recommender.hyperparameters import TrainConfig
from recommender.models.options import FactorizationOptions
from recommender.pipeline.recommender import Recommender
from recommender.ranking.features.title_similarity import TitleSimilarityOptions

HEADER = "user_id,item_id,rating,timestamp\n"
ROWS = [("u1", "i1", 5.0, 1), ("u1", "i2", 1.0, 2), ("u2", "i1", 4.0, 3), ("u2", "i2", 2.0, 4), ("u3", "i1", 5.0, 5)]
STRANGER = 4321  # a user ID without a name on this machine


def lines(rows: list[tuple[str, str, float, int]]) -> str:
    """Return rows as CSV."""
    return "".join(f"{user},{item},{rating},{time}\n" for user, item, rating, time in rows)


def write_input_data_config(job: Job, **channels: dict[str, str]) -> None:
    file = job.container.hyperparameters_file.with_name("inputdataconfig.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(channels))


class Run(Protocol):
    """A call of train.py's main in this process. It returns exit code, output and errors."""

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that calls train.py's main with arguments and environment variables."""

    def call(*arguments: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            capfd.readouterr()
            code = train.main(list(arguments))
        return code, *capfd.readouterr()

    return call


def run_under(job: Job, *prefix: str) -> tuple[int, str]:
    """Run train.py as a process. Return exit code and errors."""
    process = job.start_training(prefix=prefix)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


@pytest.fixture
def ready(job: Job) -> Job:
    """Return a job with five ratings in the channel train."""
    job.write("train/a.csv", HEADER + lines(ROWS))
    job.write_hyperparameters(embedding_dim="4")
    return job


def test_line_1_and_2_string_hyper_parameters_without_arguments_train_a_model(ready: Job) -> None:
    assert run_under(ready) == (0, "")
    assert options_of(Recommender.load(ready.container.model_dir)).embedding_dim == 4


def test_line_3_reserved_keys_are_ignored_and_an_unknown_key_fails_the_job_by_name(ready: Job, run: Run) -> None:
    ready.write_hyperparameters(
        sagemaker_program="x.py", _tuning_objective_metric="validation_rmse", sagemaker_mpi_x="1"
    )
    assert run()[0] == 0
    ready.write_hyperparameters(n_factors="20")
    assert run()[0] == 1
    assert "'n_factors': unknown name" in (ready.failure or "")


def test_line_6_files_of_all_formats_may_be_mixed_and_nested(ready: Job, run: Run) -> None:
    frame = pd.DataFrame([("u4", "i1", 3.0, 6)], columns=["user_id", "item_id", "rating", "timestamp"])
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    record = {"user_id": "u5", "item_id": "i2", "rating": 4, "timestamp": 7, "text": "good"}
    ready.write("train/2025/b.csv.gz", gzip.compress((HEADER + lines([("u6", "i2", 2.0, 8)])).encode()))
    ready.write("train/2025/01/c.parquet", parquet.getvalue())
    ready.write("train/d.jsonl", json.dumps(record) + "\n")
    ready.write("train/e.jsonl.gz", gzip.compress(json.dumps(record | {"user_id": "u7"}).encode()))
    assert run()[0] == 0
    assert list(Recommender.load(ready.container.model_dir).model.users) == [f"u{number}" for number in range(1, 8)]


@pytest.mark.parametrize(
    ("name", "settings", "code"),
    [
        ("part-0", {"TrainingInputMode": "File", "ContentType": "text/csv; charset=utf-8"}, 0),
        ("part-0", {"TrainingInputMode": "FastFile", "ContentType": "text/csv"}, 0),
        ("part-0.csv", {"TrainingInputMode": "FastFile"}, 0),
        ("part-0.csv", {"TrainingInputMode": "File", "RecordWrapperType": "None"}, 0),
        ("part-0", {"TrainingInputMode": "File"}, 1),
    ],
)
def test_line_7_a_content_type_is_optional_and_gives_the_format_of_files_without_a_suffix(
    job: Job, run: Run, name: str, settings: dict[str, str], code: int
) -> None:
    job.write(f"train/{name}", HEADER + lines(ROWS))
    write_input_data_config(job, train=settings)
    assert run()[0] == code
    assert code == 0 or "part-0: expected a name that ends in" in (job.failure or "")


def test_line_8_pipe_mode_is_refused_with_the_names_of_the_supported_modes(ready: Job, run: Run) -> None:
    write_input_data_config(ready, train={"TrainingInputMode": "Pipe"})
    assert run()[0] == 1
    assert ready.failure == "channel 'train': expected TrainingInputMode File or FastFile, got Pipe"


def test_line_8_a_pipe_without_inputdataconfig_is_refused_too(job: Job, run: Run) -> None:
    folder = job.container.channel_dir("train").parent
    folder.mkdir(parents=True)
    os.mkfifo(folder / "train_0")
    assert run()[0] == 1
    assert "expected TrainingInputMode File or FastFile, got Pipe" in (job.failure or "")


@pytest.mark.real_component
def test_line_9_the_input_may_be_a_read_only_mount(ready: Job) -> None:
    """Mount the input read-only. Permissions would not be enough, because root may write anywhere."""
    script = (
        f"mount --bind {ready.base_dir}/input {ready.base_dir}/input && mount -o remount,ro,bind {ready.base_dir}/input"
    )
    assert run_under(ready, "unshare", "--mount", "sh", "-c", script + ' && exec "$@"', "sh") == (0, "")


@pytest.mark.real_component
def test_line_9_a_user_without_a_home_who_may_only_write_to_the_job_can_train(ready: Job) -> None:
    """Train where compiled code can't be cached. A capability lets the user read root's files."""
    for path in [ready.base_dir, *ready.base_dir.rglob("*")]:
        os.chown(path, STRANGER, STRANGER)
    ids = (f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    may = (f"--{of}=-all,+dac_read_search" for of in ("inh-caps", "ambient-caps", "bounding-set"))
    process = ready.start_training(prefix=("setpriv", *ids, *may), HOME="/nonexistent", PYTHONDONTWRITEBYTECODE="1")
    _, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    assert "neighbours.score.npy" in ready.model_files


@pytest.mark.real_component
def test_line_14_a_model_is_trained_without_a_network(ready: Job) -> None:
    assert run_under(ready, "unshare", "--net") == (0, "")


def test_line_15_two_runs_with_the_same_seed_give_the_same_bytes(ready: Job, run: Run) -> None:
    assert run()[0] == 0
    first = ready.fingerprints
    shutil.rmtree(ready.container.checkpoint_dir)
    assert run()[0] == 0
    assert ready.fingerprints == first


def test_line_16_a_model_may_be_packed_and_served_elsewhere(ready: Job, run: Run, tmp_path: Path) -> None:
    assert run()[0] == 0
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(ready.container.model_dir, arcname=".")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        tar.extractall(tmp_path / "elsewhere", filter="data")
    here, there = Recommender.load(ready.container.model_dir), Recommender.load(tmp_path / "elsewhere")
    assert here.recommend("u3") == there.recommend("u3")


def test_a_validation_channel_is_used_for_validation(ready: Job, run: Run) -> None:
    ready.write("validation/v.csv", HEADER + lines([("u3", "i2", 1.0, 9), ("stranger", "i1", 3.0, 9)]))
    code, output, _ = run()
    assert code == 0
    assert ready.metrics["num_validation_ratings"] == 1
    assert "1 of 2 validation ratings left out" in output


def test_the_command_line_overrides_channels_and_hyper_parameters(ready: Job, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(HEADER + lines([*ROWS, ("u8", "i9", 3.0, 8)]))
    code, _, errors = run("--train", str(file), "--embedding_dim", "3", "--max-sweeps=2")
    assert (code, errors) == (0, "")
    model = Recommender.load(ready.container.model_dir).model
    options = model.config.of(FactorizationOptions)
    assert (options.embedding_dim, options.max_sweeps) == (3, 2)
    assert "u8" in set(model.users)


def test_an_option_may_have_the_name_of_its_component_as_a_prefix(ready: Job, run: Run) -> None:
    assert run("--factorization_embedding_dim", "3", "--title-similarity-weight", "0.25")[0] == 0
    config = Recommender.load(ready.container.model_dir).model.config
    assert config.of(FactorizationOptions).embedding_dim == 3
    assert config.of(TitleSimilarityOptions).weight == 0.25
    code, _, errors = run("--factorization_embedding_dim", "3", "--embedding_dim", "4")
    assert code == 1
    assert "are the same: give one of them" in errors


def test_the_base_dir_of_the_command_line_overrides_every_variable(ready: Job, run: Run, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    code, _, _ = run("--base-dir", str(ready.base_dir), SM_MODEL_DIR=elsewhere, SAGEMAKER_BASE_DIR=elsewhere)
    assert code == 0
    assert "config.json" in ready.model_files


@pytest.mark.parametrize("arguments", [["--colour", "red"], ["ratings.csv"], ["--embedding_dim"]])
def test_an_invalid_command_line_is_written_to_the_failure_file(ready: Job, run: Run, arguments: list[str]) -> None:
    code, _, errors = run(*arguments)
    assert code == 1
    assert errors.startswith("error: command line: ")
    assert "train.py --help" in (ready.failure or "")


def test_an_invalid_command_line_removes_no_model(ready: Job, run: Run) -> None:
    """Give an invalid option after --base-dir. The command fails before it knows the job."""
    assert run()[0] == 0
    before = ready.fingerprints
    assert run("--base-dir", "elsewhere", "--typo", "3")[0] == 1
    assert ready.fingerprints == before


def test_help_names_every_channel_and_hyper_parameter_and_trains_nothing(ready: Job, run: Run) -> None:
    code, output, _ = run("--help")
    assert code == 0
    assert [
        name for name in ["base-dir", "train", "validation", *TrainConfig.model_fields] if f"--{name}" not in output
    ] == []
    assert ready.model_files == []


def test_variables_of_the_toolkits_are_used_but_the_jobs_file_overrides_them(
    ready: Job, run: Run, tmp_path: Path
) -> None:
    channel, model, output = (tmp_path / "elsewhere" / name for name in ("channel", "model", "output"))
    channel.parent.mkdir()
    shutil.move(ready.container.channel_dir("train"), channel)
    environment = {
        "SM_CHANNEL_TRAIN": str(channel),
        "SM_MODEL_DIR": str(model),
        "SM_OUTPUT_DATA_DIR": str(output),
        "SM_HPS": json.dumps({"max_sweeps": 3, "seed": 5}),
        "SM_HP_SEED": "7",
        "SM_HP_EMBEDDING-DIM": "9",  # the job's file has 4
        "SM_HP_RERANK_WEIGHT": "0.5",
    }
    code, _, errors = run(**environment)
    assert (code, errors) == (0, "")
    config = Recommender.load(model).model.config
    options, weight = config.of(FactorizationOptions), config.of(TitleSimilarityOptions).weight
    assert (options.max_sweeps, options.seed, options.embedding_dim, weight) == (3, 7, 4, 0.5)
    assert (output / "metrics.json").exists()
    assert ready.model_files == []


def test_with_a_base_dir_the_toolkits_hyper_parameters_are_still_used(ready: Job, run: Run, tmp_path: Path) -> None:
    assert run("--base-dir", str(ready.base_dir), SM_HPS='{"max_sweeps": 3}', SM_MODEL_DIR=str(tmp_path / "x"))[0] == 0
    assert options_of(Recommender.load(ready.container.model_dir)).max_sweeps == 3


def test_an_error_names_the_source_of_an_invalid_value(ready: Job, run: Run) -> None:
    code, _, errors = run(SM_HP_SEED="x")
    assert (code, "SM_HP_*: hyper-parameter 'seed'" in errors) == (1, True)
    code, _, errors = run("--seed", "-1")
    assert (code, "command line: hyper-parameter 'seed'" in errors) == (1, True)


def test_an_unused_channel_is_named_in_the_log(ready: Job, run: Run) -> None:
    write_input_data_config(ready, train={"TrainingInputMode": "File"}, tests={"TrainingInputMode": "File"})
    assert "channel 'tests' is not used" in run()[1]


def test_a_channel_may_be_in_s3(job: Job, run: Run, s3: S3Server) -> None:
    s3.put(
        "ratings",
        {"fashion/a.csv": (HEADER + lines(ROWS[:3])).encode(), "fashion/b.csv": (HEADER + lines(ROWS[3:])).encode()},
    )
    code, _, errors = run("--train", "s3://ratings/fashion")
    assert (code, errors) == (0, "")
    assert job.metrics["num_ratings"] == len(ROWS)


def test_an_error_names_a_missing_bucket(job: Job, run: Run, s3: S3Server) -> None:
    code, _, errors = run("--train", "s3://no-such-bucket/fashion")
    assert code == 1
    assert "s3://no-such-bucket/fashion" in errors
    assert job.failure == errors.removeprefix("error: ").rstrip("\n")
