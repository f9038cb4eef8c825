"""Other uses of a trained model than the endpoint: the model registry and batch transform."""

import json
import secrets
import time
from typing import Any

from infra import stacks
from infra.aws import Aws, LaunchError, unless_missing
from infra.names import NAME, TAGS, TRAINING, TRANSFORM
from infra.stacks import Base
from infra.training import ENDED, POLL_SECONDS, quiet_sdk
from recommender.common.messages import printable
from recommender.sagemaker.server_environment import DEFAULT_PAYLOAD_IN_MB, MediaType

REALTIME_INSTANCES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge"]
TRANSFORM_INSTANCES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"]
TRANSFORM_MODEL = f"{NAME}-transform"  # prefix of the names of models for a transform
STATISTICS = "statistics.json"
SCHEME = "s3://"


def trained(aws: Aws, base: Base, job: str | None) -> dict[str, Any]:
    """Return the description of a completed training job; by default of the last one of this project.

    Raises:
        LaunchError: there is no such job, or it has not completed.
    """
    client = aws.client("sagemaker")
    found = _job(client, job) if job else _last_job(client, base)
    if found is None:
        raise LaunchError(
            f"training job {printable(job)}: not found"
            if job
            else "no completed training job was found: run `train` first"
        )
    name = found["TrainingJobName"]
    if found["TrainingJobStatus"] != "Completed":
        raise LaunchError(f"training job {name}: its status is {found['TrainingJobStatus']}, expected Completed")
    if not _is_in(found, base):
        raise LaunchError(
            f"training job {name}: expected its model in {base.uri(TRAINING, '')}, where the endpoint may read"
        )
    return dict(found)


def _job(client: Any, name: str) -> dict[str, Any] | None:  # noqa: ANN401 - a client of botocore
    found: dict[str, Any] | None = unless_missing(lambda: client.describe_training_job(TrainingJobName=name))
    return found


def _last_job(client: Any, base: Base) -> dict[str, Any] | None:  # noqa: ANN401 - a client of botocore
    """Return the newest job of this project, without trials of a search: the newest trial is not the best one."""
    pages = client.get_paginator("list_training_jobs").paginate(
        NameContains=f"{NAME}-", StatusEquals="Completed", SortBy="CreationTime", SortOrder="Descending"
    )
    names = (job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"])
    found = (_job(client, name) for name in names if name.startswith(f"{NAME}-"))
    return next((job for job in found if job and "TuningJobArn" not in job and _is_in(job, base)), None)


def _is_in(job: dict[str, Any], base: Base) -> bool:
    """Return whether the job's model is in the location that the endpoint may read."""
    return str(job["ModelArtifacts"]["S3ModelArtifacts"]).startswith(base.uri(TRAINING, ""))


def model_of(job: dict[str, Any]) -> tuple[str, str]:
    """Return the image and the model.tar.gz of a training job."""
    return job["AlgorithmSpecification"]["TrainingImage"], job["ModelArtifacts"]["S3ModelArtifacts"]


def register(aws: Aws, job: str | None, approved: bool) -> str:
    """Register a job's model as a new version in the model registry, with the job's final metrics.

    Returns:
        The ARN of the version.

    Raises:
        LaunchError: see `trained`.
    """
    base = stacks.base(aws)
    found = trained(aws, base, job)
    name, (uri, model) = found["TrainingJobName"], model_of(found)
    client = aws.client("sagemaker")
    group = {"ModelPackageGroupName": NAME}
    if unless_missing(lambda: client.describe_model_package_group(**group)) is None:
        client.create_model_package_group(**group, Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()])
    statistics = f"{TRAINING}/{name}/{STATISTICS}"
    aws.client("s3").put_object(Bucket=base.bucket, Key=statistics, Body=_statistics(found), ContentType=MediaType.JSON)
    # Not by ModelPackage.create of the SDK: in 3.27.0 it raises KeyError("ModelPackageName") after creating the
    # version, because it expects a name that CreateModelPackage does not return. ModelBuilder.register first builds
    # its own model.
    made = client.create_model_package(
        **group,
        ModelPackageDescription=f"Two-stage recommender of training job {name}",
        ModelApprovalStatus="Approved" if approved else "PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": uri, "ModelDataUrl": model}],
            "SupportedContentTypes": list(map(str, MediaType)),
            "SupportedResponseMIMETypes": list(map(str, MediaType)),
            "SupportedRealtimeInferenceInstanceTypes": REALTIME_INSTANCES,
            "SupportedTransformInstanceTypes": TRANSFORM_INSTANCES,
        },
        ModelMetrics={
            "ModelQuality": {"Statistics": {"ContentType": str(MediaType.JSON), "S3Uri": base.uri(statistics)}}
        },
        MetadataProperties={"GeneratedBy": found["TrainingJobArn"]},
    )
    print(f"registered: {made['ModelPackageArn']}")
    return str(made["ModelPackageArn"])


