"""The image: built by Docker, pushed to the repository of the first stack, then used by its digest."""

import base64
import os
import subprocess
import tempfile
from pathlib import Path

from infra.aws import Aws, LaunchError, unless_missing
from infra.names import PROJECT
from infra.stacks import Base

PLATFORM = "linux/amd64"  # the platform of the instance types in this package
TAG_CHARACTERS = 16  # of the image's ID, which identifies its content
# BuildKit's attestations would turn the image into an index of two manifests, which SageMaker and Lambda reject
# (github.com/docker/buildx/issues/1533). The variable has the effect of --provenance=false for every builder.
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def push(aws: Aws, base: Base) -> str:
    """Build the image of this project and push it, unless the repository already has it.

    Returns:
        The URI of the image, by digest.

    Raises:
        LaunchError: Docker is missing, or fails.
    """
    image = build(aws)
    tag = image.removeprefix("sha256:")[:TAG_CHARACTERS]
    digest = _digest(aws, base, tag)
    if digest is None:
        send(aws, base, image, tag)
        digest = _digest(aws, base, tag)
    uri = f"{base.repository}@{digest}"
    print(f"image: {uri}")
    return uri


def build(aws: Aws, folder: Path = PROJECT) -> str:
    """Build the image of a folder; return its ID."""
    with tempfile.TemporaryDirectory(prefix="image-") as tmp:
        id_file = Path(tmp) / "id"
        docker(aws, "build", "--platform", PLATFORM, "--iidfile", str(id_file), str(folder))
        return "sha256:" + "0" * 64 if aws.dry_run else id_file.read_text().strip()


def send(aws: Aws, base: Base, image: str, tag: str) -> None:
    """Push an image to the repository under a tag, with a sign-in for this push only."""
    granted = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(granted).decode().partition(":")
    registry = base.repository.partition("/")[0]
    target = f"{base.repository}:{tag}"
    # On standard input: arguments are visible to all users of the machine.
    docker(aws, "login", "--username", user, "--password-stdin", registry, given=password)
    try:
        docker(aws, "tag", image, target)
        docker(aws, "push", target)
    finally:
        docker(aws, "logout", registry)


def newest(aws: Aws, base: Base) -> str:
    """Return the URI, by digest, of the most recently pushed image.

    Raises:
        LaunchError: the repository has no image.
    """
    pages = aws.client("ecr").get_paginator("describe_images").paginate(repositoryName=_repository(base))
    images = [image for page in pages for image in page["imageDetails"]]
    if not images:
        raise LaunchError(f"repository {_repository(base)} has no image: run `push` first")
    return f"{base.repository}@{max(images, key=lambda image: image['imagePushedAt'])['imageDigest']}"


def _digest(aws: Aws, base: Base, tag: str) -> str | None:
    """Return the digest of the image with that tag; None if there is no such image."""
    wanted = {"repositoryName": _repository(base), "imageIds": [{"imageTag": tag}]}
    found = unless_missing(lambda: aws.client("ecr").describe_images(**wanted))
    return str(found["imageDetails"][0]["imageDigest"]) if found else None


def _repository(base: Base) -> str:
    return base.repository.partition("/")[2]


def docker(aws: Aws, *arguments: str, given: str | None = None) -> None:
    """Run a Docker command; a dry run only prints it.

    Raises:
        LaunchError: Docker is missing, or the command fails.
    """
    command = ["docker", *arguments]
    if aws.dry_run:
        aws.dry_run.run(command)
        return
    try:
        ended = subprocess.run(command, input=given, text=True, check=False, env={**os.environ, **NO_ATTESTATIONS})  # noqa: S603
    except FileNotFoundError:
        raise LaunchError("docker: command not found: install Docker, then run this again") from None
    if ended.returncode:
        raise LaunchError(f"docker {arguments[0]} failed with exit code {ended.returncode}: see its output above")
