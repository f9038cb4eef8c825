"""Run the launch commands as processes, and parse the output of dry runs."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.job import ROOT

SDK_PYTHON = ROOT / ".venv-aws" / "bin" / "python"
# sitecustomize.py of a process that must not reach anything. It ends the process at once if that opens a connection,
# looks up a name or starts a process. It also ends it if that starts a thread, as the SDK's telemetry does.
SITE = """
import os, sys, threading

ENDS = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}

def end(event, *arguments):
    os.write(2, f"{event} {arguments}".encode())
    os._exit(99)

sys.addaudithook(lambda event, arguments: end(event, arguments) if event in ENDS else None)
threading.Thread.start = lambda thread: end("thread", thread.name)
"""


@dataclass(frozen=True)
class Run:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """`service:Operation` and the parameters of each call that a dry run prints."""
        lines = [line.split(" ", 1) for line in self.out.splitlines()]
        return [(line[0], json.loads(line[1])) for line in lines if len(line) == 2 and line[1].startswith("{")]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def only(self, name: str) -> dict[str, Any]:
        """Return the parameters of the only call with this name."""
        (found,) = (parameters for called, parameters in self.calls if called == name)
        return found

    @property
    def commands(self) -> list[str]:
        """The local commands that a dry run prints instead of starting them."""
        return [line.removeprefix("$ ") for line in self.out.splitlines() if line.startswith("$ ")]


def launch(*arguments: str, environment: Mapping[str, str]) -> Run:
    ended = subprocess.run(
        [str(SDK_PYTHON), "-m", "infra", *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Run(ended.returncode, ended.stdout, ended.stderr)


def bare_environment(folder: Path) -> dict[str, str]:
    """Return an environment without account, region or home, in which a process can't reach anything."""
    (folder / "sitecustomize.py").write_text(SITE)
    return {"PATH": "/nowhere", "HOME": str(folder), "PYTHONPATH": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}


def write_channels(folder: Path) -> Path:
    for channel, name in (("train", "part.csv"), ("items", "titles/part.csv")):
        (folder / channel / name).parent.mkdir(parents=True)
        (folder / channel / name).write_text(f"the file of {channel}")
    (folder / "train" / "_SUCCESS").write_text("of Spark")
    (folder / "summary.json").write_text("{}")
    return folder
