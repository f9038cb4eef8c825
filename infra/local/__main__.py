"""The paper's Figure 5 on one machine, without AWS's control plane. `make cloud-demo` runs it.

Raw reviews -> S3 -> training container -> S3 -> serving container -> Lambda's runtime -> API Gateway's event -> curl.
"""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pandas as pd

from demo import heading, run
from infra.local.endpoint import running_endpoint
from infra.local.function import Function, running_function
from infra.local.gateway import ROUTE, create_app
from infra.local.s3 import S3Server
from infra.local.s3 import serving as serving_s3
from infra.local.servers import serving
from infra.package import pack
from recommender.cli.options import run as run_command
from recommender.sagemaker.server_environment import BIND_TO_PORT, CONTAINER_LOG_LEVEL
from recommender.service.process import Server, running_server
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE

NAME = "recommender"
BUCKET = NAME
CHANNELS = f"s3://{BUCKET}/channels/demo"
MODELS = f"s3://{BUCKET}/training/demo/output"


@click.command()
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), default=Path("build/cloud-demo"),
              show_default=True, help="Folder for all output.")  # fmt: skip
@click.option("--image", default=NAME, show_default=True, help="Image for training and serving.")
@click.option("--keep", is_flag=True, help="Keep it running until Ctrl-C.")
def main(root: Path, image: str, keep: bool) -> None:
    """Run the whole path from raw reviews to a response of the API, without an account."""
    began = time.monotonic()
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("s3", "function", "serving"):
        (root / folder).mkdir(parents=True)
    heading("1. S3: a real server (SeaweedFS)")
    with serving_s3((root / "s3").resolve()) as s3:
        s3.put(BUCKET, {})
        click.echo(f"listens at {s3.url}")
        channels_in_s3(root, s3)
        heading("3. Training: a container reads its channels from S3 and writes the model to S3")
        train(image, s3)
        heading("4. Endpoint: a container serves the model from S3, behind InvokeEndpoint")
        with endpoint(root, image, s3) as url, function(root, url) as lambda_function:
            heading("6. API Gateway: a local HTTP server sends events of payload 2.0 to the function")
            with serving(create_app(lambda_function)) as api:
                ask(api, some_user(root, s3), lambda_function)
                click.echo(f"\nDone in {time.monotonic() - began:.0f} s.")
                if keep:
                    click.echo("Press Ctrl-C to stop.")
                    wait()


def channels_in_s3(root: Path, s3: S3Server) -> None:
    """Generate raw reviews and prepare them, directly into S3."""
    heading("2. Raw reviews become the channels of a training job, in S3")
    raw = root / "raw"
    run("-m", "recommender", "synthesize", "--output", raw)
    files = ("--reviews", raw / REVIEWS_FILE, "--metadata", raw / METADATA_FILE)
    with environment(s3.environment):
        run("-m", "recommender", "prepare", *files, "--output", CHANNELS, "--item_key", "parent_asin")


def train(image: str, s3: S3Server) -> None:
    """Train in a container, from S3 to S3."""
    channels = [f"--{channel}={CHANNELS}/{channel}" for channel in ("train", "test", "items")]
    words = ["train", *channels, "--embedding_dim=32", f"--model-output={MODELS}"]
    command = in_container(image, s3, *words)
    click.echo(f"$ {shlex.join(command)}")
    with environment(s3.environment):
        if code := subprocess.run(command).returncode:  # noqa: S603 - this project's command
            sys.exit(code)


@contextmanager
def endpoint(root: Path, image: str, s3: S3Server) -> Iterator[str]:
    """Start the serving container with SageMaker's runtime API in front of it; yield the URL of the API."""
    command = in_container(image, s3, "serve", f"--model={MODELS}/model.tar.gz")
    click.echo(f"$ {shlex.join(command)}")
    variables = {**s3.environment, CONTAINER_LOG_LEVEL: "WARNING"}
    with running_server(root / "serving", variables, command=command) as server:
        check(server)
        with running_endpoint(NAME, server.port) as url:
            click.echo(f"it serves POST {url}/endpoints/{NAME}/invocations")
            yield url


def check(server: Server) -> None:
    """Check that the container responds, and print its status."""
    status, _ = server.request("GET", "/ping")
    click.echo(f"GET /ping: {status}")


@contextmanager
def function(root: Path, endpoint_url: str) -> Iterator[Function]:
    """Run the function's zip, as it would be deployed, under Lambda's own runtime."""
    heading("5. Lambda: AWS's Runtime Interface Emulator and runtime client run the zip that `deploy` uploads")
    code = root / "function"
    packed = pack()
    zipfile.ZipFile(io.BytesIO(packed)).extractall(code)
    variables = {"ENDPOINT_NAME": NAME, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoint_url}
    click.echo(f"{len(packed):,} bytes; its log is {root / 'function.log'}")
    with running_function(code.resolve(), variables, root / "function.log") as running:
        yield running


def ask(api: str, user_id: str, lambda_function: Function) -> None:
    """Request recommendations by curl and print them."""
    options = ["-H", "Content-Type: application/json", "-d", json.dumps({"user_id": user_id})]
    command = ["curl", "--silent", "--show-error", "--max-time", "30", api + ROUTE, *options]
    click.echo(f"$ {shlex.join(command)}")
    result = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - this project's command
    response = json.loads(result.stdout) if result.returncode == 0 else {}
    if "items" not in response:
        raise click.ClickException(f"no recommendations: {result.stderr or result.stdout}")
    for rank, item in enumerate(response["items"], start=1):
        click.echo(f"  {rank}. {item['title'] or item['item_id']}")
        click.secho(f"     {item['item_id']}, score {item['score']:.3f}, by {', '.join(item['sources'])}", dim=True)
    line = lambda_function.lines[-1]
    click.echo(f"source: {response['source']}; the function took {line['Latency']} ms with its cold start")


def some_user(root: Path, s3: S3Server) -> str:
    """Return a user of the training data, read back from S3."""
    folder = root / "channels"
    s3.download(BUCKET, "channels/demo/train", folder)
    return str(pd.read_parquet(folder)["user_id"].iloc[0])


def in_container(image: str, s3: S3Server, *words: str) -> list[str]:
    """Return a `docker run` command in the host's network; it passes credentials by name, not by value."""
    names = [*s3.environment, BIND_TO_PORT, CONTAINER_LOG_LEVEL]
    variables = [word for name in names for word in ("-e", name)]
    return ["docker", "run", "--rm", "--network=host", *variables, image, *words]


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set additional environment variables for the length of the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def wait() -> None:
    """Wait until Ctrl-C."""
    try:
        while True:
            time.sleep(3_600)
    except KeyboardInterrupt:
        click.echo("")


if __name__ == "__main__":
    sys.exit(run_command(main, None, "infra.local"))
