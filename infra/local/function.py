"""The function under Lambda's own runtime: AWS's Runtime Interface Emulator and its client for Python."""

import json
import os
import platform
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from recommender.common.processes import NotReadyError, free_port, listens, wait_until
from recommender.errors import EngineError

ROOT = Path(__file__).parents[2]
HANDLER = "handler.lambda_handler"
EMULATOR_WHEEL = "aws-sam-cli==1.170.0"  # contains the emulator; nothing else of it is installed
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
TIMEOUT_SECONDS = 30  # timeout of the gateway
START_SECONDS = 60


def emulator(folder: Path = ROOT / "build" / "emulator") -> Path:
    """Return the emulator's binary, which pip downloads the first time.

    Raises:
        EngineError: this is not Linux on a processor that Lambda supports, or the download failed.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or architecture is None:
        raise EngineError(f"Lambda's emulator needs Linux on x86_64 or aarch64, this is {platform.platform()}")
    member = f"samcli/local/rapid/aws-lambda-rie-{architecture}"
    binary = folder / EMULATOR_WHEEL / member
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as tmp:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp, EMULATOR_WHEEL]
            result = subprocess.run(pip, capture_output=True, text=True)  # noqa: S603 - this project's command
            if result.returncode:
                raise EngineError(f"pip download {EMULATOR_WHEEL}: {result.stderr.strip().splitlines()[-1]}")
            (wheel,) = Path(tmp).glob("*.whl")
            zipfile.ZipFile(wheel).extract(member, tmp)
            binary.parent.mkdir(parents=True, exist_ok=True)
            (Path(tmp) / member).chmod(0o755)
            (Path(tmp) / member).replace(binary)
    return binary


@dataclass
class Function:
    """A running function; like one instance of Lambda, it handles one invocation at a time."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - any JSON value
        """Invoke the handler and return its result; if it raises, an object with errorType.

        Raises:
            TimeoutError: there was no response within the gateway's timeout.
        """
        with self._turn:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
            try:
                body = json.dumps(event).encode()
                connection.request("POST", "/2015-03-31/functions/function/invocations", body)
                return json.loads(connection.getresponse().read())
            finally:
                connection.close()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log of the handler, one line per invocation."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def running_function(code: Path, environment: Mapping[str, str], log: Path) -> Iterator[Function]:
    """Run the handler of a folder as Lambda does, until the end of the block.

    Args:
        code: the unpacked zip of the function.
        environment: the function's variables. It gets only these, PATH and dummy credentials.
        log: a file for the output of the runtime and the handler.

    Raises:
        EngineError: the emulator does not run on this machine, or did not start.
    """
    port, api = free_port(), free_port()
    addresses = [f"--runtime-interface-emulator-address=127.0.0.1:{port}", f"--runtime-api-address=127.0.0.1:{api}"]
    command = [str(emulator()), *addresses, sys.executable, "-m", "awslambdaric", HANDLER]
    variables = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "28",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    with log.open("wb") as file:
        process = _start(command, code, variables, file)
    try:
        try:
            wait_until(lambda: listens("127.0.0.1", port), "Lambda's emulator", START_SECONDS, process, pause=0.005)
        except NotReadyError as error:
            raise EngineError(str(error)) from None
        yield Function(port, process, log)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _start(command: list[str], code: Path, variables: Mapping[str, str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd=code, env=variables, stdout=log, stderr=log)  # noqa: S603 - this project's command
