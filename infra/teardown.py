"""Delete billed resources, the most expensive first. Safe to run repeatedly."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
from botocore import xform_name

from infra import stacks
from infra.aws import Aws, LaunchError, unless_missing
from infra.models import TRANSFORM_MODEL
from infra.names import BASE_STACK, NAME, TAGS
from infra.training import POLL_SECONDS
from recommender.common.messages import printable

JOBS = ("HyperParameterTuningJob", "TrainingJob", "TransformJob")  # a search first: it would start others
RUNNING = ("InProgress", "Stopping")
JOB_LOGS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs")  # log groups of all jobs in the account
MAX_IMAGES = 100  # limit of BatchDeleteImage


@dataclass(frozen=True)
class Removal:
    """An existing resource: its name in the output, and the function that removes it."""

    what: str
    remove: Callable[[], object]


def down(aws: Aws, everything: bool, yes: bool) -> None:
    """Delete resources billed by the hour or by the request; with `everything` also stored data.

    Raises:
        LaunchError: a resource can't be deleted.
    """
    removals = [*_running(aws), *(_stored(aws) if everything else ())]
    for removal in removals:
        print(f"remove: {removal.what}")
    if not removals:
        print("nothing to remove")
    elif not (yes or aws.dry_run or click.confirm("Remove all of this?")):
        print("nothing was removed")
        return
    for removal in removals:
        removal.remove()
        print(f"removed: {removal.what}")
    if not aws.dry_run:
        _report(aws)


def _report(aws: Aws) -> None:
    """Print the billed resources that are left."""
    left = [*_running(aws), *_stored(aws)]
    for removal in left:
        print(f"left and billed: {removal.what}")
    print("remove it with: down --all" if left else "nothing billed is left")


def _running(aws: Aws) -> Iterator[Removal]:
    """Yield the resources that are billed while they exist, the endpoint first."""
    yield from _endpoints(aws)
    if stacks.find(aws, NAME):
        what = f"stack {NAME}: endpoint, function, API, alarms, dashboard"
        yield Removal(what, lambda: stacks.remove(aws, NAME))
    for kind in JOBS:
        yield from _jobs(aws, kind)
    client = aws.client("sagemaker")
    for page in client.get_paginator("list_models").paginate(NameContains=TRANSFORM_MODEL):
        for model in page["Models"]:
            if _is_ours(client, model["ModelName"], model["ModelArn"]):
                yield Removal(f"model {model['ModelName']}", _call(client.delete_model, ModelName=model["ModelName"]))


def _stored(aws: Aws) -> Iterator[Removal]:
    """Yield the resources that are billed by size, and their stack."""
    yield from _packages(aws)
    stack = stacks.find(aws, BASE_STACK)
    if stack:
        names = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if "RepositoryUri" in names:
            yield from _images(aws, names["RepositoryUri"].partition("/")[2])
        if "BucketName" in names:
            yield from _objects(aws, names["BucketName"])
        yield Removal(f"stack {BASE_STACK}: bucket, repository, roles", lambda: stacks.remove(aws, BASE_STACK))
    yield from _logs(aws)


def _endpoints(aws: Aws) -> Iterator[Removal]:
    """Yield the service's endpoint; its stack would delete it too, but only after many other resources."""
    client = aws.client("sagemaker")
    for page in client.get_paginator("list_endpoints").paginate(NameContains=f"{NAME}-"):
        for endpoint in page["Endpoints"]:
            this = {"EndpointName": endpoint["EndpointName"]}
            if _is_ours(client, endpoint["EndpointName"], endpoint["EndpointArn"]):

                def remove(this: dict[str, str] = this) -> None:
                    client.delete_endpoint(**this)
                    client.get_waiter("endpoint_deleted").wait(**this)

                yield Removal(f"endpoint {endpoint['EndpointName']}", remove)


