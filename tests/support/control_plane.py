"""moto's control plane over HTTP, with operations that moto lacks: python tests/support/control_plane.py --port PORT.

moto makes the resources of a change set but forgets its outputs and parameters. It does not parse nested short forms of
CloudFormation. It can neither stop a job nor delete a registered model.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3
from cfnlint.decode import cfn_yaml
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.sagemaker.responses import SageMakerResponse
from moto.server import main
from support.job import ROOT

from recommender.common.processes import free_port, wait_until

REGION = "eu-west-1"


@dataclass(frozen=True)
class ControlPlane:
    """A local server that responds like AWS."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:  # noqa: ANN401 - a client of botocore
        return boto3.Session("test", "test", region_name=REGION).client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    def responds(self) -> bool:
        try:
            urllib3.request("GET", f"{self.url}/moto-api/", retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return True

    def forget(self) -> None:
        """Delete everything in the account."""
        assert urllib3.request("POST", f"{self.url}/moto-api/reset").status == 200


@contextlib.contextmanager
def control_plane(log: Path) -> Iterator[ControlPlane]:
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with (
        log.open("w") as lines,
        subprocess.Popen(
            [sys.executable, __file__, "--port", str(port)],
            env=environment,
            stdout=lines,
            stderr=lines,
        ) as process,
    ):
        server = ControlPlane(f"http://127.0.0.1:{port}")
        try:
            wait_until(server.responds, "the control plane", 120, process, pause=0.1)
            yield server
        finally:
            process.kill()


def _parse(template: str) -> dict[str, Any]:
    return dict(cfn_yaml.loads(template))


def _execute_change_set(self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    change = next(made for made in self.change_sets.values() if made.change_set_name == change_set_name)
    if change.change_set_type == "CREATE":
        del self.stacks[change.stack_id]
        self.create_stack(change.stack_name, change.template, change.parameters, tags=change.tags)
    else:
        stack = self.stacks[change.stack_id]
        stack.resource_map.input_parameters = dict(stack.stack_parameters)  # else defaults are changes
        stack.update(change.template, parameters=change.parameters, tags=change.tags)


def _delete_model_package(self: SageMakerResponse) -> str:
    del self.sagemaker_backend.model_packages[self._get_param("ModelPackageName")]
    return "{}"


def _delete_model_package_group(self: SageMakerResponse) -> str:
    name = self._get_param("ModelPackageGroupName")
    left = [made for made in self.sagemaker_backend.model_packages.values() if made.model_package_group_name == name]
    assert not left, f"{name}: delete its {len(left)} models before the group"
    del self.sagemaker_backend.model_package_groups[name]
    return "{}"


def _stop_training_job(self: SageMakerResponse) -> str:
    self.sagemaker_backend.training_jobs[self._get_param("TrainingJobName")].training_job_status = "Stopped"
    return json.dumps({})


def _delete(self: Stack) -> None:
    delete_stack(self)
    self.template_dict = {}
    self.output_map = self._create_output_map()  # without this, describing it would make its resources again


delete_stack = Stack.delete
LACKING: dict[type, dict[str, Any]] = {
    Stack: {"parse_template": staticmethod(_parse), "delete": _delete},
    ChangeSet: {"_parse_template": lambda self: setattr(self, "template_dict", _parse(self.template))},
    CloudFormationBackend: {"execute_change_set": _execute_change_set},
    SageMakerResponse: {
        "delete_model_package": _delete_model_package,
        "delete_model_package_group": _delete_model_package_group,
        "stop_training_job": _stop_training_job,
    },
}


if __name__ == "__main__":
    for changed, methods in LACKING.items():
        for name, method in methods.items():
            setattr(changed, name, method)
    main(sys.argv[1:])
