"""The commands against moto's control plane over HTTP: the resources after each command, and the errors."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.control_plane import ControlPlane, control_plane
from support.job import ROOT
from support.launch import Run, launch, write_channels

pytestmark = pytest.mark.aws

MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": 1,
        "digest": "sha256:" + "1" * 64,
    },
    "layers": [],
}
Command = Callable[..., Run]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("aws") / "log") as server:
        yield server


@pytest.fixture
def account(aws: ControlPlane) -> ControlPlane:
    """Return an empty account."""
    aws.forget()
    return aws


@pytest.fixture
def command(account: ControlPlane, tmp_path: Path) -> Command:
    """Return a function that runs a command, which must succeed."""

    def run(*arguments: str) -> Run:
        ended = launch(*arguments, environment={**account.environment, **bare(tmp_path)})
        assert (ended.code, ended.err) == (0, ""), ended.err
        return ended

    return run


def bare(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


def outputs(account: ControlPlane, stack: str) -> dict[str, str]:
    found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def push_image(account: ControlPlane) -> str:
    """Put an image into the repository, as Docker would; return its URI."""
    uri = outputs(account, "recommender-base")["RepositoryUri"]
    made = account.client("ecr").put_image(
        repositoryName=uri.partition("/")[2], imageManifest=json.dumps(MANIFEST), imageTag="0123456789abcdef"
    )
    return f"{uri}@{made['image']['imageId']['imageDigest']}"


def everything(account: ControlPlane) -> dict[str, list[Any]]:
    """Return the billed resources of the account."""
    sagemaker = account.client("sagemaker")
    return {
        "stacks": account.client("cloudformation").describe_stacks()["Stacks"],
        "buckets": account.client("s3").list_buckets()["Buckets"],
        "repositories": account.client("ecr").describe_repositories()["repositories"],
        "functions": account.client("lambda").list_functions()["Functions"],
        "endpoints": sagemaker.list_endpoints()["Endpoints"],
        "models": sagemaker.list_models()["Models"],
        "packages": sagemaker.list_model_packages(ModelPackageGroupName="recommender")["ModelPackageSummaryList"],
        "groups": sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
    }


@pytest.fixture
def trained(command: Command, account: ControlPlane, tmp_path: Path) -> str:
    """Create the first stack, an image, channels and a training job; return the job's name."""
    command("base")
    push_image(account)
    command("upload", str(write_channels(tmp_path / "channels")))
    return command("train", "--embedding_dim", "20").out.partition("training job: ")[2].split()[0]


def test_all_commands_create_a_service_and_delete_all_of_it(
    command: Command, account: ControlPlane, tmp_path: Path
) -> None:
    assert "stack recommender-base: done" in command("base").out
    assert "nothing to change" in command("base").out
    image, base = push_image(account), outputs(account, "recommender-base")
    bucket, s3, sagemaker = base["BucketName"], account.client("s3"), account.client("sagemaker")

    command("upload", str(write_channels(tmp_path / "channels")))
    assert s3.get_object(Bucket=bucket, Key="channels/default/train/part.csv")["Body"].read() == b"the file of train"

    name = command("train", "--embedding_dim", "20").out.partition("training job: ")[2].split()[0]
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert job["HyperParameters"] == {"embedding_dim": "20"}
    assert job["AlgorithmSpecification"]["TrainingImage"] == image
    assert job["RoleArn"] == base["TrainingRoleArn"]
    assert job["EnableManagedSpotTraining"] is True
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "items"]

    command("register")
    (package,) = sagemaker.list_model_packages(ModelPackageGroupName="recommender")["ModelPackageSummaryList"]
    made = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    statistics = made["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].removeprefix(f"s3://{bucket}/")
    metrics = json.loads(s3.get_object(Bucket=bucket, Key=statistics)["Body"].read())
    assert metrics["regression_metrics"] == {"train:progress": {"value": 100.0}}  # moto's jobs print this

    output = command("deploy").out
    assert "FunctionName: recommender" in output
    assert "bills from now on" in output
    (model,) = sagemaker.list_models()["Models"]
    container = sagemaker.describe_model(ModelName=model["ModelName"])["PrimaryContainer"]
    assert container["Image"] == image
    assert container["ModelDataUrl"] == f"s3://{bucket}/training/{name}/output/model.tar.gz"
    assert "nothing to change" in command("deploy").out
    assert "stack recommender: done" in command("deploy", "--parameter", "ServerlessMaxConcurrency=7").out
    (config,) = sagemaker.list_endpoint_configs()["EndpointConfigs"]
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=config["EndpointConfigName"])[
        "ProductionVariants"
    ]
    assert variant["ServerlessConfig"]["MaxConcurrency"] == 7

    stack = account.client("cloudformation").describe_stacks(StackName="recommender")["Stacks"][0]
    kept = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    assert kept["ModelDataUrl"] == container["ModelDataUrl"]

    output = command("down", "--yes").out
    assert "removed: stack recommender" in output
    assert f"left and billed: objects in bucket {bucket}: " in output
    left = {name for name, found in everything(account).items() if found}
    assert left == {"stacks", "buckets", "repositories", "packages", "groups"}
    assert "nothing billed is left" in command("down", "--all", "--yes").out
    assert not any(everything(account).values())
    assert command("down", "--all", "--yes").out.startswith("nothing to remove")


