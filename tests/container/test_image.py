"""The container contract, line by line, against the image. The names have the numbers of the lines."""

import gzip
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.batches import batch_under_way, pings_during_batches
from support.image import HOST_NETWORK, NAME, NO_NETWORK, Image, as_user, docker
from support.job import ROOT, Job
from support.shared import Shared

from infra.local.s3 import S3Server
from recommender.common.cores import available_cores
from recommender.common.processes import free_port, wait_until
from recommender.models.options import FactorizationOptions
from recommender.pipeline.recommender import Recommender
from recommender.service.process import Server
from recommender.training.metrics import metric_definitions

pytestmark = pytest.mark.container

ROWS = "user_id,item_id,rating,timestamp\n" + "".join(
    f"u{user},i{(user * 3 + item) % 8},{1 + (user * item) % 5},{user + item}\n"
    for user in range(8)
    for item in range(5)
)
JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"


@pytest.fixture(scope="session")
def image(shared: Shared) -> Image:
    shared.folder("image", lambda _: Image.build(NAME))
    return Image(NAME)


@pytest.fixture(scope="session")
def serve_image(image: Image, shared: Shared) -> Image:
    name = f"{NAME}-serve"
    shared.folder("serve-image", lambda _: Image.build(name, "--target", "serve"))
    return Image(name)


@pytest.fixture
def ready(job: Job) -> Job:
    """Return a job with forty ratings."""
    job.write("train/a.csv", ROWS)
    job.write_hyperparameters(embedding_dim="4")
    return job


@pytest.fixture(scope="session")
def fashion(image: Image, shared: Shared) -> Job:
    """Return a job on synthetic data, trained by the image. Tests must not change it."""

    def make(folder: Path) -> None:
        job = Job(folder)
        job.write_synthetic(users=300, items=250, ratings=4_000)
        job.write_hyperparameters(embedding_dim="16")
        result = image.run(job, "train")
        assert result.returncode == 0, result.stderr

    return Job(shared.folder("fashion", make))


@pytest.fixture(scope="session")
def endpoint(image: Image, fashion: Job) -> Iterator[Server]:
    with image.serving(fashion) as server:
        yield server


@pytest.fixture(scope="session")
def user_id(fashion: Job) -> str:
    return str(fashion.ratings()["user_id"].iloc[0])


