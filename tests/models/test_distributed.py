"""Several hosts. Each is a separate process with its own resourceconfig.json."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.job import Job
from support.model import factors_of
from support.shared import Shared

from recommender.common.processes import free_port
from recommender.models.distributed import Hosts
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import Cluster

HOSTS = ["127.0.0.1", "127.0.0.2"]


def jobs_in(folder: Path) -> list[Job]:
    """Return one job per host."""
    return [Job(folder / host) for host in HOSTS]


@pytest.fixture
def pair(shared: Shared, tmp_path: Path) -> list[Job]:
    """Return two jobs with the same channels and hyper-parameters."""

    def make(folder: Path) -> None:
        jobs = jobs_in(folder)
        jobs[0].write_synthetic(users=400, items=300, ratings=5_000)
        jobs[0].write_hyperparameters(**SOLVERS["adam"])
        shutil.copytree(jobs[0].base_dir, jobs[1].base_dir)
        for job, host in zip(jobs, HOSTS, strict=True):
            write_resource_config(job, host, HOSTS, "lo")

    shutil.copytree(shared.folder("pair", make), tmp_path, dirs_exist_ok=True)
    return jobs_in(tmp_path)


@pytest.fixture
def fitted_pair(pair: list[Job], shared: Shared, solver: str) -> list[Job]:
    """Return two jobs that have fitted one model with a solver. Tests must not change them."""

    def make(folder: Path) -> None:
        jobs = jobs_in(folder)
        for new, job in zip(jobs, pair, strict=True):
            shutil.copytree(job.base_dir, new.base_dir)
            new.write_hyperparameters(**SOLVERS[solver])
        results = end(start(jobs))
        assert [code for code, _, _ in results] == [0, 0], results
        for job, (_, output, _) in zip(jobs, results, strict=True):
            (job.base_dir / "log").write_text(output)

    return jobs_in(shared.folder(f"fitted-pair-{solver}", make))


def write_resource_config(job: Job, host: str, hosts: list[str], interface: str) -> None:
    config = {"current_host": host, "hosts": hosts, "network_interface_name": interface}
    file = job.container.hyperparameters_file.with_name("resourceconfig.json")
    file.write_text(json.dumps(config))


def start(jobs: list[Job]) -> "list[subprocess.Popen[str]]":
    """Start the processes of all hosts."""
    port = str(free_port())
    return [job.start_training(SM_MASTER_PORT=port) for job in jobs]


def end(processes: "list[subprocess.Popen[str]]") -> list[tuple[int, str, str]]:
    """Wait for all processes. Return exit code, output and errors of each."""
    outputs = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


SOLVERS = {
    "als": {"embedding_dim": "24"},  # with all sources
    "adam": {"solver": "adam", "embedding_dim": "24", "max_epochs": "3", "batch_size": "61", "pipeline": "paper"},
}


@pytest.mark.parametrize("solver", SOLVERS)
def test_two_hosts_fit_the_same_model_as_one_and_only_the_first_writes_it(
    fitted_pair: list[Job], tmp_path: Path, solver: str
) -> None:
    first, second = fitted_pair
    assert (second.model_files, second.container.metrics_file.exists()) == ([], False)
    assert "127.0.0.1 writes the model" in second.log

    alone = Job(tmp_path / "alone")
    shutil.copytree(first.base_dir / "input", alone.base_dir / "input")
    (alone.base_dir / "input/config/resourceconfig.json").unlink()
    assert alone.train_here().returncode == 0
    one, two = (factors_of(Recommender.load(job.container.model_dir)) for job in (alone, first))
    # Adam divides gradients by their size, so rounding errors of small gradients become visible.
    tolerance = {"als": 1e-5, "adam": 1e-4}[solver]
    everything = np.arange(one.num_items)
    assert one.global_mean == pytest.approx(two.global_mean, abs=1e-5)
    assert np.abs(one.user_embedding - two.user_embedding).max() < tolerance
    assert np.abs(one.user_bias - two.user_bias).max() < tolerance
    assert np.abs(one.item_bias - two.item_bias).max() < tolerance
    assert np.abs(one.item_embedding(everything) - two.item_embedding(everything)).max() < tolerance


def test_hosts_that_have_read_different_data_all_fail_with_the_reason(pair: list[Job]) -> None:
    pair[1].write("train/more.csv", "user_id,item_id,rating,timestamp\nu,i,5,1\n")
    results = end(start(pair))
    assert [code for code, _, _ in results] == [1, 1]
    assert all("the hosts have read different data" in (job.failure or "") for job in pair)


def test_if_a_host_is_lost_the_job_fails_and_names_the_host(pair: list[Job]) -> None:
    for job in pair:
        job.write_hyperparameters(embedding_dim="1500", max_sweeps="1000")
    first, second = start(pair)
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("iteration=1;"):
            break
    second.kill()
    (code, _, errors), _ = end([first, second])  # 1,000 sweeps would take much longer than `end` waits
    assert code == 1
    assert pair[0].failure is not None
    assert "another host (127.0.0.2) was lost" in pair[0].failure
    assert "Traceback" not in errors
    assert pair[0].model_files == []


def test_a_host_that_waits_for_another_reacts_to_a_stop_signal(pair: list[Job]) -> None:
    for job in pair:  # the first host and another one
        process = job.start_training(SM_MASTER_PORT=str(free_port()))
        assert process.stdout is not None
        assert any("waiting for all hosts" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 143


@pytest.mark.parametrize("solver", ["als"])
def test_all_hosts_resume_from_the_first_hosts_checkpoint(fitted_pair: list[Job], tmp_path: Path, solver: str) -> None:
    shutil.copytree(fitted_pair[0].base_dir.parent, tmp_path / "again")
    again = jobs_in(tmp_path / "again")
    shutil.rmtree(again[1].container.checkpoint_dir, ignore_errors=True)
    results = end(start(again))
    assert [code for code, _, _ in results] == [0, 0], results
    assert "resuming after iteration" in results[0][1]
    assert "iteration=1;" not in results[1][1]
    assert again[0].fingerprints == fitted_pair[0].fingerprints


def test_channels_that_are_sharded_between_hosts_are_refused(pair: list[Job]) -> None:
    config = {"train": {"TrainingInputMode": "File", "S3DistributionType": "ShardedByS3Key"}}
    file = pair[0].container.hyperparameters_file.with_name("inputdataconfig.json")
    file.write_text(json.dumps(config))
    assert pair[0].train_here().returncode == 1
    assert "expected S3DistributionType FullyReplicated" in (pair[0].failure or "")


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 7))
def test_shares_have_all_rows_once_in_order_at_about_equal_cost(costs: list[float], size: int) -> None:
    hosts = tuple(map(str, range(size)))
    shares = Hosts(Cluster(hosts[0], hosts)).shares(np.array(costs))
    assert len(shares) == size
    assert [row for share in shares for row in range(share.start, share.stop)] == list(range(len(costs)))
    assert all(sum(costs[share]) <= sum(costs) / size + 2 * max(costs) + 1e-6 for share in shares)


@pytest.fixture
def two_namespaces() -> Iterator[list[str]]:
    """Yield two new network namespaces. A virtual cable between them is their only connection."""
    names = [f"recommender-{os.getpid()}-{number}" for number in (1, 2)]
    commands = [
        *(f"ip netns add {name}" for name in names),
        f"ip link add name cable1 netns {names[0]} type veth peer name cable2 netns {names[1]}",
        *(f"ip -n {name} address add 10.77.0.{number}/24 dev cable{number}" for number, name in enumerate(names, 1)),
        *(f"ip -n {name} link set cable{number} up" for number, name in enumerate(names, 1)),
        *(f"ip -n {name} link set lo up" for name in names),
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


@pytest.mark.real_component
def test_two_hosts_that_only_share_a_network_fit_one_model(pair: list[Job], two_namespaces: list[str]) -> None:
    hosts = ["10.77.0.1", "10.77.0.2"]
    for number, (job, host) in enumerate(zip(pair, hosts, strict=True), start=1):
        write_resource_config(job, host, hosts, f"cable{number}")
    prefixes = [["ip", "netns", "exec", name] for name in two_namespaces]
    results = end([job.start_training(prefix=prefix) for job, prefix in zip(pair, prefixes, strict=True)])
    assert [code for code, _, _ in results] == [0, 0], results
    assert "config.json" in pair[0].model_files
    assert pair[1].model_files == []
    rmse = [[line for line in output.splitlines() if line.startswith("iteration=")] for _, output, _ in results]
    assert rmse[0] == rmse[1] != []


@pytest.mark.real_component
def test_if_a_host_across_a_network_is_killed_the_job_fails(pair: list[Job], two_namespaces: list[str]) -> None:
    hosts = ["10.77.0.1", "10.77.0.2"]
    for number, (job, host) in enumerate(zip(pair, hosts, strict=True), start=1):
        job.write_hyperparameters(embedding_dim="1500", max_sweeps="1000")
        write_resource_config(job, host, hosts, f"cable{number}")
    prefixes = [["ip", "netns", "exec", name] for name in two_namespaces]
    first, second = [job.start_training(prefix=prefix) for job, prefix in zip(pair, prefixes, strict=True)]
    assert first.stdout is not None
    assert any(line.startswith("iteration=1;") for line in first.stdout)
    second.kill()
    (code, _, _), _ = end([first, second])
    assert code == 1
    assert "another host (10.77.0.2) was lost" in (pair[0].failure or "")
