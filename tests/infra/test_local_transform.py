"""The batch transform of the SDK's local mode, with a real server: its output has one line per record."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.job import Job
from support.launch import SDK_PYTHON

from recommender.common.processes import free_port
from recommender.sagemaker.environment import BASE_DIR
from recommender.sagemaker.server_environment import MediaType
from recommender.service.process import SERVE

pytestmark = pytest.mark.aws

# A transform job of the SDK's local mode, without Docker: the server is a process instead of a container.
TRANSFORM = """
import atexit, os, subprocess, sys
from sagemaker.core.local import LocalSession, entities, local_session

port, folder, strategy, media_type, *command = sys.argv[1:]

class Process:
    def __init__(self, *_):
        pass

    def serve(self, model, environment):
        variables = {**os.environ, **environment, "SAGEMAKER_BIND_TO_PORT": port}
        self.process = subprocess.Popen(command, env=variables)
        atexit.register(self.process.terminate)

    def stop_serving(self):
        self.process.terminate()

entities._SageMakerContainer = Process
entities.get_docker_host = local_session.get_docker_host = lambda: "127.0.0.1"
session = LocalSession()
session.config = {"local": {"local_code": True, "container_root": folder, "serving_port": int(port)}}
container = {"Image": "recommender", "ModelDataUrl": "file:///model", "Environment": {}}
session.sagemaker_client.create_model("model", container)
session.sagemaker_client.create_transform_job(
    "job",
    "model",
    TransformInput={
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder}/records"}},
        "ContentType": media_type,
        "SplitType": "Line",
    },
    TransformOutput={"S3OutputPath": f"file://{folder}/responses", "Accept": media_type, "AssembleWith": "Line"},
    TransformResources={"InstanceType": "local", "InstanceCount": 1},
    BatchStrategy=strategy,
    MaxPayloadInMB=1,
)
"""
USERS = [f"u{number}" for number in range(7)]


def user_of(line: str) -> str:
    user_id: str = json.loads(line)["user_id"] if line.startswith("{") else line.partition(",")[0]
    return user_id


@pytest.mark.parametrize("strategy", ["SingleRecord", "MultiRecord"])
@pytest.mark.parametrize("media_type", [MediaType.JSON_LINES, MediaType.CSV])
def test_the_output_of_batch_transform_has_one_line_per_record(
    trained: Job, tmp_path: Path, strategy: str, media_type: MediaType
) -> None:
    records = [json.dumps({"user_id": user}) for user in USERS] if media_type is MediaType.JSON_LINES else USERS
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "ended").write_text("\n".join(records) + "\n")
    (tmp_path / "records" / "not ended").write_text("\n".join(records))
    arguments = (str(free_port()), str(tmp_path), strategy, str(media_type), *SERVE)
    ended = subprocess.run(
        [str(SDK_PYTHON), "-c", TRANSFORM, *arguments],
        cwd=tmp_path,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(tmp_path), BASE_DIR: str(trained.base_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    responses = [(tmp_path / "responses" / name).read_text() for name in ("ended.out", "not ended.out")]
    assert responses[0] == responses[1]
    lines = responses[0].split("\n")
    assert lines.pop() == ""
    assert [user_of(line) for line in lines] == USERS
