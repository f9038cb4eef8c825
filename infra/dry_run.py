"""A dry run: every call is checked and printed as it would be sent, with a made-up response; nothing is sent.

It uses botocore's own events, so that a dry run executes the same code as a real run. A call is printed after
botocore has validated and serialized it ("before-call"). The response that this event returns replaces sending it.
The simulated account has the resources that the command builds upon, and every call succeeds.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel, Shape

from infra.names import BASE_STACK, NAME, TAGS, TRAINING
from recommender.sagemaker.environment import CHANNELS

ACCOUNT = "123456789012"
LONGEST_SHOWN = 4_000  # characters of a parameter
TIME = datetime(2000, 1, 1, tzinfo=UTC)
JOB, RUNNING = f"{NAME}-dry-run", f"{NAME}-running"  # a completed job, a running job
DIGEST = "sha256:" + "0" * 64

Response = dict[str, Any]


class Refused(Exception):  # noqa: N818 - not an error of this project, but a response
    """AWS responds with an error of that code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class DryRun:
    """A simulated account.

    Attributes:
        stacks: name -> status, of existing stacks and of those that the command creates.
        keys: keys of the objects in the bucket.
        region: its region.
        pushed: whether an image was pushed in this run.
        endpoint: whether there is an endpoint.
        stopped: kinds of jobs with the running job stopped.
    """

    def __init__(self, stacks: Iterable[str] = (BASE_STACK,), channels: str | None = None) -> None:
        """Create an account with these stacks, and with channels of that name."""
        self.stacks = dict.fromkeys(stacks, "CREATE_COMPLETE")
        self.keys = [f"channels/{channels}/{channel}/part.csv" for channel in CHANNELS] if channels else []
        self.region = ""
        self.pushed = False
        self.endpoint = NAME in self.stacks
        self.stopped: set[str] = set()

    def watch(self, session: boto3.Session) -> None:
        """Record every call of the session's clients and return a response to it."""
        self.region = session.region_name
        # Last, so that parameters that botocore adds are included.
        session.events.register_last("before-parameter-build", self._remember)
        session.events.register("before-call", self._respond)  # type: ignore[arg-type]  # botocore uses its response

    def show(self, call: str, parameters: dict[str, Any]) -> None:
        """Print a call: `service:Operation` and its parameters as JSON, one line."""
        print(call, json.dumps({name: _shown(value) for name, value in parameters.items()}, default=str))

    def run(self, command: list[str]) -> None:
        """Print a local command that would be run."""
        print("$", *command)
        self.pushed |= command[1] == "push"

    def _remember(self, params: Response, context: dict[str, Any], **_: object) -> None:
        context["parameters"] = params

    def _respond(self, model: OperationModel, context: dict[str, Any], **_: object) -> tuple[AWSResponse, Response]:
        call = f"{model.service_model.service_name}:{model.name}"
        parameters = _readable(context["parameters"])
        self.show(call, parameters)
        respond = RESPONSES.get(call)
        try:
            own = respond(self, parameters) if respond else {}
        except Refused as error:
            return _http(400), {"Error": {"Code": error.code, "Message": str(error)}, "ResponseMetadata": {}}
        return _http(200), {**_example(model.output_shape, parameters), **own}

    # Responses to calls for which an example of the response's shape is not enough.

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """Stack -> its outputs."""
        account = f"{ACCOUNT}.dkr.ecr.{self.region}.amazonaws.com"
        return {
            BASE_STACK: {
                "BucketName": f"{BASE_STACK}-{ACCOUNT}-{self.region}",
                "RepositoryUri": f"{account}/{BASE_STACK}",
                "TrainingRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{BASE_STACK}-TrainingRole",
                "EndpointRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{BASE_STACK}-EndpointRole",
            },
            NAME: {
                "ApiUrl": f"https://dry-run.execute-api.{self.region}.amazonaws.com/recommendations",
                "ApiId": "dry-run",
                "EndpointName": f"{NAME}-serverless",
                "FunctionName": NAME,
                "DashboardUrl": f"https://{self.region}.console.aws.amazon.com/cloudwatch/home",
            },
        }

    @property
    def base(self) -> dict[str, str]:
        """The outputs of the first stack."""
        return self.outputs[BASE_STACK]

    def describe_stacks(self, parameters: Response) -> Response:
        """Return the stack with that name or ID."""
        name = str(parameters["StackName"]).split("/")[-2:][0]
        if name not in self.stacks:
            raise Refused("ValidationError", f"Stack with id {name} does not exist")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs[name].items()]
        stack_id = f"arn:aws:cloudformation:{self.region}:{ACCOUNT}:stack/{name}/dry-run"
        stack = {"StackName": name, "StackId": stack_id, "CreationTime": TIME, "StackStatus": self.stacks[name]}
        return {"Stacks": [{**stack, "Outputs": outputs, "Parameters": []}]}

    def create_change_set(self, parameters: Response) -> Response:
        """Register a new stack, which exists from now on."""
        self.stacks.setdefault(parameters["StackName"], "REVIEW_IN_PROGRESS")
        return {"Id": "dry-run"}

    def execute_change_set(self, parameters: Response) -> Response:
        """Mark the stack as created or changed."""
        new = self.stacks[parameters["StackName"]] == "REVIEW_IN_PROGRESS"
        self.stacks[parameters["StackName"]] = "CREATE_COMPLETE" if new else "UPDATE_COMPLETE"
        return {}

    def delete_stack(self, parameters: Response) -> Response:
        """Delete the stack."""
        self.stacks.pop(str(parameters["StackName"]).split("/")[-2:][0], None)
        return {}

    def describe_endpoint(self, _: Response) -> Response:
        """Return the endpoint, until it is deleted."""
        if not self.endpoint:
            raise Refused("ValidationException", "Could not find endpoint")
        return {}

    def delete_endpoint(self, _: Response) -> Response:
        """Delete the endpoint."""
        self.endpoint = False
        return {}

    def put_object(self, parameters: Response) -> Response:
        """Add an object."""
        self.keys.append(parameters["Key"])
        return {"ETag": "dry-run"}

    def head_object(self, parameters: Response) -> Response:
        """Return the object (HeadObject): found if its key was uploaded."""
        if parameters["Key"] not in self.keys:
            raise Refused("404", "Not Found")
        return {"ContentLength": 0}

    def list_objects(self, parameters: Response) -> Response:
        """Return the keys of a prefix, or its folders."""
        prefix = parameters.get("Prefix", "")
        below = [key for key in self.keys if key.startswith(prefix)]
        folders = dict.fromkeys(prefix + key.removeprefix(prefix).partition("/")[0] + "/" for key in below)
        if "Delimiter" in parameters:
            return {"CommonPrefixes": [{"Prefix": folder} for folder in folders]}
        return {"Contents": [{"Key": key, "Size": 0} for key in below]}

    def list_jobs(self, kind: str, parameters: Response) -> Response:
        """Return a job of that kind and status."""
        status = parameters["StatusEquals"]
        name = RUNNING if status == "InProgress" else JOB
        return {
            f"{kind}Summaries": [
                {f"{kind}Name": name, f"{kind}Arn": name, f"{kind}Status": status, "CreationTime": TIME}
            ]
        }

    def status(self, kind: str, parameters: Response) -> Response:
        """Return the status of a job."""
        runs = parameters[f"{kind}Name"] == RUNNING and kind not in self.stopped
        return {f"{kind}Status": "InProgress" if runs else "Completed"}

    def stop(self, kind: str) -> Response:
        """Stop the running job of that kind."""
        self.stopped.add(kind)
        return {}

    def training_job(self, parameters: Response) -> Response:
        """Describe a training job that these commands created."""
        name = parameters["TrainingJobName"]
        model = f"s3://{self.base['BucketName']}/{TRAINING}/{name}/output/model.tar.gz"
        return {
            **self.status("TrainingJob", parameters),
            "SecondaryStatus": "Completed",
            "TrainingJobArn": f"arn:aws:sagemaker:{self.region}:{ACCOUNT}:training-job/{name}",
            "ModelArtifacts": {"S3ModelArtifacts": model},
            "AlgorithmSpecification": {"TrainingImage": self.image, "TrainingInputMode": "File"},
            "RoleArn": self.base["TrainingRoleArn"],
            "FinalMetricDataList": [{"MetricName": "validation_rmse", "Value": 1.0, "Timestamp": TIME}],
        }

    def tuning_job(self, parameters: Response) -> Response:
        """Describe a tuning job that these commands created."""
        best = {"TrainingJobName": JOB, "TrainingJobArn": JOB, "CreationTime": TIME, "TrainingJobStatus": "Completed"}
        return {
            **self.status("HyperParameterTuningJob", parameters),
            "TrainingJobDefinition": {
                "AlgorithmSpecification": {"TrainingInputMode": "File"},
                "RoleArn": self.base["TrainingRoleArn"],
                "OutputDataConfig": {"S3OutputPath": f"s3://{self.base['BucketName']}/{TRAINING}"},
                "StoppingCondition": {},
            },
            "BestTrainingJob": {
                **best,
                "TunedHyperParameters": {"embedding_dim": "100"},
                "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation_rmse", "Value": 1.0},
            },
        }

    def describe_images(self, parameters: Response) -> Response:
        """Return an image that was pushed earlier; a tagged image only if it was pushed in this run."""
        if "imageIds" in parameters and not self.pushed:
            raise Refused("ImageNotFoundException", "The image does not exist")
        return {"imageDetails": [{"imageDigest": DIGEST, "imagePushedAt": TIME}]}

    @property
    def image(self) -> str:
        """The URI of a pushed image."""
        return f"{self.base['RepositoryUri']}@{DIGEST}"