def _statistics(job: dict[str, Any]) -> bytes:
    """Return the final metrics in the format of Model Monitor's model quality, which the console shows."""
    metrics = {metric["MetricName"]: {"value": metric["Value"]} for metric in job.get("FinalMetricDataList", [])}
    return json.dumps({"regression_metrics": metrics}, indent=1).encode()


def transform(aws: Aws, location: str, job: str | None, instance_type: str, instance_count: int) -> str:
    """Run a batch transform of JSON lines in the bucket, and remove the model resource that it needs.

    Args:
        aws: the account.
        location: s3:// URI of a file, or of a prefix of files.
        job: the training job with the model; by default the last one.
        instance_type: instance type of SageMaker.
        instance_count: number of instances, over which the files are distributed.

    Returns:
        The location of the responses, one file `<name of the input file>.out` each.

    Raises:
        LaunchError: the location is not in the bucket, or the job failed.
    """
    base = stacks.base(aws)
    if not location.startswith(base.uri(TRANSFORM, "")):
        raise LaunchError(
            f"{printable(location)}: expected a location in {base.uri(TRANSFORM, '')}, where the model's role may read"
        )
    uri, model = model_of(trained(aws, base, job))
    name = f"{TRANSFORM_MODEL}-{time.strftime('%Y%m%d%H%M%S')}-{secrets.token_hex(2)}"
    client = aws.client("sagemaker")
    # Not by Model.create of the SDK: it reads the model back, and a failure there would leave the model.
    client.create_model(
        ModelName=name,
        PrimaryContainer={"Image": uri, "ModelDataUrl": model},
        ExecutionRoleArn=base.endpoint_role,
        EnableNetworkIsolation=True,
        Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    try:
        ended = _transform(aws, base, name, location, instance_type, instance_count)
    finally:
        client.delete_model(ModelName=name)
    if ended.transform_job_status != "Completed":
        raise LaunchError(f"transform job {name}: {ended.transform_job_status}: {ended.failure_reason or 'stopped'}")
    print(f"responses: {base.uri(TRANSFORM, name)}/")
    return base.uri(TRANSFORM, name)


def _transform(aws: Aws, base: Base, name: str, location: str, instance_type: str, instance_count: int) -> Any:  # noqa: ANN401
    """Run a transform job of the SDK to its end and return it; Ctrl-C stops it."""
    quiet_sdk()
    from sagemaker.core import shapes as sdk
    from sagemaker.core.resources import TransformJob

    source = sdk.TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=location)
    job = TransformJob.create(
        transform_job_name=name,
        model_name=name,
        batch_strategy="MultiRecord",
        max_payload_in_mb=DEFAULT_PAYLOAD_IN_MB,
        transform_input=sdk.TransformInput(
            data_source=sdk.TransformDataSource(s3_data_source=source),
            content_type=str(MediaType.JSON_LINES),
            split_type="Line",
        ),
        transform_output=sdk.TransformOutput(
            s3_output_path=base.uri(TRANSFORM, name), accept=str(MediaType.JSON_LINES), assemble_with="Line"
        ),
        transform_resources=sdk.TransformResources(instance_type=instance_type, instance_count=instance_count),
        tags=[{"key": key, "value": value} for key, value in TAGS.items()],
        session=aws.session,
    )
    print(f"transform job: {name}")
    try:
        while job.refresh().transform_job_status not in ENDED:
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        job.stop()
        raise
    return job