def _jobs(aws: Aws, kind: str) -> Iterator[Removal]:
    """Yield the running jobs of a kind with the tag of this project."""
    client = aws.client("sagemaker")
    pages = client.get_paginator(f"list_{xform_name(kind)}s").paginate(
        NameContains=f"{NAME}-", StatusEquals="InProgress"
    )
    for page in pages:
        for job in page[f"{kind}Summaries"]:
            name = job[f"{kind}Name"]
            if _is_ours(client, name, job[f"{kind}Arn"]):
                yield Removal(f"{xform_name(kind).replace('_', ' ')} {name} (running)", _stop(client, kind, name))


def _stop(client: Any, kind: str, name: str) -> Callable[[], None]:  # noqa: ANN401 - a client of botocore
    def status() -> str:
        job = getattr(client, f"describe_{xform_name(kind)}")(**{f"{kind}Name": name})
        return str(job[f"{kind}Status"])

    def remove() -> None:
        if status() == "InProgress":  # a training job of a stopped search has ended
            getattr(client, f"stop_{xform_name(kind)}")(**{f"{kind}Name": name})
        while status() in RUNNING:
            time.sleep(POLL_SECONDS)

    return remove


def _is_ours(client: Any, name: str, arn: str) -> bool:  # noqa: ANN401 - a client of botocore
    """Return whether these commands created a resource: others may have the same prefix in their names."""
    if not name.startswith(f"{NAME}-"):
        return False
    tags = {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=arn).get("Tags", [])}
    return tags.items() >= TAGS.items()


def _call(operation: Callable[..., object], **parameters: object) -> Callable[[], object]:
    return lambda: operation(**parameters)


def _packages(aws: Aws) -> Iterator[Removal]:
    client = aws.client("sagemaker")
    if unless_missing(lambda: client.describe_model_package_group(ModelPackageGroupName=NAME)) is None:
        return
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=NAME):
        for package in page["ModelPackageSummaryList"]:
            arn = package["ModelPackageArn"]
            yield Removal(f"registered model {arn}", _call(client.delete_model_package, ModelPackageName=arn))
    yield Removal(
        f"group {NAME} of registered models", _call(client.delete_model_package_group, ModelPackageGroupName=NAME)
    )


def _images(aws: Aws, repository: str) -> Iterator[Removal]:
    client = aws.client("ecr")
    pages = _pages(client.get_paginator("list_images"), {"repositoryName": repository})
    images = [
        {"imageDigest": digest} for digest in {image["imageDigest"] for page in pages for image in page["imageIds"]}
    ]

    def remove() -> None:
        for begin in range(0, len(images), MAX_IMAGES):
            client.batch_delete_image(repositoryName=repository, imageIds=images[begin : begin + MAX_IMAGES])

    if images:
        yield Removal(f"images in repository {repository}: {len(images)}", remove)


def _objects(aws: Aws, bucket: str) -> Iterator[Removal]:
    """Yield all versions of all objects: a bucket that is not empty can't be deleted."""
    client = aws.client("s3")

    def pages() -> Iterator[list[dict[str, Any]]]:
        for page in _pages(client.get_paginator("list_object_versions"), {"Bucket": bucket}):
            yield [version for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, [])]

    def remove() -> None:
        for page in pages():  # again: a stopped job may have written in the meantime
            batch = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in page]
            refused = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors")
            if refused:
                raise LaunchError(f"s3://{bucket}/{printable(refused[0]['Key'])}: {refused[0].get('Message')}")

    found = [version for page in pages() for version in page]
    if found:
        size = sum(version.get("Size", 0) for version in found)
        yield Removal(f"objects in bucket {bucket}: {len(found)} versions, {size / 2**20:.1f} MiB", remove)


def _logs(aws: Aws) -> Iterator[Removal]:
    client = aws.client("logs")
    for group in JOB_LOGS:
        where = {"logGroupName": group, "logStreamNamePrefix": f"{NAME}-"}
        for page in _pages(client.get_paginator("describe_log_streams"), where):
            for stream in page["logStreams"]:
                this = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
                yield Removal(f"log {group}/{stream['logStreamName']}", _call(client.delete_log_stream, **this))


def _pages(paginator: Any, where: dict[str, str]) -> list[dict[str, Any]]:  # noqa: ANN401 - botocore's
    """Return all pages; none if the location does not exist."""
    return unless_missing(lambda: list(paginator.paginate(**where))) or []
