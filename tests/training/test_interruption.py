"""A job that is stopped or killed resumes where it stopped. It never leaves an incomplete model."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from support import trainer
from support.job import Job
from support.shared import Shared

from recommender.artifacts import model_folder
from recommender.cli import train
from recommender.common import array_folder
from recommender.errors import ArtifactError
from recommender.training import job as training_job

SAGEMAKER_WAITS = 120  # seconds between SIGTERM and SIGKILL
# Enough work for a signal to arrive in the middle of it, on any machine.
FEW_SOURCES = {"candidate_sources": "factorization,popularity"}  # only the factorization has checkpoints
ADAM = {"solver": "adam", "embedding_dim": "64", "max_epochs": "16", "patience": "16", "learning_rate": "0.01"}
SOLVERS = {"als": {"embedding_dim": "300", "max_sweeps": "40", **FEW_SOURCES}, "adam": {**ADAM, **FEW_SOURCES}}


@pytest.fixture
def solver() -> str:
    """Return the default solver, for tests without the parameter."""
    return "als"


@pytest.fixture
def uninterrupted(solver: str, shared: Shared) -> Job:
    """Return a job that train.py has finished. Tests must not change it."""

    def make(folder: Path) -> None:
        job = Job(folder)
        job.write_synthetic(users=600, items=400, ratings=9_000)
        job.write_hyperparameters(**SOLVERS[solver])
        job.train_shared()

    return Job(shared.folder(f"uninterrupted-{solver}", make))


@pytest.fixture
def work(uninterrupted: Job, job: Job) -> Job:
    """Return the same job before it starts."""
    shutil.copytree(uninterrupted.base_dir / "input", job.base_dir / "input")
    return job


@pytest.fixture
def finished(uninterrupted: Job, job: Job) -> Job:
    """Return a copy of the finished job."""
    shutil.copytree(uninterrupted.base_dir, job.base_dir, dirs_exist_ok=True)
    return job


both_solvers = pytest.mark.parametrize("solver", SOLVERS)


def wait_for(process: "subprocess.Popen[str]", beginning: str) -> None:
    """Wait for a line of output with this beginning."""
    assert process.stdout is not None
    assert any(line.startswith(beginning) for line in process.stdout), beginning


@both_solvers
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_job_logs_the_signal_ends_soon_and_resumes_to_the_same_bytes(
    work: Job, uninterrupted: Job, number: signal.Signals, code: int
) -> None:
    process = work.start_training()
    wait_for(process, "iteration=3;")
    process.send_signal(number)
    output, errors = process.communicate(timeout=SAGEMAKER_WAITS)
    assert (process.returncode, errors) == (code, "")
    assert f"stopped by {number.name}" in output
    assert (work.failure, work.model_files) == (None, [])

    again = work.train_here()
    assert again.returncode == 0
    assert "resuming after iteration" in again.stdout
    assert "\niteration=2;" not in again.stdout
    assert work.fingerprints == uninterrupted.fingerprints


def test_a_signal_during_the_start_stops_the_job(work: Job) -> None:
    """Stop the job during its imports, which take two seconds."""
    for delay in np.linspace(0.2, 1.8, 4):
        process = work.start_training()
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SAGEMAKER_WAITS)
        assert process.returncode == 143 or process.returncode == -signal.SIGTERM
        assert "Traceback" not in errors
        assert work.model_files == []


def test_a_stop_never_leaves_an_incomplete_model(job: Job) -> None:
    """Stop jobs at several moments. The model folder is empty or has a whole model."""
    job.write_synthetic(users=600, items=400, ratings=9_000)
    job.write_hyperparameters(embedding_dim="8", **FEW_SOURCES)
    assert job.train_here().returncode == 0
    whole = job.fingerprints
    process = job.start_training()
    wait_for(process, "the model is in")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SAGEMAKER_WAITS)
    assert job.fingerprints == whole
    for delay in np.linspace(0.3, 2.5, 5):
        process = job.start_training()
        time.sleep(delay)
        process.terminate()
        process.communicate(timeout=SAGEMAKER_WAITS)
        assert job.fingerprints in ({}, whole)


def test_a_damaged_checkpoint_is_named_and_the_previous_one_is_used(finished: Job, uninterrupted: Job) -> None:
    newest = max(finished.container.checkpoint_dir.iterdir())
    largest = max(newest.glob("*.npy"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-1] ^= 1
    largest.write_bytes(content)
    again = finished.train_here()
    assert again.returncode == 0
    assert f"{largest}: its SHA-256 is not the one in config.json" in again.stdout
    assert "resuming after iteration" in again.stdout
    assert finished.fingerprints == uninterrupted.fingerprints


def test_checkpoints_of_other_data_or_hyper_parameters_are_not_used(finished: Job, tmp_path: Path) -> None:
    finished.write("train/more.csv", "user_id,item_id,rating,timestamp\nu,i,5,1\nv,i,2,2\n")
    again = finished.train_here()
    assert "no checkpoint for this data and these hyper-parameters" in again.stdout
    other = Job(tmp_path / "other")
    shutil.copytree(finished.base_dir / "input", other.base_dir / "input")
    assert other.train_here().returncode == 0
    assert finished.fingerprints == other.fingerprints


def test_a_job_that_can_not_write_checkpoints_continues(work: Job) -> None:
    work.container.checkpoint_dir.write_text("not a folder")
    result = work.train_here()
    assert result.returncode == 0
    assert result.stdout.count("checkpoints can't be written, the job continues without them: ") == 1
    assert "config.json" in work.model_files


def newest_iteration(job: Job) -> int:
    """Return the iteration of the newest valid checkpoint, plus 10,000 in the second fit; 0 without a checkpoint."""
    numbers = [0]
    for path in job.container.checkpoint_dir.glob("*"):
        try:
            config = array_folder.load_config(path, "two-stage-recommender-checkpoint", 1, "")
            for name in config["arrays"]:
                array_folder.load_arrays(path, [name], config)
        except ArtifactError:
            continue
        numbers.append(config["number"] + (10_000 if config["phase"] == "fit" else 0))
    return max(numbers)


KILLS = 50  # for each of the two solvers


@pytest.mark.slow
@both_solvers
def test_killed_at_100_random_moments_no_more_than_one_iteration_is_lost(
    work: Job, uninterrupted: Job, tmp_path: Path
) -> None:
    expected, log = uninterrupted.fingerprints, tmp_path / "log"
    for _ in range(2):  # the first run starts the process that all others are forked from
        shutil.rmtree(work.container.checkpoint_dir, ignore_errors=True)
        began = time.monotonic()
        process = trainer.start(work, log)
        process.join()
        assert process.exitcode == 0
        duration = time.monotonic() - began
    shutil.rmtree(work.container.checkpoint_dir)
    random = np.random.default_rng(0)
    reached, completed = 0, 0
    for _ in range(KILLS):
        log.write_text("")
        process = trainer.start(work, log)
        iterations = random.integers(8)
        while process.is_alive() and log.read_text().count("\niteration=") < iterations:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.1) * duration)
        process.kill()
        process.join()
        output = log.read_text()
        printed = [
            int(line.split("=")[1].split(";")[0]) for line in output.splitlines() if line.startswith("iteration=")
        ]
        assert newest_iteration(work) >= max([reached, *(number - 1 for number in printed)])
        reached = newest_iteration(work)
        try:
            model_folder.load(work.container.model_dir)
        except ArtifactError:
            pass  # refused: an incomplete model is not served
        else:
            assert work.fingerprints == expected
        if process.exitcode == 0 or "the model is in" in output:
            completed += 1
            shutil.rmtree(work.container.checkpoint_dir)
            reached = 0
    assert completed < KILLS
    assert work.train_here().returncode == 0
    assert work.fingerprints == expected


@pytest.mark.real_component
def test_sigterm_stops_a_job_that_is_process_1(work: Job) -> None:
    """Run the job as process 1. The kernel ignores signals to process 1 without a handler."""
    process = work.start_training(prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    wait_for(process, "iteration=2;")
    inside = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    os.kill(int(inside.stdout), signal.SIGTERM)
    output, _ = process.communicate(timeout=SAGEMAKER_WAITS)
    assert process.returncode == 143
    assert "stopped by SIGTERM" in output


def test_a_signal_stops_the_job_even_if_a_library_converts_the_exception(
    job: Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Raise another error after a signal, as numpy does when the signal arrives while it writes an array."""

    def run(*_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except train.Stopped:
            raise TypeError("cannot write to this BufferedWriter") from None

    monkeypatch.setattr(training_job, "run", run)
    assert train.main([]) == 128 + signal.SIGTERM
    output, errors = capfd.readouterr()
    assert "stopped by SIGTERM" in output
    assert (errors, job.failure) == ("", None)