def test_after_a_transform_its_job_is_left_and_no_model(command: Command, account: ControlPlane, trained: str) -> None:
    bucket = outputs(account, "recommender-base")["BucketName"]
    output = command("transform", f"s3://{bucket}/transform/questions.jsonl", "--job", trained).out
    name = output.partition("transform job: ")[2].split()[0]
    job = account.client("sagemaker").describe_transform_job(TransformJobName=name)
    assert job["TransformInput"]["SplitType"] == "Line"
    assert job["TransformOutput"]["S3OutputPath"] == f"s3://{bucket}/transform/{name}"
    assert account.client("sagemaker").list_models()["Models"] == []


def test_a_search_has_the_ranges_of_the_solver(command: Command, account: ControlPlane, trained: str) -> None:
    output = command("tune", "--objective", "rmse", "--solver", "adam", "--no-wait").out
    name = output.partition("tuning job: ")[2].partition(":")[0]
    job = account.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    ranges = job["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert {found["Name"] for found in ranges["ContinuousParameterRanges"]} == {"learning_rate", "weight_decay"}
    assert job["TrainingJobDefinition"]["EnableNetworkIsolation"] is True
    assert trained


def test_an_upload_deletes_files_that_the_folder_no_longer_has(
    command: Command, account: ControlPlane, tmp_path: Path
) -> None:
    command("base")
    channels = write_channels(tmp_path / "channels")
    command("upload", str(channels))
    (channels / "items" / "titles" / "part.csv").unlink()
    command("upload", str(channels))
    found = account.client("s3").list_objects_v2(Bucket=outputs(account, "recommender-base")["BucketName"])
    assert [content["Key"] for content in found["Contents"]] == ["channels/default/train/part.csv"]


def test_down_keeps_models_that_these_commands_did_not_create(command: Command, account: ControlPlane) -> None:
    sagemaker = account.client("sagemaker")
    for name in ("recommender-transform-of-others", "another"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn="arn:aws:iam::123456789012:role/x", PrimaryContainer={})
    ours = {"Tags": [{"Key": "project", "Value": "recommender"}]}
    sagemaker.create_model(
        ModelName="recommender-transform-1", ExecutionRoleArn="arn:aws:iam::123456789012:role/x", **ours
    )
    command("down", "--yes")
    left = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    assert left == {"recommender-transform-of-others", "another"}


def test_nothing_is_deleted_without_confirmation(account: ControlPlane, command: Command, tmp_path: Path) -> None:
    command("base")
    ended = launch("down", "--all", environment={**account.environment, **bare(tmp_path)})
    assert ended.code == 130
    assert "remove: stack recommender-base" in ended.out
    assert outputs(account, "recommender-base")


# Errors

BEFORE_BASE = "stack recommender-base does not exist in eu-west-1: run `base` first"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train"], BEFORE_BASE),
        (["tune"], BEFORE_BASE),
        (["register"], BEFORE_BASE),
        (["deploy"], BEFORE_BASE),
        (["push"], BEFORE_BASE),
        (["transform", "s3://bucket/transform/x.jsonl"], BEFORE_BASE),
        (["ask", "A1"], "stack recommender does not exist in eu-west-1: run `deploy` first"),
        (["train", "--embedding_dim", "0"], "command line: hyper-parameter 'embedding_dim': expected greater than or "),
        (["train", "--solver=als", "--model=sigmoid"], "command line: hyper-parameters: model sigmoid has no closed "),
        (["train", "--max-minutes=90", "--max-wait-minutes=80"], "--max-wait-minutes: expected at least --max-minutes"),
        (["train", "--instance-count", "0"], "command line: Invalid value for '--instance-count': 0 is not in the "),
        (
            ["deploy", "--parameter", "Memory=1"],
            "parameter Memory: unknown name; known names are BaseStack, ImageUri, ",
        ),
        (["deploy", "--parameter", "Memory"], "command line: --parameter: expected NAME=VALUE, got 'Memory'."),
        (["deploy", "--parameter", "EndpointType=big"], "parameter EndpointType: expected one of 'serverless', 'inst"),
        (["deploy", "--parameter", "ImageUri=x"], "parameter ImageUri: the command sets it: leave it out, us"),
        (["upload", "/nowhere"], "/nowhere/train: expected a folder with the files of channel train"),
        (["up", "/nowhere"], "/nowhere/train: expected a folder with the files of channel train"),
        (["fly"], "command line: No such command 'fly'. See --help"),
    ],
)
def test_an_error_is_one_line_and_nothing_was_created(
    account: ControlPlane, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    assert problem(account, tmp_path, *arguments).startswith(expected)
    assert not any(everything(account).values())


def problem(account: ControlPlane, home: Path, *arguments: str, **environment: str) -> str:
    """Run a command that fails; return its error, which is one line."""
    ended = launch(*arguments, environment={**account.environment, **bare(home), **environment})
    assert ended.code == 1, ended.out
    (line,) = ended.err.splitlines()
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("without", "environment", "expected"),
    [
        (["AWS_DEFAULT_REGION"], {}, "no AWS region is set: set AWS_DEFAULT_REGION, for example eu-west-1"),
        (["AWS_ACCESS_KEY_ID"], {}, "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "),
        ([], {"AWS_PROFILE": "mine"}, "The config profile (mine) could not be found"),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS does not respond as expected: Could not connect to the "),
    ],
)
def test_an_unusable_account_is_an_error_of_one_line(
    account: ControlPlane, tmp_path: Path, without: list[str], environment: dict[str, str], expected: str
) -> None:
    given = {**account.environment, **bare(tmp_path), "AWS_MAX_ATTEMPTS": "1", **environment}
    ended = launch("base", environment={name: value for name, value in given.items() if name not in without})
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith(f"error: {expected}")