def ask(
    server: Server, body: str | bytes, content_type: str = JSON, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    given = {"Content-Type": content_type} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/invocations", body.encode() if isinstance(body, str) else body, given)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, dict(response.headers), content


def failure(image: Image, job: Job, **environment: str) -> str:
    """Return the error of a failing job, from stderr and from the failure file."""
    result = image.run(job, "train", **environment)
    assert result.returncode == 1, result.stdout
    assert job.failure is not None
    assert 0 < len(job.failure) <= 1024
    assert result.stderr == f"error: {job.failure}\n"
    assert job.model_files == []
    return job.failure


def write_config(job: Job, name: str, value: dict[str, Any]) -> None:
    file = job.container.hyperparameters_file.with_name(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def test_01_string_hyper_parameters_train_a_model(image: Image, ready: Job) -> None:
    assert image.run(ready, "train").returncode == 0
    assert Recommender.load(ready.container.model_dir).model.config.of(FactorizationOptions).embedding_dim == 4


def test_02_no_argument_trains(image: Image, ready: Job) -> None:
    assert image.run(ready).returncode == 0
    assert "config.json" in ready.model_files


def test_03_reserved_keys_are_ignored_and_an_unknown_key_is_an_error(image: Image, ready: Job) -> None:
    ready.write_hyperparameters(n_factors="20")
    assert "'n_factors': unknown name" in failure(image, ready)
    ready.write_hyperparameters(embedding_dim="4", sagemaker_program="x.py", _tuning_objective_metric="rmse")
    assert image.run(ready, "train").returncode == 0


def test_04_the_failure_file_names_an_invalid_value(image: Image, ready: Job) -> None:
    ready.write_hyperparameters(embedding_dim="many")
    assert "'embedding_dim': expected a valid integer, got 'many'" in failure(image, ready)
    ready.write_hyperparameters(embedding_dim="4")
    ready.write("train/a.csv", ROWS + "u,i,9,1\n")
    assert "a.csv: row 41 below the header, column 'rating': expected a number from 1 to 5" in failure(image, ready)


def test_05_the_error_names_a_missing_channel(image: Image, job: Job) -> None:
    assert failure(image, job).startswith("channel 'train' is missing: expected a folder /opt/ml/input/data/train")


def test_06_a_channel_may_have_nested_files_of_several_formats(image: Image, ready: Job) -> None:
    parquet = io.BytesIO()
    pd.DataFrame({"user_id": ["p"], "item_id": ["i1"], "rating": [3.0], "timestamp": [1]}).to_parquet(parquet)
    ready.write("train/2025/01/b.parquet", parquet.getvalue())
    ready.write("train/c.jsonl", '{"user_id": "j", "item_id": "i2", "rating": 4, "timestamp": 1, "text": "x"}\n')
    ready.write("train/d/e.csv.gz", gzip.compress(b"user_id,item_id,rating,timestamp\ng,i3,2,1\n"))
    assert image.run(ready, "train").returncode == 0
    assert ready.metrics["num_users"] == 8 + 3


def test_07_a_channel_needs_no_content_type(image: Image, ready: Job) -> None:
    settings = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    write_config(ready, "inputdataconfig.json", {"train": settings})
    assert image.run(ready, "train").returncode == 0


def test_08_the_error_for_pipe_mode_names_the_supported_modes(image: Image, ready: Job) -> None:
    write_config(ready, "inputdataconfig.json", {"train": {"TrainingInputMode": "Pipe"}})
    assert failure(image, ready) == "channel 'train': expected TrainingInputMode File or FastFile, got Pipe"


def test_09_inputs_and_root_may_be_read_only_and_any_user_works(image: Image, ready: Job) -> None:
    for name in ("model", "output", "checkpoints"):
        (ready.base_dir / name).mkdir()
    mounts = ["-v", f"{ready.base_dir}:/opt/ml", "-v", f"{ready.base_dir}/input:/opt/ml/input:ro"]
    result = image.run(ready, "train", options=[*as_user(ready), *mounts])
    assert (result.returncode, result.stderr) == (0, "")
    assert "atplotlib" not in result.stdout
    assert "<svg" in ready.container.report_file.read_text()
    assert sorted(path.name for path in (ready.base_dir / "output/data").iterdir()) == ["metrics.json", "report.html"]
    with image.serving(ready, options=as_user(ready)) as server:
        assert server.invoke({"user_id": "u1"})[0] == 200


def long_job(job: Job) -> Job:
    job.write_synthetic(users=600, items=400, ratings=9_000)
    job.write_hyperparameters(embedding_dim="300", max_sweeps="40")
    return job


def test_10_and_11_a_stopped_job_ends_soon_and_resumes_to_the_same_bytes(
    image: Image, job: Job, tmp_path: Path
) -> None:
    """Stop the job with docker stop, which sends SIGTERM to process 1, as SageMaker does."""
    long_job(job)
    other = Job(tmp_path / "other")
    shutil.copytree(job.base_dir / "input", other.base_dir / "input")
    assert image.run(other, "train").returncode == 0

    name = f"{NAME}-{free_port()}"
    process = image.start(job, "train", options=["--name", name])
    assert process.stdout is not None
    assert any(line.startswith("iteration=3;") for line in process.stdout)
    docker("stop", "--time", "120", name, timeout=150)  # SageMaker's time limit; a killed container would exit with 137
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (143, "")
    assert "stopped by SIGTERM" in output
    assert (job.failure, job.model_files) == (None, [])

    again = image.run(job, "train")
    assert again.returncode == 0
    assert "resuming after iteration" in again.stdout
    assert job.fingerprints == other.fingerprints


def test_12_the_published_expressions_match_the_log(image: Image, fashion: Job, tmp_path: Path) -> None:
    job = Job(tmp_path / "again")
    shutil.copytree(fashion.base_dir / "input", job.base_dir / "input")
    log = image.run(job, "train").stdout
    for definition in metric_definitions():
        found = re.findall(definition["Regex"], log)
        assert found, definition
        assert np.isfinite([float(value) for value in found]).all()
    assert float(re.findall(r"test_rmse=(.*?);", log)[0]) == pytest.approx(job.metrics["test_rmse"])


def test_13_two_hosts_train_one_model_and_the_first_writes_it(image: Image, ready: Job, tmp_path: Path) -> None:
    hosts = ["algo-1", "algo-2"]
    second = Job(tmp_path / "second")
    shutil.copytree(ready.base_dir / "input", second.base_dir / "input")
    addresses = [f"--add-host={host}:127.0.0.{number}" for number, host in enumerate(hosts, start=1)]
    port = str(free_port())
    processes = []
    for job, host in zip((ready, second), hosts, strict=True):
        config = {"current_host": host, "hosts": hosts, "network_interface_name": "lo"}
        write_config(job, "resourceconfig.json", config)
        processes.append(image.start(job, "train", options=[HOST_NETWORK, *addresses], SM_MASTER_PORT=port))
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert "config.json" in ready.model_files
    assert second.model_files == []
    assert "algo-1 writes the model" in outputs[1][0]


def test_14_nothing_needs_a_network(image: Image, ready: Job) -> None:
    assert image.run(ready, "train", options=[NO_NETWORK]).returncode == 0
    name = f"{NAME}-{free_port()}"
    process = image.start(ready, "serve", options=[NO_NETWORK, "--name", name])
    try:
        deadline = time.monotonic() + 120
        while docker("exec", name, "/opt/program/entrypoint.sh", "healthy").returncode:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        docker("stop", name)
        process.communicate(timeout=120)
    assert process.returncode == 0


def test_15_the_same_seed_gives_the_same_bytes(image: Image, fashion: Job, tmp_path: Path) -> None:
    job = Job(tmp_path / "again")
    shutil.copytree(fashion.base_dir / "input", job.base_dir / "input")
    assert image.run(job, "train").returncode == 0
    assert job.fingerprints == fashion.fingerprints


def test_16_the_model_serves_from_any_folder(
    image: Image, serve_image: Image, fashion: Job, endpoint: Server, tmp_path: Path, user_id: str
) -> None:
    """Unpack model.tar.gz elsewhere and serve it, also with the image that only serves."""
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(fashion.container.model_dir, arcname=".")
    other = Job(tmp_path / "other")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        tar.extractall(other.container.model_dir, filter="data")
    expected = endpoint.invoke({"user_id": user_id})
    for served_by in (image, serve_image):
        with served_by.serving(other) as server:
            assert server.invoke({"user_id": user_id}) == expected


def test_17_ping_is_200_only_when_loaded_and_stays_fast_under_load(image: Image, fashion: Job, user_id: str) -> None:
    """Count the pings during batches: if pings waited for batches, there would be at most one per batch."""
    with image.serving(fashion, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server:
        assert pings_during_batches(server, batches=6, instances=300, user_id=user_id) > 2 * 6


def test_18_the_server_listens_on_the_given_port(endpoint: Server, image: Image) -> None:
    assert endpoint.port != 8080
    assert endpoint.request("GET", "/ping")[0] == 200
    assert image.inspect("{{json .Config.Labels}}") == (
        '{"com.amazonaws.sagemaker.capabilities.accept-bind-to-port":"true"}'
    )


def test_19_media_types_are_those_of_content_type_and_accept(endpoint: Server, user_id: str) -> None:
    question = json.dumps({"user_id": user_id})
    for content_type, body in ((JSON + "; charset=utf-8", question), (LINES, question), (CSV, user_id)):
        for accept, answered in ((JSON, JSON), (LINES, LINES), ("text/csv;q=0.9, image/png", CSV)):
            status, headers, answer = ask(endpoint, body, content_type, Accept=accept)
            assert (status, headers["Content-Type"].partition(";")[0]) == (200, answered)
            assert user_id.encode() in answer
    assert ask(endpoint, question, Accept="*/*")[1]["Content-Type"] == JSON
    assert ask(endpoint, question, "text/plain")[0] == 415
    assert ask(endpoint, question, Accept="image/png")[0] == 406
    status, _, answer = ask(endpoint, '{"user_id": true}')
    assert (status, json.loads(answer)["field"]) == (400, "user_id")


def test_20_six_megabytes_are_accepted_and_more_are_413(endpoint: Server) -> None:
    question = b'{"user_id": "u"}'
    assert ask(endpoint, question + b" " * (6 * 2**20 - len(question)))[0] == 200
    assert ask(endpoint, question + b" " * (6 * 2**20 - len(question) + 1))[0] == 413


def test_21_custom_attributes_are_returned_and_unknown_headers_ignored(endpoint: Server) -> None:
    sent = {"X-Amzn-SageMaker-Custom-Attributes": "trace=1", "X-Amzn-SageMaker-Target-Model": "x", "X-Unknown": "y"}
    status, headers, _ = ask(endpoint, '{"user_id": "u"}', **sent)
    assert (status, headers["X-Amzn-SageMaker-Custom-Attributes"]) == (200, "trace=1")


def test_22_execution_parameters_have_the_fields_for_batch_transform(endpoint: Server) -> None:
    status, body = endpoint.request("GET", "/execution-parameters")
    assert status == 200
    assert json.loads(body) == {
        "MaxConcurrentTransforms": available_cores(),
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_23_a_batch_of_10_000_lines_with_an_invalid_one_keeps_number_and_order(
    image: Image, fashion: Job, user_id: str
) -> None:
    lines = [json.dumps({"user_id": f"new-{number}"}) for number in range(10_000)]
    lines[5_000] = '{"user_id": '
    lines[9_999] = json.dumps({"user_id": user_id})
    with image.serving(fashion, SAGEMAKER_BATCH="true") as server:
        status, headers, body = ask(server, "\n".join(lines) + "\n", LINES, Accept=LINES)
        assert (status, headers["Content-Type"]) == (200, LINES)
        answers = [json.loads(line) for line in body.splitlines()]
    assert len(answers) == 10_000
    assert "expected a JSON body" in answers[5_000]["error"]
    assert (answers[9_999]["user_id"], answers[9_999]["source"]) == (user_id, "model")
    assert all(
        answer["user_id"] == f"new-{number}" for number, answer in enumerate(answers) if number not in (5_000, 9_999)
    )


def test_25_responses_in_progress_finish_after_sigterm(image: Image, fashion: Job, user_id: str) -> None:
    """Send SIGTERM during responses; they have 25 s to finish, which must suffice on a busy machine."""
    with (
        image.serving(fashion, SAGEMAKER_MODEL_SERVER_WORKERS="1") as server,
        batch_under_way(server, 300, user_id) as batch,
    ):
        server.process.send_signal(signal.SIGTERM)  # docker passes it to process 1
        assert len(json.loads(batch.getresponse().read())["predictions"]) == 300
        assert server.process.wait(timeout=60) == 0


def test_26_a_damaged_model_or_one_of_a_newer_format_is_never_served(
    image: Image, fashion: Job, tmp_path: Path
) -> None:
    def served(change: str) -> str:
        job = Job(tmp_path / change)
        shutil.copytree(fashion.base_dir / "model", job.base_dir / "model")
        if change == "future":
            file = job.container.model_dir / "config.json"
            value = json.loads(file.read_text())
            value["format_version"] = 999
            file.write_text(json.dumps(value))
        else:
            file = job.container.model_dir / "factorization.item_bias.npy"
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
        result = image.run(job, "serve", options=[HOST_NETWORK], SAGEMAKER_BIND_TO_PORT=str(free_port()))
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
        return result.stderr

    assert "factorization.item_bias.npy" in served("damaged")
    assert "config.json" in served("future")


def test_27_the_model_has_no_pickle(fashion: Job) -> None:
    for path in fashion.container.model_dir.iterdir():
        assert path.suffix in {".npy", ".json"}
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)


def test_28_an_unknown_user_is_200_with_the_source_of_the_response(endpoint: Server) -> None:
    status, answer = endpoint.invoke({"user_id": "nobody has seen me"})
    assert (status, answer["source"], len(answer["items"])) == (200, "popular", 5)


@pytest.mark.parametrize(
    ("level", "paths"), [("20", ["/invocations"]), ("warning", []), ("DEBUG", ["/ping", "/invocations"])]
)
def test_29_the_log_has_the_given_level(image: Image, fashion: Job, level: str, paths: list[str]) -> None:
    port = free_port()
    process = image.start(
        fashion, "serve", options=[HOST_NETWORK], SAGEMAKER_BIND_TO_PORT=str(port), SAGEMAKER_CONTAINER_LOG_LEVEL=level
    )
    assert process.stdout is not None
    assert "serving on port" in process.stdout.readline()
    server = Server(process, port)
    server.wait_until_ready()
    assert server.invoke({"user_id": "me"})[0] == 200
    process.terminate()
    _, errors = process.communicate(timeout=120)
    lines = [json.loads(line[line.index("{") :]) for line in errors.splitlines() if '"path"' in line]
    assert [line["path"] for line in lines] == paths
    assert [line["user_id"] for line in lines if line["path"] == "/invocations"] == ["me"] * ("/invocations" in paths)


def test_the_image_trains_from_s3_to_s3_and_serves_from_s3(image: Image, job: Job, s3: S3Server) -> None:
    s3.put("container", {"train/a.csv": ROWS.encode()})
    places = ["--train", "s3://container/train", "--model-output", "s3://container/models"]
    result = image.run(job, "train", *places, "--embedding_dim", "4", options=[HOST_NETWORK], **s3.environment)
    assert result.returncode == 0, result.stderr
    assert "the model is in s3://container/models/model.tar.gz" in result.stdout
    port = str(free_port())
    model = ["--model", "s3://container/models/model.tar.gz"]
    empty = Job(job.base_dir / "empty")
    empty.base_dir.mkdir()
    process = image.start(
        empty,
        "serve",
        *model,
        options=[HOST_NETWORK],
        SAGEMAKER_BIND_TO_PORT=port,
        **s3.environment,
    )
    server = Server(process, int(port))
    server.wait_until_ready()
    assert server.invoke({"user_id": "u1"})[1]["source"] == "model"
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_the_image_scores_all_users(image: Image, fashion: Job, endpoint: Server, tmp_path: Path, user_id: str) -> None:
    mounts = ["-v", f"{fashion.base_dir}:/opt/ml:ro", "-v", f"{tmp_path}:/out"]
    result = image.run(fashion, "score", "--output", "/out/scores.parquet", options=mounts)
    assert result.returncode == 0, result.stderr
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert scores["user_id"].nunique() == fashion.metrics["num_users"]
    own = scores[scores["user_id"] == user_id].sort_values("rank")["item_id"].tolist()
    assert own == endpoint.invoke({"user_id": user_id})[1]["recommended_items"]


def test_the_serving_image_has_no_torch_and_no_image_a_compiler(image: Image, serve_image: Image) -> None:
    def found(of: Image, *names: str) -> list[str]:
        modules = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
        return json.loads(docker("run", "--rm", NO_NETWORK, of.name, "python", "-c", modules).stdout.replace("'", '"'))

    heavy = ("torch", "pandas", "scipy", "sklearn", "pyarrow", "numba", "boto3")
    assert found(serve_image, *heavy, "flask") == ["flask"]
    assert found(image, *heavy) == list(heavy)
    for of in (image, serve_image):
        assert docker("run", "--rm", NO_NETWORK, of.name, "sh", "-c", "which gcc cc c++ make").stdout == ""
    assert int(serve_image.inspect("{{.Size}}")) < 0.4 * int(image.inspect("{{.Size}}"))


def test_a_serving_container_is_healthy(image: Image, fashion: Job) -> None:
    name = f"{NAME}-{free_port()}"
    options = [HOST_NETWORK, "--name", name, "--health-interval", "1s"]
    process = image.start(fashion, "serve", options=options, SAGEMAKER_BIND_TO_PORT=str(free_port()))
    deadline = time.monotonic() + 120
    while docker("inspect", "--format", "{{.State.Health.Status}}", name).stdout.strip() != "healthy":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    docker("stop", name)
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_the_demo_runs_in_containers(image: Image, tmp_path: Path) -> None:
    command = [sys.executable, "demo.py", "--root", str(tmp_path / "demo"), "--image", image.name]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    assert "docker run --rm --network=none" in result.stdout
    assert "The server has stopped (exit code 0)." in result.stdout


def test_the_cloud_demo_runs_from_raw_reviews_to_the_api(image: Image, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.local", "--root", str(tmp_path / "demo"), "--image", image.name]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    assert "the model is in s3://recommender/training/demo/output/model.tar.gz" in result.stdout
    assert re.search(r"\$ curl .*\n  1\. .*\n.*\n  2\. (.*\n)*  5\. .*\n.*\nsource: model;", result.stdout)
    assert "Traceback" not in result.stderr


CORES = """
from recommender.cli import train
import torch
from recommender.sagemaker.server_environment import ServerSettings
print(ServerSettings.from_environment().workers, torch.get_num_threads())
"""


@pytest.mark.parametrize(("cpus", "cores"), [("1", "1"), ("0.5", "1"), ("1.5", "2")])
def test_workers_and_threads_follow_the_cpu_quota(image: Image, ready: Job, cpus: str, cores: str) -> None:
    result = image.run(ready, "python", "-c", CORES, options=["--cpus", cpus])
    assert result.stdout.split() == [cores, cores], result.stderr


def test_no_process_that_reads_requests_is_root(image: Image, serve_image: Image, fashion: Job) -> None:
    """Check the users of the processes: gunicorn's master reads no requests and stays root, as SageMaker needs."""
    name = f"{NAME}-{free_port()}"
    for built in (image, serve_image):
        with built.serving(fashion, options=["--name", name]) as server:
            assert server.invoke({"user_id": "new"})[0] == 200
            # A newly forked worker is about to change its user.
            wait_until(lambda: users_of_workers(name) == {"65534"}, "every worker as nobody", 20)


def users_of_workers(container: str) -> set[str]:
    listed = docker("top", container, "-eo", "pid,ppid,uid,args").stdout.split("\n")
    processes = [line.split(maxsplit=3)[:3] for line in listed if "serve.py" in line]
    masters = {parent for _, parent, _ in processes}
    return {user for process, _, user in processes if process not in masters}


def test_the_sbom_lists_every_package_of_the_image(image: Image, ready: Job, tmp_path: Path) -> None:
    Image.build(f"{NAME}-sbom", "--target", "sbom", "--output", str(tmp_path))
    components = json.loads((tmp_path / "sbom.json").read_text())["components"]
    listed = {
        component["name"].lower().replace("_", "-").replace(".", "-"): component["version"] for component in components
    }
    program = "from importlib.metadata import distributions as d\nfor x in d(): print(x.name, x.version)"
    installed = [line.split() for line in image.run(ready, "python", "-c", program).stdout.splitlines()]
    found = {name.lower().replace("_", "-").replace(".", "-"): version for name, version in installed}
    assert found.items() <= listed.items()
    assert {"torch", "flask", "numpy"} <= found.keys()


def test_every_package_of_the_image_is_installed_by_hash_from_one_index() -> None:
    """Check the indexes: torch comes from its own index, its CPU build by hash."""
    text = re.sub(r" \\\n *", " ", (ROOT / "Dockerfile").read_text())
    (torch,) = re.findall(r"pip install --no-deps (--index-url .*)", text)
    assert torch == '--index-url "${TORCH_INDEX}" ${locked}'
    assert '*/cpu) locked="--require-hashes --requirement /build/requirements-torch-cpu.lock" ;;' in text
    cuda = '*/cpu) ;; *) /opt/venv/bin/pip install --index-url "${TORCH_INDEX}" --requirement /build/torch.txt ;; esac'
    assert text.count("--index-url") == 2
    assert cuda in text
    others = re.findall(
        r"pip install (?!.*index-url)([^&\"]*)", text.replace(cuda, "").replace(f"pip install --no-deps {torch}", "")
    )
    assert len(others) == 3
    assert all(step.startswith("--require-hashes --no-deps --requirement /build/requirements") for step in others)
