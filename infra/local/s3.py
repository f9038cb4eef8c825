"""A real S3 server on this machine, in its own process."""

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recommender.common.processes import wait_until

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY, SECRET = "test-key", "test-secret"
START_SECONDS = 60
GRPC = 10_000  # weed serves gRPC at each port plus this
PORTS = range(10_000, 22_000)  # below 32,768 with their gRPC ports: Linux gives clients the ports from there on


@dataclass(frozen=True)
class S3Server:
    """A running S3 server, with a client that is independent of the package."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which boto3 finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def client(self) -> "S3Client":
        """A client of boto3."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def download(self, bucket: str, prefix: str, folder: Path) -> None:
        """Write the objects below prefix/ into a folder."""
        for found in self.client.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["Contents"]:
            path = folder / found["Key"].removeprefix(prefix + "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        """Write objects by their keys into a bucket, which is created if it does not exist."""
        client = self.client
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=bucket)
        for key, content in objects.items():
            client.put_object(Bucket=bucket, Key=key, Body=content)


@contextmanager
def serving(folder: Path) -> Iterator[S3Server]:
    """Run a server that keeps its data in a folder, until the end of the block."""
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, s3 = _free_ports(4)
    weed = Path(sys.executable).with_name("weed")
    command = [
        *(str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.ip.bind=127.0.0.1"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"),
        *(f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-volume.max=100", "-master.volumeSizeLimitMB=64"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)  # noqa: S603 - this project's command
    try:
        server = S3Server(f"http://127.0.0.1:{s3}")
        wait_until(lambda: _takes_objects(server), "the S3 server", START_SECONDS, process, pause=0.2)
        yield server
    finally:
        process.kill()  # it ignores SIGTERM
        process.wait()


def _takes_objects(server: S3Server) -> bool:
    try:
        server.put("ready", {"probe": b"x"})
    except (BotoCoreError, ClientError):
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, together with their gRPC ports."""
    ports: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(PORTS, 1_000):  # at random: concurrent runs try different ports
            try:
                for wanted in (port, port + GRPC):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", wanted))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise RuntimeError("no free ports")
