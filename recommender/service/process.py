"""Run serve.py in its own process, as users do: for the demo, the tests and the benchmarks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from recommender.common.processes import free_port, wait_until
from recommender.sagemaker.environment import BASE_DIR
from recommender.sagemaker.server_environment import BIND_TO_PORT, PING

SERVE = (sys.executable, "-m", "recommender", "serve")
START_SECONDS = 60


@contextmanager
def running_server(
    base_dir: Path,
    environment: Mapping[str, str] = {},
    prefix: Sequence[str] = (),
    command: Sequence[str] = SERVE,
) -> Iterator["Server"]:
    """Start a server and yield it when /ping succeeds; send SIGTERM at the end of the block.

    Args:
        base_dir: its SAGEMAKER_BASE_DIR.
        environment: additional environment variables.
        prefix: words before the command, such as `taskset -c 0`.
        command: the command to run.

    Raises:
        NotReadyError: the server ended, or was not ready in time.
    """
    port = free_port()
    variables = {**os.environ, BASE_DIR: str(base_dir), BIND_TO_PORT: str(port), **environment}
    process = subprocess.Popen([*prefix, *command], env=variables)  # noqa: S603 - this project's command
    server = Server(process, port)
    try:
        server.wait_until_ready()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)


class Server:
    """A running server: its process, and requests to it."""

    def __init__(self, process: "subprocess.Popen[Any]", port: int) -> None:
        self.process = process
        self.port = port

    def wait_until_ready(self) -> None:
        """Return when /ping returns 200.

        Raises:
            NotReadyError: the server ended, or was not ready in time.
        """
        wait_until(self._is_ready, "the server", START_SECONDS, self.process)

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", PING)[0] == 200
        except ConnectionError:
            return False

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, bytes]:
        """Send one request on its own connection; return status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def invoke(self, value: object) -> tuple[int, Any]:
        """POST a JSON value to /invocations; return status and the decoded response."""
        headers = {"Content-Type": "application/json"}
        status, body = self.request("POST", "/invocations", json.dumps(value).encode(), headers)
        return status, json.loads(body)
