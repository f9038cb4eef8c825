"""Only a complete new model replaces an earlier one. Real jobs fail, are killed, or run at the same time."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.job import ROOT, Job

from recommender.artifacts import model_folder
from recommender.cli import train
from recommender.common import array_folder
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import BASE_DIR

HEADER = "user_id,item_id,rating,timestamp\n"
EARLIER = HEADER + "".join(
    f"u{user},i{(user + step) % 7},{step + 1},{step}\n" for user in range(9) for step in range(3)
)
LATER = HEADER + "".join(f"v{user},j{(user + step) % 8},{step + 1},{step}\n" for user in range(9) for step in range(3))


ORIGINALS = {name: getattr(Path, name) for name in ("rename", "replace", "unlink", "rmdir")}


@pytest.fixture
def with_model(job: Job) -> Job:
    """Return a job with a model of `EARLIER`, and `LATER` in its channel."""
    job.write("train/a.csv", EARLIER)
    assert train.main([]) == 0
    job.write("train/a.csv", LATER)
    return job


def users_of(job: Job) -> str:
    """Return the first letter of all user IDs."""
    (letter,) = {user_id[0] for user_id in Recommender.load(job.container.model_dir).model.users}
    return letter


def test_a_new_model_replaces_all_files_of_the_earlier_one(with_model: Job) -> None:
    assert train.main(["--pipeline", "paper"]) == 0
    assert users_of(with_model) == "v"
    config = json.loads((with_model.container.model_dir / array_folder.CONFIG_FILE).read_text())
    assert set(with_model.model_bytes) == {*config["files"], array_folder.CONFIG_FILE}
    assert "neighbours.score.npy" not in config["files"]  # the earlier model has it


def test_the_earlier_model_is_served_until_the_new_one_is_complete(with_model: Job) -> None:
    later = Recommender.load(with_model.container.model_dir).model
    with model_folder.replacing(with_model.container.model_dir):
        model_folder.stage(later, with_model.container.model_dir)
        assert users_of(with_model) == "u"


def test_a_job_that_is_killed_while_it_replaces_the_model_leaves_a_complete_one(
    with_model: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupt the replacement before each of its renames and removals in turn."""
    folder = with_model.container.model_dir
    other = Job(tmp_path / "other")
    other.write("train/a.csv", LATER)
    assert train.main(["--base-dir", str(other.base_dir)]) == 0
    later = Recommender.load(other.container.model_dir).model

    class Killed(BaseException):
        pass

    seen = []
    for moment in range(200):
        left = iter(range(moment))

        def count(path: Path, *rest: Path, call: str, left: Iterator[int] = left) -> object:
            if next(left, None) is None:
                raise Killed
            return ORIGINALS[call](path, *rest)

        array_folder.stage(folder, *staged_of(later, tmp_path))
        with monkeypatch.context() as patch:
            for name in ORIGINALS:
                patch.setattr(Path, name, lambda path, *rest, call=name, **_: count(path, *rest, call=call))
            try:
                array_folder.publish(folder)
            except Killed:
                pass
            else:
                break
        seen.append(users_of(with_model))
    assert moment > 30
    assert seen == sorted(seen)  # the earlier model up to some moment, then the later one
    assert set(seen) == {"u", "v"}
    assert users_of(with_model) == "v"


