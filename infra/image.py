"""The image: built by Docker, pushed to the repository of the first stack, known by its digest from then on."""

import base64
import os
import subprocess
import tempfile
from pathlib import Path

from infra.aws import Aws, LaunchError, unless_missing
from infra.names import PROJECT
from infra.stacks import Base

PLATFORM = "linux/amd64"  # of the instance types that are named here
TAG_CHARACTERS = 16  # of the image's own id, which is what it holds
# BuildKit's attestations would make an index of two manifests of the image, which SageMaker and Lambda do not take
# (github.com/docker/buildx/issues/1533). The variable says the same as --provenance=false to every builder.
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def push(aws: Aws, base: Base) -> str:
    """Build the image of this project and push it, where it is not there yet.

    Returns:
        Its URI, by digest.

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
    """Build the image of a folder; returns its id."""
    with tempfile.TemporaryDirectory(prefix="image-") as tmp:
        id_file = Path(tmp) / "id"
        docker(aws, "build", "--platform", PLATFORM, "--iidfile", str(id_file), str(folder))
        return "sha256:" + "0" * 64 if aws.dry_run else id_file.read_text().strip()


def send(aws: Aws, base: Base, image: str, tag: str) -> None:
    """Push an image to the repository under a tag, signed in for just that."""
    granted = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(granted).decode().partition(":")
    registry = base.repository.partition("/")[0]
    place = f"{base.repository}:{tag}"
    # On standard input: what is an argument can be read by everyone on the machine.
    docker(aws, "login", "--username", user, "--password-stdin", registry, given=password)
    try:
        docker(aws, "tag", image, place)
        docker(aws, "push", place)
    finally:
        docker(aws, "logout", registry)


def newest(aws: Aws, base: Base) -> str:
    """The URI, by digest, of the image that was pushed last.

    Raises:
        LaunchError: there is none.
    """
    pages = aws.client("ecr").get_paginator("describe_images").paginate(repositoryName=_repository(base))
    images = [image for page in pages for image in page["imageDetails"]]
    if not images:
        raise LaunchError(f"repository {_repository(base)}: it has no image: run `push` first")
    return f"{base.repository}@{max(images, key=lambda image: image['imagePushedAt'])['imageDigest']}"


def _digest(aws: Aws, base: Base, tag: str) -> str | None:
    """The digest of the image with that tag; None where there is none."""
    wanted = {"repositoryName": _repository(base), "imageIds": [{"imageTag": tag}]}
    found = unless_missing(lambda: aws.client("ecr").describe_images(**wanted))
    return str(found["imageDetails"][0]["imageDigest"]) if found else None


def _repository(base: Base) -> str:
    return base.repository.partition("/")[2]


def docker(aws: Aws, *arguments: str, given: str | None = None) -> None:
    """Run a command of Docker; a dry run prints it alone.

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
        raise LaunchError("docker: there is no such command: install Docker, then run this again") from None
    if ended.returncode:
        raise LaunchError(f"docker {arguments[0]}: it failed with exit code {ended.returncode}: see its lines above")