def test_a_job_needs_an_image_and_channels(command: Command, account: ControlPlane, tmp_path: Path) -> None:
    command("base")
    assert problem(account, tmp_path, "train") == "repository recommender-base has no image: run `push` first"
    push_image(account)
    assert "channels/x/train/: no files found: run `upload FOLDER --name x`" in problem(
        account, tmp_path, "train", "--name", "x"
    )
    assert problem(account, tmp_path, "deploy") == "no completed training job was found: run `train` first"
    assert problem(account, tmp_path, "register", "--job", "x") == "training job x: not found"
    assert "expected a location in s3://" in problem(account, tmp_path, "transform", "s3://other/requests.jsonl")


def test_push_without_docker_is_an_error(command: Command, account: ControlPlane, tmp_path: Path) -> None:
    command("base")
    assert problem(account, tmp_path, "push", PATH="/nowhere") == (
        "docker: command not found: install Docker, then run this again"
    )


def test_pinned_versions_match_those_of_the_project() -> None:
    def pins(*files: str) -> dict[str, str]:
        lines = [
            line.split("#")[0].split(";")[0].strip()
            for file in files
            for line in (ROOT / file).read_text().splitlines()
        ]
        return dict(line.split("==") for line in lines if "==" in line)

    locked = pins("requirements.txt", "requirements-serve.txt")
    needed = pins("infra/requirements.txt")
    assert needed.keys() & locked.keys() >= {"boto3", "click", "numpy", "pydantic"}
    assert {name: needed[name] for name in needed.keys() & locked.keys()}.items() <= locked.items()
