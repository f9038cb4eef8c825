"""Build and run the image in a real Docker engine, as users do: docker build, docker run, mounted files, HTTP."""

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

from support.job import ROOT, Job

from recommender.service.process import Server, running_server

NAME = "recommender-under-test"
BASE = "python:3.11-slim"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# A fixed port: the URL is a build argument. Another URL would miss Docker's cache and install torch again.
TORCH_PORT = 8790
PORT_SECONDS = 30  # to wait for another build that uses the port
NO_NETWORK, HOST_NETWORK = "--network=none", "--network=host"


def docker(*arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout)


def has_engine() -> bool:
    return shutil.which("docker") is not None and docker("version").returncode == 0


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        name: its tag.
        build_seconds: how long the build took.
    """

    name: str
    build_seconds: float = 0

    @classmethod
    def build(cls, name: str, *options: str) -> "Image":
        """Build the image from the project's Dockerfile; the build must succeed."""
        began = time.monotonic()
        with torch_index() as index:
            base = ["--build-arg", f"BASE={BASE}"]  # the tag also works without a registry
            given = ["--network=host", *base, "--build-arg", f"TORCH_INDEX={index}", "--tag", name, *options, str(ROOT)]
            built = docker("build", *given, timeout=1_800)
        assert built.returncode == 0, built.stderr[-5_000:]
        return cls(name, time.monotonic() - began)

    def inspect(self, form: str) -> str:
        return docker("image", "inspect", "--format", form, self.name).stdout.strip()

    def command(self, job: Job, *arguments: str, options: Sequence[str] = (), **environment: str) -> list[str]:
        """Return a docker run command that mounts the job's tree as /opt/ml; without a network by default."""
        network = [] if any(option.startswith("--network") for option in options) else [NO_NETWORK]
        given = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        mount = [] if any(":/opt/ml" in option for option in options) else ["-v", f"{job.base_dir}:/opt/ml"]
        return ["docker", "run", "--rm", *network, *mount, *given, *options, self.name, *arguments]

    def run(
        self, job: Job, *arguments: str, options: Sequence[str] = (), **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        command = self.command(job, *arguments, options=options, **environment)
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def start(
        self, job: Job, *arguments: str, options: Sequence[str] = (), **environment: str
    ) -> "subprocess.Popen[str]":
        command = self.command(job, *arguments, options=options, **environment)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @contextmanager
    def serving(self, job: Job, options: Sequence[str] = (), **environment: str) -> Iterator[Server]:
        """Run a container that serves the job's model, mounted read-only as by SageMaker; it must exit with 0."""
        options = [
            HOST_NETWORK,
            "-e",
            "SAGEMAKER_BIND_TO_PORT",
            "-v",
            f"{job.base_dir}/model:/opt/ml/model:ro",
            *options,
        ]
        command = self.command(job, "serve", options=options, **environment)
        with running_server(job.base_dir, command=command) as server:
            yield server
        assert server.process.returncode == 0


@contextmanager
def torch_index() -> Iterator[str]:
    """Yield the URL of an index with torch for the CPU: PyTorch's own, or a local one with a wheel from pip."""
    try:
        with urllib.request.urlopen(f"{TORCH_INDEX}/torch/", timeout=10):
            yield TORCH_INDEX
            return
    except (URLError, OSError):
        pass
    (pinned,) = (
        line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("torch==")
    )
    with local_index(ROOT / "build" / "torch-index" / "cpu", pinned) as index:
        yield index


@contextmanager
def local_index(folder: Path, pinned: str) -> Iterator[str]:
    """Serve a wheel as a pip index at a URL that is the same in every run.

    Args:
        folder: keeps the wheel for the next run, in a subfolder named after the project. The URL ends with its name.
        pinned: a requirement such as torch==2.9.1.
    """
    project, _, version = pinned.partition("==")
    wheels = folder / project
    if not list(wheels.glob(f"{project}-{version}[-+]*.whl")):
        wheels.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), pinned]
        subprocess.run(download, check=True, capture_output=True)
    with listening(partial(QuietHandler, directory=str(folder.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{TORCH_PORT}/{folder.name}"
        finally:
            server.shutdown()
            thread.join()


def listening(handler: Callable[..., BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """Return a server on the index's port; wait until the port is free."""
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            return ThreadingHTTPServer(("127.0.0.1", TORCH_PORT), handler)
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"port {TORCH_PORT}: in use after {PORT_SECONDS} s; free it for torch's index: {error}"
                ) from None
            time.sleep(0.5)


class QuietHandler(SimpleHTTPRequestHandler):
    """A handler that serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def as_user(job: Job) -> list[str]:
    """Give the job's tree to a user other than root; return docker run's options for that user."""
    for path in [job.base_dir, *job.base_dir.rglob("*")]:
        os.chown(path, 1_000, 1_000)
    return ["--user", "1000:1000", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
