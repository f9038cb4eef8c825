"""serve.py as a real process: start, load, stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from support.batches import batch_under_way, pings_during_batches
from support.job import ROOT, Job

from recommender.common.processes import free_port
from recommender.sagemaker.environment import BASE_DIR
from recommender.sagemaker.server_environment import BIND_TO_PORT, MODEL_SERVER_WORKERS
from recommender.service.process import SERVE, Server, running_server


def start(job: Job, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "serve.py")],
        env=os.environ | {BASE_DIR: str(job.base_dir), BIND_TO_PORT: str(free_port())} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_server_without_a_model_ends_with_an_error(job: Job) -> None:
    result = start(job)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "config.json: is missing" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_with_a_damaged_model_ends_with_an_error_that_names_the_file(trained_copy: Job) -> None:
    file = trained_copy.container.model_dir / "factorization.user_embedding.npy"
    file.write_bytes(file.read_bytes()[:-4])
    result = start(trained_copy)
    assert result.returncode == 1
    assert "user_embedding.npy: has" in result.stderr
    assert "truncated" in result.stderr


def test_a_server_with_an_invalid_port_ends_with_an_error(trained: Job) -> None:
    result = start(trained, **{BIND_TO_PORT: "http"})
    assert result.returncode == 1
    assert f"{BIND_TO_PORT}: expected a whole number" in result.stderr


@pytest.fixture(scope="module")
def one_worker(trained: Job) -> Iterator[Server]:
    """Yield a server with one worker, for tests that do not change it."""
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server:
        yield server


def test_ping_responds_during_slow_invocations(one_worker: Server) -> None:
    """Count the pings during large batches: if pings waited for batches, there would be at most one per batch."""
    assert pings_during_batches(one_worker, batches=4, instances=200) > 2 * 4


def test_a_slow_client_blocks_no_other(one_worker: Server) -> None:
    connections = []
    for _ in range(50):
        connection = HTTPConnection("127.0.0.1", one_worker.port, timeout=10)
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Length", "100")
        connection.endheaders()
        connections.append(connection)
    assert one_worker.invoke({"user_id": "new"})[0] == 200
    assert one_worker.request("GET", "/ping")[0] == 200
    for connection in connections:
        connection.close()


def test_sigterm_finishes_responses_in_progress_and_exits_with_0(trained: Job) -> None:
    """Send SIGTERM during a response; it has 25 s to finish, which must suffice on a busy machine."""
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server, batch_under_way(server, 300) as batch:
        server.process.send_signal(signal.SIGTERM)
        assert len(json.loads(batch.getresponse().read())["predictions"]) == 300
        assert server.process.wait(timeout=60) == 0


def test_sigterm_right_after_the_start_is_not_lost(trained: Job) -> None:
    """Send SIGTERM while a worker starts: if the worker missed it, the master would wait for 25 s."""
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "4"}) as server:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        assert time.monotonic() - began < 24


def test_a_killed_worker_is_replaced(trained: Job) -> None:
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server:
        children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True)
        os.kill(int(children.stdout), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if server.invoke({"user_id": "new"})[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        assert server.invoke({"user_id": "new"})[0] == 200


@pytest.mark.parametrize("path", ["/ping", "/invocations"])
def test_invalid_http_does_not_end_the_server(one_worker: Server, path: str) -> None:
    for nonsense in (
        b"\x00" * 1000,
        b"GET " + path.encode(),
        b"POST " + path.encode() + b" HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", one_worker.port)) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            assert b"Traceback" not in connection.recv(10_000)
    assert one_worker.invoke({"user_id": "new"})[0] == 200


def test_a_chunked_body_has_the_same_limit_and_a_broken_one_is_a_400(one_worker: Server) -> None:
    head = b"POST /invocations HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    blank = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    question = b'{"user_id": "u"}'
    whole = head + f"{len(question):x}\r\n".encode() + question + b"\r\n"
    bodies = {
        b"200 OK": whole + b"0\r\n\r\n",
        b"413 ": whole + blank * 96 + b"0\r\n\r\n",
        b"400 ": head + b"ZZ\r\n" + question,
    }
    for expected, request in bodies.items():
        with socket.create_connection(("127.0.0.1", one_worker.port), timeout=60) as connection:
            connection.sendall(request)
            assert connection.recv(10_000).startswith(b"HTTP/1.1 " + expected)


def test_the_options_base_dir_and_port_name_the_model_and_the_port(trained: Job, tmp_path: Path) -> None:
    command = (*SERVE, "--base-dir", str(trained.base_dir))
    with running_server(tmp_path, command=command) as server:
        assert server.invoke({"user_id": "u"})[0] == 200
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        options = [*command, "--port", str(port)]
        result = subprocess.run(options, env=dict(os.environ), capture_output=True, text=True)
    assert (result.returncode, f"port {port} of 127.0.0.1: the server can't listen on it" in result.stderr) == (1, True)


def test_a_model_of_a_job_folder_is_an_error_that_names_the_model_folder(trained: Job) -> None:
    command = [*SERVE, "--model", str(trained.base_dir)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert f"did you mean {trained.base_dir / 'model'}?" in result.stderr


def test_a_port_in_use_is_an_error_of_one_line(trained: Job) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        result = start(trained, **{BIND_TO_PORT: str(port)})
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: port {port}")
    assert result.stderr.count("\n") == 1
    assert BIND_TO_PORT in result.stderr
    assert result.stdout == ""


def test_ctrl_c_ends_the_server_without_output(trained: Job) -> None:
    """Send SIGINT to every process of the group, as a terminal does."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "serve.py")],
        env=os.environ | {BASE_DIR: str(trained.base_dir), BIND_TO_PORT: str(port)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        Server(process, port).wait_until_ready()
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