def staged_of(model: model_folder.Model, tmp_path: Path) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return the configuration and the arrays of a model."""
    folder = tmp_path / "saved"
    model_folder.save(model, folder)
    config = json.loads((folder / array_folder.CONFIG_FILE).read_text())
    names = [name.removesuffix(".npy") for name in config["files"]]
    arrays = array_folder.load_arrays(folder, names, config)
    return {name: value for name, value in config.items() if name != "files"}, arrays


def test_a_second_job_in_the_same_folder_is_refused_with_the_folders_name(
    with_model: Job, capfd: pytest.CaptureFixture[str]
) -> None:
    with model_folder.replacing(with_model.container.model_dir):
        assert train.main([]) == 1
    assert f"{with_model.container.model_dir}: another job is at work" in capfd.readouterr().err
    assert not with_model.container.failure_file.exists()  # it is the other job's
    assert users_of(with_model) == "u"
    assert train.main([]) == 0
    assert users_of(with_model) == "v"


def test_four_jobs_at_once_leave_one_complete_model(with_model: Job) -> None:
    environment = os.environ | {BASE_DIR: str(with_model.base_dir)}
    command = [sys.executable, str(ROOT / "train.py")]
    jobs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [job.communicate(timeout=300)[1] for job in jobs]
    refused = [error for job, error in zip(jobs, errors, strict=True) if job.returncode]
    assert all("another job is at work" in error for error in refused)
    assert len(refused) < 4
    assert users_of(with_model) == "v"


def test_a_job_that_is_killed_leaves_the_earlier_model(with_model: Job) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py")],
        env=os.environ | {BASE_DIR: str(with_model.base_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "choosing options and ranking on" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert users_of(with_model) == "u"


def test_on_a_full_disk_the_job_fails_with_the_reason_and_keeps_the_earlier_model(with_model: Job) -> None:
    """Limit files to 4 KB, as if the disk were full."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    lines = [HEADER, *(f"w{user},k{(user * step) % 400},{step},{step}\n" for user in range(500) for step in (1, 2, 3))]
    with_model.write("train/a.csv", "".join(lines))
    result = subprocess.run(
        [sys.executable, str(ROOT / "train.py")],
        env=os.environ | {BASE_DIR: str(with_model.base_dir)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 1
    assert with_model.failure is not None
    assert "can't be written" in with_model.failure
    assert users_of(with_model) == "u"
    assert not (with_model.container.model_dir / array_folder.STAGED).exists()


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "iso8859-2:strict"}])
def test_a_job_succeeds_if_stdout_can_not_encode_a_line(job: Job, environment: dict[str, str]) -> None:
    moved = job.base_dir / "løc"
    other = Job(moved)
    other.write("train/a.csv", EARLIER)
    result = subprocess.run(
        [sys.executable, str(ROOT / "train.py")],
        env=os.environ | {BASE_DIR: str(moved)} | environment,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert rb"l\xf8c" in result.stdout
    assert "config.json" in other.model_files


@pytest.mark.parametrize("redirect", ["> /dev/full", ">&-", "| true"])
def test_a_job_succeeds_if_stdout_is_full_or_closed(job: Job, redirect: str) -> None:
    job.write("train/a.csv", EARLIER)
    command = f"set -o pipefail; {sys.executable} {ROOT / 'train.py'} {redirect}"
    result = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {BASE_DIR: str(job.base_dir)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "config.json" in job.model_files


def test_files_and_folder_are_synced_before_the_job_says_that_the_model_is_written(job: Job, tmp_path: Path) -> None:
    """Check that all files are synced before "the model is in ..." is printed, and the folder after the renames."""
    job.write("train/a.csv", EARLIER)
    trace = tmp_path / "trace.txt"
    code = (
        "import os, sys; kept = os.fsync\n"
        f"file = open({str(trace)!r}, 'a')\n"
        "def fsync(number):\n"
        "    print(os.readlink(f'/proc/self/fd/{number}'), file=file, flush=True)\n"
        "    kept(number)\n"
        "os.fsync = fsync\n"
        "from recommender.common import output\n"
        "say = output._write\n"
        "output._write = lambda line, stream: (print('SAID', line, file=file, flush=True), say(line, stream))\n"
        "from recommender.cli.train import main; sys.exit(main([]))"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | {BASE_DIR: str(job.base_dir)}, cwd=ROOT, check=True)
    lines = trace.read_text().splitlines()
    said = next(place for place, line in enumerate(lines) if line.startswith("SAID the model is in"))
    folder = job.container.model_dir
    synced = {Path(line).name for line in lines[:said] if line.startswith(f"{folder / array_folder.STAGED}/")}
    assert {name for name in job.model_files if name.endswith(".npy")} <= synced
    assert lines[:said].count(str(folder)) >= 2


def test_checkpoints_are_written_to_the_local_path_of_checkpointconfig_json(job: Job, tmp_path: Path) -> None:
    job.write("train/a.csv", EARLIER)
    for local_path, expected in (
        (str(tmp_path / "spot"), tmp_path / "spot"),
        ("/opt/ml/checkpoints/spot", job.base_dir / "checkpoints" / "spot"),
    ):
        job.write_config("checkpointconfig.json", json.dumps({"LocalPath": local_path}))
        assert job.container.checkpoint_dir == expected
        assert train.main(["--pipeline", "paper"]) == 0
        assert any(expected.iterdir())
    job.write_config("checkpointconfig.json", '{"LocalPath": 5}')
    assert train.main([]) == 1
    assert "checkpointconfig.json: LocalPath: expected the absolute path of a folder, got 5" in str(job.failure)


def test_if_the_train_channel_is_missing_the_failure_names_the_channels_found(job: Job) -> None:
    job.write("training/a.csv", EARLIER)
    assert train.main([]) == 1
    assert "channel 'train' is missing" in str(job.failure)
    assert "found only 'training'" in str(job.failure)


@pytest.mark.parametrize("word", ["False", "false"])
def test_false_may_be_spelled_as_the_sdk_writes_it(job: Job, word: str) -> None:
    job.write("train/a.csv", EARLIER)
    job.write_config("hyperparameters.json", json.dumps({"report": word, "candidate_sources": "None"}))
    assert train.main([]) == 0
    assert not job.container.report_file.exists()


def test_equal_ratings_are_logged_and_popular_items_come_first(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [(f"u{user}", item, 1) for user in range(20) for item in ("i9", f"i{user % 3}", f"i{user % 2}")]
    job.write("train/a.csv", "user_id,item_id,rating\n" + "".join(f"{u},{i},{r}\n" for u, i, r in {*rows}))
    for pipeline in ("auto", "paper"):
        assert train.main(["--pipeline", pipeline, "--report", "true"]) == 0
        out = capfd.readouterr().out
        assert "all ratings are 1: nothing tells items apart, so the popular ones come first" in out
        assert "validation_rmse=" not in out.replace("iteration_validation_rmse", "")
        assert "validation_rmse" not in job.metrics
        assert "All ratings are equal" in job.container.report_file.read_text()
        assert "Traceback" not in out
        recommender = Recommender.load(job.container.model_dir)
        user_id = "u0" if pipeline == "paper" else "new"
        response = recommender.recommend(user_id, exclude_seen=False)
        assert response.items[0].item_id == "i9"


def test_if_the_network_interface_is_missing_gloo_chooses_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from recommender.models.distributed import Hosts
    from recommender.sagemaker.environment import Cluster

    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    for interface, chosen in (("ethwe", None), ("lo", "lo")):
        Hosts(Cluster("algo-1", ("algo-1", "algo-2"), interface))._choose_interface()
        assert os.environ.get("GLOO_SOCKET_IFNAME") == chosen
    assert "network interface 'ethwe' not found: this host has lo" in capfd.readouterr().out
