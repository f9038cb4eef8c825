"""`push` with a real engine and a real registry that requires a password."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from botocore.stub import Stubber
from support.image import docker
from support.job import ROOT

from infra import image
from infra.aws import Aws
from infra.stacks import Base
from recommender.common.processes import free_port

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        shutil.which("docker-registry") is None, reason="no docker-registry: engine.sh unpacks Debian's"
    ),
]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
USER, PASSWORD = "AWS", "a-password-of-one-run"
HASHED = "$2b$04$NBqxLlubrTUf1pOuLy.i4uMgquLu20YHN0ZfDisGlabfAoFo/58pW"  # its bcrypt hash
ACCEPTED = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, */*"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Yield host and port of a registry."""
    place = f"127.0.0.1:{free_port()}"
    (tmp_path / "htpasswd").write_text(f"{USER}:{HASHED}\n")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": place},
        "auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
    }
    (tmp_path / "config.yml").write_text(json.dumps(config))
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(["docker-registry", "serve", str(tmp_path / "config.yml")], stdout=log, stderr=log) as process,
    ):
        for _ in range(600):
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                urllib3.request("GET", f"http://{place}/v2/", retries=False)
                break
            time.sleep(0.1)
        yield place
        process.kill()


def manifest(registry: str, name: str, tag: str) -> tuple[dict[str, Any], str]:
    """Return the content of the registry under a tag, and its media type."""
    headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}") | {"Accept": ACCEPTED}
    answer = urllib3.request("GET", f"http://{registry}/v2/{name}/manifests/{tag}", headers=headers)
    assert answer.status == 200, answer.data
    return answer.json(), answer.headers["Content-Type"]


def test_the_pushed_image_is_one_manifest_for_amd64_and_its_tag_is_its_content(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY hello /\nCMD ["/hello"]\n')
    (folder / "hello").write_text("hello")
    session = boto3.Session("x", "y", region_name="eu-west-1")
    aws = Aws(session)
    base = Base("bucket", f"{registry}/recommender-base", "training", "endpoint")

    built = image.build(aws, folder)
    assert image.build(aws, folder) == built
    tag = built.removeprefix("sha256:")[: image.TAG_CHARACTERS]

    granted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    ecr = session.client("ecr")
    monkeypatch.setattr(session, "client", lambda *_, **__: ecr)
    with Stubber(ecr) as stub:
        stub.add_response("get_authorization_token", {"authorizationData": [{"authorizationToken": granted}]}, {})
        image.send(aws, base, built, tag)

    pushed, media_type = manifest(registry, "recommender-base", tag)
    assert media_type.endswith(("manifest.v2+json", "image.manifest.v1+json"))
    assert "manifests" not in pushed  # an index has them, which attestations of newer builders would create
    assert docker("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", built).stdout.strip() == "linux/amd64"
    again = docker("push", f"{registry}/recommender-base:{tag}")
    assert again.returncode != 0, "the password was kept"


def test_the_base_of_the_dockerfile_is_locked_to_its_digest(registry: str, tmp_path: Path) -> None:
    base, locked = f"{registry}/base:1", tmp_path / "Dockerfile"
    shutil.copy(ROOT / "Dockerfile", locked)
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nLABEL x=y\n")
    subprocess.run(["docker", "login", "--username", USER, "--password", PASSWORD, registry], check=True)
    try:
        assert docker("build", "--tag", base, str(tmp_path / "context")).returncode == 0
        assert docker("push", base).returncode == 0
        command = ["make", "lock-base", f"BASE={base}", f"DOCKERFILE={locked}"]
        for _ in range(2):  # the second time changes nothing
            ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert ended.returncode == 0, ended.stderr
    finally:
        docker("logout", registry)
    content, _ = manifest(registry, "base", "1")
    (line,) = (line for line in locked.read_text().splitlines() if line.startswith("ARG BASE="))
    assert line.startswith(f"ARG BASE={base}@sha256:")
    digest = line.partition("@")[2]
    assert manifest(registry, "base", digest)[0] == content
    changed = [
        new for new, old in zip(locked.read_text().splitlines(), DOCKERFILE.splitlines(), strict=True) if new != old
    ]
    assert changed == [line]