# service:Operation -> the entries of its response that the response's shape does not require.
RESPONSES: dict[str, Callable[[DryRun, Response], Response]] = {
    "cloudformation:DescribeStacks": DryRun.describe_stacks,
    "cloudformation:CreateChangeSet": DryRun.create_change_set,
    "cloudformation:DescribeChangeSet": lambda *_: {"Status": "CREATE_COMPLETE"},
    "cloudformation:ExecuteChangeSet": DryRun.execute_change_set,
    "cloudformation:DeleteStack": DryRun.delete_stack,
    "ecr:GetAuthorizationToken": lambda run, _: {
        "authorizationData": [
            {
                "authorizationToken": base64.b64encode(b"AWS:dry-run").decode(),
                "proxyEndpoint": "https://" + run.base["RepositoryUri"].partition("/")[0],
            }
        ]
    },
    "ecr:DescribeImages": DryRun.describe_images,
    "ecr:ListImages": lambda *_: {"imageIds": [{"imageDigest": DIGEST}]},
    "s3:PutObject": DryRun.put_object,
    "s3:HeadObject": DryRun.head_object,
    "s3:CreateMultipartUpload": lambda run, parameters: {"UploadId": "dry-run", **run.put_object(parameters)},
    "s3:UploadPart": lambda *_: {"ETag": "dry-run"},
    "s3:ListObjectsV2": DryRun.list_objects,
    "s3:ListObjectVersions": lambda *_: {"Versions": [{"Key": "channels/default/train/part.csv", "VersionId": "1"}]},
    "sagemaker:DescribeEndpoint": DryRun.describe_endpoint,
    "sagemaker:DeleteEndpoint": DryRun.delete_endpoint,
    "sagemaker:DescribeTrainingJob": DryRun.training_job,
    "sagemaker:DescribeHyperParameterTuningJob": DryRun.tuning_job,
    "sagemaker:DescribeTransformJob": lambda run, parameters: run.status("TransformJob", parameters),
    "sagemaker:DescribeModel": lambda run, _: {"ExecutionRoleArn": run.base["EndpointRoleArn"]},
    "sagemaker:ListTags": lambda *_: {"Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]},
    "sagemaker:ListTrainingJobs": lambda run, parameters: run.list_jobs("TrainingJob", parameters),
    "sagemaker:ListTransformJobs": lambda run, parameters: run.list_jobs("TransformJob", parameters),
    "sagemaker:ListHyperParameterTuningJobs": lambda run, parameters: run.list_jobs(
        "HyperParameterTuningJob", parameters
    ),
    "sagemaker:StopTrainingJob": lambda run, _: run.stop("TrainingJob"),
    "sagemaker:StopTransformJob": lambda run, _: run.stop("TransformJob"),
    "sagemaker:StopHyperParameterTuningJob": lambda run, _: run.stop("HyperParameterTuningJob"),
    "sagemaker:ListEndpoints": lambda run, _: {
        "Endpoints": [{"EndpointName": run.outputs[NAME]["EndpointName"], "EndpointArn": "dry-run"}]
    },
    "sagemaker:ListModels": lambda *_: {
        "Models": [{"ModelName": f"{NAME}-transform-dry-run", "ModelArn": JOB, "CreationTime": TIME}]
    },
    "sagemaker:ListModelPackages": lambda run, _: {
        "ModelPackageSummaryList": [
            {
                "ModelPackageArn": f"arn:aws:sagemaker:{run.region}:{ACCOUNT}:model-package/{NAME}/1",
                "CreationTime": TIME,
            }
        ]
    },
    "logs:DescribeLogStreams": lambda *_: {"logStreams": [{"logStreamName": f"{JOB}/algo-1-0"}]},
}


def _http(status: int) -> AWSResponse:
    return AWSResponse("", status, HTTPHeaders(), None)


def _example(shape: Shape | None, parameters: Response) -> Response:
    """Return a response with every entry that its shape requires; names are those of the call."""
    example = _value(shape, "", parameters) if shape is not None else {}
    return {**example, "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0}}


def _value(shape: Any, name: str, parameters: Response) -> Any:  # noqa: ANN401 - botocore's shapes have no types
    if shape.type_name == "structure":
        return {member: _value(shape.members[member], member, parameters) for member in shape.required_members}
    if shape.type_name == "string":
        return parameters.get(name) or (shape.enum[0] if shape.enum else "dry-run")
    plain: dict[str, object] = {"list": [], "map": {}, "timestamp": TIME, "boolean": False, "blob": b""}
    return plain.get(shape.type_name, 0)


def _readable(parameters: Response) -> Response:
    """Return the parameters, with the bytes of a file that would be sent."""
    return {name: value.read() if hasattr(value, "read") else value for name, value in parameters.items()}


def _shown(value: object) -> object:
    """Return a value for printing; bytes and long texts such as templates only by what identifies them."""
    data = value.encode() if isinstance(value, str) and len(value) > LONGEST_SHOWN else value
    return f"<{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}>" if isinstance(data, bytes) else value
