"""Size, build time and start time of the full image and the serving image.

Builds use no cache. A start lasts from docker run to the first 200 of /ping.

DOCKER_BUILD adds options to docker build, as for make container-demo.
"""

import os
import shlex
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common import ROOT, report, table
from benchmarks.serve import train
from recommender.common.output import say
from recommender.sagemaker.server_environment import BIND_TO_PORT
from recommender.service.process import running_server

TARGETS = {"full": "train and serve", "serve": "serve only"}
STARTS = 7


def main() -> None:
    """Build and start both images, and report."""
    rows = []
    with TemporaryDirectory() as tmp:
        train(Path(tmp))
        for target, label in TARGETS.items():
            seconds = build(target)
            starts = sorted(start(Path(tmp), target) for _ in range(STARTS))
            between = f"{starts[0]:.2f} to {starts[-1]:.2f}"
            size, packages = megabytes(target), megabytes(target) - base_megabytes()
            rows.append(
                [label, f"{size:,.0f} MB", f"{packages:,.0f} MB", f"{seconds:.0f} s",
                 f"{np.median(starts):.2f} s", between]
            )  # fmt: skip
    header = ["", "size", "without python:3.11-slim", "build, no cache", "start to the first 200", "range"]
    report(
        "image",
        f"The paper's model (9,566 users, 52,619 items, embedding size 150); {STARTS} starts. The base image here is "
        f"Debian's Python 3.11 with {base_megabytes():,.0f} MB.",
        table(header, rows),
    )


def name_of(target: str) -> str:
    """Return the tag of a target."""
    return f"recommender-benchmark-{target}"


def build(target: str) -> float:
    """Build a target without cache; return the seconds."""
    say(f"building {target} ...")
    options = shlex.split(os.environ.get("DOCKER_BUILD", ""))
    began = time.perf_counter()
    subprocess.run(
        ["docker", "build", "--quiet", "--no-cache", "--target", target, "--tag", name_of(target), *options, "."],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def start(base_dir: Path, target: str) -> float:
    """Start a server in a container; return the seconds to its first 200 of /ping."""
    mount = f"{base_dir}/model:/opt/ml/model:ro"
    command = ("docker", "run", "--rm", "--network=host", "-e", BIND_TO_PORT, "-v", mount, name_of(target), "serve")
    began = time.perf_counter()
    with running_server(base_dir, command=command):
        return time.perf_counter() - began


def megabytes(target: str) -> float:
    """Return the size of a target's image, unpacked."""
    return size_of(name_of(target))


def base_megabytes() -> float:
    """Return the size of the base image, unpacked."""
    return size_of("python:3.11-slim")


def size_of(image: str) -> float:
    """Return the megabytes of an image, unpacked."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6


if __name__ == "__main__":
    main()
