"""The dry run of every command: a process without account, network and Docker, and the calls that it prints."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from support.job import ROOT
from support.launch import Run, bare_environment, launch, write_channels

from recommender.hyperparameters import TrainConfig
from recommender.models.options import SEARCH_SPACE
from recommender.training.metrics import metric_definitions
from recommender.training.objectives import OBJECTIVES, search_space

pytestmark = pytest.mark.aws

BUCKET = "recommender-base-123456789012-us-east-1"
DryRun = Callable[..., Run]
VERBS = {
    "base": [],
    "push": [],
    "upload": ["CHANNELS"],
    "train": [],
    "tune": [],
    "register": [],
    "deploy": [],
    "transform": [f"s3://{BUCKET}/transform/requests.jsonl"],
    "ask": ["A1B2C3"],
    "up": ["CHANNELS"],
    "down": ["--all"],
}


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> DryRun:
    """Return a function that runs a command with --dry-run; CHANNELS stands for a folder of channels."""
    folder = tmp_path_factory.mktemp("dry")
    channels = write_channels(folder / "channels")
    environment = bare_environment(folder)
    done: dict[tuple[str, ...], Run] = {}

    def run(*arguments: str) -> Run:
        if arguments not in done:
            named = [str(channels) if argument == "CHANNELS" else argument for argument in arguments]
            done[arguments] = launch(*named, "--dry-run", environment=environment)
        assert done[arguments].code == 0, done[arguments].err
        return done[arguments]

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_a_dry_run_works_without_account_and_prints_only_valid_api_calls(dry: DryRun, verb: str) -> None:
    run = dry(verb, *VERBS[verb])
    assert run.err == ""
    assert run.calls
    for name, parameters in run.calls:
        service, operation = name.split(":")
        if service == "execute-api":  # an HTTP request, not a call of a client
            continue
        shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"


def test_a_dry_run_that_opened_a_connection_would_fail(tmp_path: Path) -> None:
    without = bare_environment(tmp_path)
    account = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "eu-west-1"}
    closed = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert launch("base", environment={**without, **account, **closed}).code == 99


def test_the_first_stack_is_created_by_a_change_set_of_its_template(dry: DryRun) -> None:
    run = dry("base")
    assert run.names == [
        "cloudformation:DescribeStacks",
        "cloudformation:CreateChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:DescribeStacks",
    ]
    change = run.only("cloudformation:CreateChangeSet")
    template = (ROOT / "infra" / "base.yaml").read_bytes()
    assert (change["StackName"], change["ChangeSetType"]) == ("recommender-base", "CREATE")
    assert change["TemplateBody"] == f"<{len(template)} bytes, sha256 {hashlib.sha256(template).hexdigest()}>"
    assert change["Capabilities"] == ["CAPABILITY_IAM"]


def test_the_image_is_one_manifest_for_amd64_and_the_password_is_not_an_argument(dry: DryRun) -> None:
    run = dry("push")
    build, login, tag, push, logout = run.commands
    assert build.startswith("docker build --platform linux/amd64 --iidfile ")
    assert login.startswith("docker login --username AWS --password-stdin 123456789012.dkr.ecr.us-east-1.amazonaws.com")
    assert push.split()[-1] == tag.split()[-1] == f"{login.split()[-1]}/recommender-base:{'0' * 16}"
    assert logout.split()[-1] == login.split()[-1]
    assert "image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/recommender-base@sha256:" in run.out
    assert base64.b64encode(b"AWS:dry-run").decode() not in run.out


def test_only_the_files_of_the_channels_are_uploaded(dry: DryRun) -> None:
    run = dry("upload", "CHANNELS", "--name", "fashion")
    sent = {parameters["Key"]: parameters["Body"] for name, parameters in run.calls if name == "s3:PutObject"}
    assert sent.keys() == {"channels/fashion/train/part.csv", "channels/fashion/items/titles/part.csv"}
    assert hashlib.sha256(b"the file of train").hexdigest() in sent["channels/fashion/train/part.csv"]


def test_a_training_job_has_spot_capacity_checkpoints_metrics_and_no_network(dry: DryRun) -> None:
    job = dry("train", "--embedding_dim", "20", "--model=basic").only("sagemaker:CreateTrainingJob")
    name = job["TrainingJobName"]
    assert job["HyperParameters"] == {"embedding_dim": "20", "model": "basic"}
    assert job["AlgorithmSpecification"]["MetricDefinitions"] == metric_definitions()
    assert job["AlgorithmSpecification"].keys() == {"TrainingImage", "TrainingInputMode", "MetricDefinitions"}
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 10800}
    assert job["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    checkpoints = job["CheckpointConfig"]["S3Uri"]
    assert name.startswith(checkpoints.removeprefix(f"s3://{BUCKET}/checkpoints/") + "-")
    assert job["OutputDataConfig"]["S3OutputPath"] == f"s3://{BUCKET}/training"
    assert job["EnableNetworkIsolation"] is True
    assert job["EnableInterContainerTrafficEncryption"] is False
    assert job["RoleArn"] == "arn:aws:iam::123456789012:role/recommender-base-TrainingRole"
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "validation", "test", "items"]
    assert job["Tags"] == [{"Key": "project", "Value": "recommender"}]


def test_several_hosts_read_all_data_and_encrypt_their_traffic(dry: DryRun) -> None:
    run = dry("train", "--instance-count=3", "--input-mode", "FastFile", "--no-spot", "--volume-gb", "50", "--no-wait")
    job = run.only("sagemaker:CreateTrainingJob")
    assert job["ResourceConfig"] == {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 50}
    assert job["EnableInterContainerTrafficEncryption"] is True
    assert job["EnableManagedSpotTraining"] is False
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    for channel in job["InputDataConfig"]:
        assert channel["InputMode"] == "FastFile"
        assert channel["DataSource"]["S3DataSource"] == {
            "S3DataType": "S3Prefix",
            "S3Uri": f"s3://{BUCKET}/channels/default/{channel['ChannelName']}/",
            "S3DataDistributionType": "FullyReplicated",
        }


def ranges_of(job: dict[str, Any]) -> dict[str, tuple[float, float, str]]:
    kinds = job["HyperParameterTuningJobConfig"]["ParameterRanges"]
    return {
        found["Name"]: (float(found["MinValue"]), float(found["MaxValue"]), found["ScalingType"])
        for kind in kinds.values()
        for found in kind
    }


@pytest.mark.parametrize("solver", SEARCH_SPACE)
def test_a_search_covers_the_search_space_of_the_code(dry: DryRun, solver: str) -> None:
    job = dry("tune", "--objective", "rmse", "--solver", solver).only("sagemaker:CreateHyperParameterTuningJob")
    expected = {name: (values.low, values.high, "Logarithmic") for name, values in SEARCH_SPACE[solver].items()}
    assert ranges_of(job) == expected
    whole = job["HyperParameterTuningJobConfig"]["ParameterRanges"]["IntegerParameterRanges"]
    assert {found["Name"] for found in whole} == {name for name, values in SEARCH_SPACE[solver].items() if values.whole}
    assert job["TrainingJobDefinition"]["StaticHyperParameters"] == {"report": "false", "solver": solver}


def test_a_search_for_the_best_ndcg_covers_the_search_space_of_all_components(dry: DryRun) -> None:
    job = dry("tune").only("sagemaker:CreateHyperParameterTuningJob")
    objective = OBJECTIVES["ndcg"]
    space = search_space(TrainConfig(), objective)
    assert ranges_of(job) == {name: (values.low, values.high, "Logarithmic") for name, values in space.items()}
    metric = {"Type": "Maximize", "MetricName": objective.metric}
    assert job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"] == metric
    definitions = job["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    assert objective.metric in {definition["Name"] for definition in definitions}


def test_a_search_has_limits_an_objective_and_jobs_like_train(dry: DryRun) -> None:
    job = dry("tune", "--max-jobs=9", "--max-parallel=3", "--objective=rmse", "--embedding_dim", "64").only(
        "sagemaker:CreateHyperParameterTuningJob"
    )
    config, definition = job["HyperParameterTuningJobConfig"], job["TrainingJobDefinition"]
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 9, "MaxParallelTrainingJobs": 3}
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Minimize", "MetricName": "validation_rmse"}
    assert config["TrainingJobEarlyStoppingType"] == "Off"
    assert "embedding_dim" not in ranges_of(job)
    assert definition["StaticHyperParameters"] == {"report": "false", "embedding_dim": "64"}
    train = dry("train").only("sagemaker:CreateTrainingJob")
    same = ("InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "RoleArn",
            "EnableNetworkIsolation", "EnableManagedSpotTraining", "AlgorithmSpecification")  # fmt: skip
    for name in same:
        assert definition[name] == train[name], name
    assert definition["CheckpointConfig"]["S3Uri"].startswith(f"s3://{BUCKET}/checkpoints/recommender-")
    assert len(job["HyperParameterTuningJobName"]) <= 32


def test_a_registered_model_has_its_metrics_and_waits_for_approval(dry: DryRun) -> None:
    run = dry("register")
    package = run.only("sagemaker:CreateModelPackage")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    specification = package["InferenceSpecification"]
    assert specification["SupportedContentTypes"] == ["application/json", "application/jsonlines", "text/csv"]
    (container,) = specification["Containers"]
    assert container["ModelDataUrl"] == f"s3://{BUCKET}/training/recommender-dry-run/output/model.tar.gz"
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"] == f"s3://{BUCKET}/{run.only('s3:PutObject')['Key']}"
    assert dry("register", "--approve").only("sagemaker:CreateModelPackage")["ModelApprovalStatus"] == "Approved"


def test_the_service_gets_image_and_model_of_the_newest_job_and_the_functions_zip(dry: DryRun) -> None:
    run = dry("deploy", "--parameter", "EndpointType=instance", "--parameter", "AlarmEmail=a@b.c")
    change = run.only("cloudformation:CreateChangeSet")
    values = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in change["Parameters"]}
    code = run.only("s3:PutObject")
    assert values == {
        "BaseStack": "recommender-base",
        "ImageUri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/recommender-base@sha256:{'0' * 64}",
        "ModelDataUrl": f"s3://{BUCKET}/training/recommender-dry-run/output/model.tar.gz",
        "FunctionKey": code["Key"],
        "EndpointType": "instance",
        "AlarmEmail": "a@b.c",
    }
    assert code["Key"].removeprefix("functions/").removesuffix(".zip") in code["Body"]


def test_a_transform_deletes_its_model_resource(dry: DryRun) -> None:
    run = dry("transform", *VERBS["transform"])
    job, model = run.only("sagemaker:CreateTransformJob"), run.only("sagemaker:CreateModel")
    assert job["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": VERBS["transform"][0]}},
        "ContentType": "application/jsonlines",
        "SplitType": "Line",
    }
    assert job["TransformOutput"]["AssembleWith"] == "Line"
    assert job["MaxPayloadInMB"] == 6
    assert model["EnableNetworkIsolation"] is True
    assert run.only("sagemaker:DeleteModel")["ModelName"] == job["ModelName"] == model["ModelName"]
    assert run.names[-1] == "sagemaker:DeleteModel"


def test_ask_sends_one_post_to_the_api_of_the_stack(dry: DryRun) -> None:
    request = dry("ask", "A1B2C3").only("execute-api:Invoke")
    assert request["Url"] == "https://dry-run.execute-api.us-east-1.amazonaws.com/recommendations"
    assert json.loads(request["Body"]) == {"user_id": "A1B2C3"}


def test_up_runs_base_push_upload_train_deploy_and_names_billed_resources(dry: DryRun) -> None:
    run = dry("up", "CHANNELS", "--embedding_dim", "20", "--parameter", "EndpointType=instance")
    steps = [name for name in run.names if name.split(":")[1].startswith(("CreateC", "CreateT", "GetAuth", "PutO"))]
    assert steps == [
        "cloudformation:CreateChangeSet",
        "ecr:GetAuthorizationToken",
        "s3:PutObject",
        "s3:PutObject",
        "sagemaker:CreateTrainingJob",
        "s3:PutObject",
        "cloudformation:CreateChangeSet",
    ]
    job = run.only("sagemaker:CreateTrainingJob")
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "items"]
    assert job["HyperParameters"] == {"embedding_dim": "20"}
    assert "AWS bills from now on" in run.out
    assert run.out.rstrip().endswith("next: python -m infra ask USER_ID")


def test_down_deletes_the_endpoint_first_and_keeps_stored_data(dry: DryRun) -> None:
    run = dry("down")
    changes = [name for name in run.names if name.split(":")[1].startswith(("Delete", "Stop", "BatchDelete"))]
    assert changes == [
        "sagemaker:DeleteEndpoint",
        "cloudformation:DeleteStack",
        "sagemaker:StopHyperParameterTuningJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:StopTransformJob",
        "sagemaker:DeleteModel",
    ]
    assert run.only("cloudformation:DeleteStack")["StackName"] == "recommender"


def test_down_all_deletes_stored_data_last(dry: DryRun) -> None:
    run = dry("down", "--all")
    changes = [name for name in run.names if name.split(":")[1].startswith(("Delete", "Stop", "BatchDelete"))]
    assert changes[6:] == [
        "sagemaker:DeleteModelPackage",
        "sagemaker:DeleteModelPackageGroup",
        "ecr:BatchDeleteImage",
        "s3:DeleteObjects",
        "cloudformation:DeleteStack",
        "logs:DeleteLogStream",
        "logs:DeleteLogStream",
    ]


def test_the_help_lists_the_commands_in_their_order(tmp_path: Path) -> None:
    run = launch("--help", environment=bare_environment(tmp_path))
    commands = run.out.partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in commands if line.strip()] == list(VERBS)
