"""Thousands of hostile requests to a real server with one worker: FUZZ_REQUESTS of them, by default 2,000.

`make fuzz` sends 100,000.
"""

import json
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from support.hostile import Sent, hostile, responses_in
from support.job import Job

from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS
from recommender.service.process import SERVE, Server, running_server

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "2000"))
A_ROUND, A_CHECK = 500, 20  # requests with one seed; requests between two checks
SECONDS = 20  # maximum time for a response
MAX_NEW_MB = 40  # of memory, after all requests
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection
KNOWN = 20  # users and items of the model


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "log"


@pytest.fixture(scope="module")
def server(trained: Job, log: Path) -> Iterator[Server]:
    into_log = ("sh", "-c", 'exec "$@" >"$0" 2>&1', str(log))
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}, into_log, SERVE) as running:
        yield running


def worker_of(server: Server) -> str:
    pid = server.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return worker


def megabytes(process: str) -> float:
    return int(Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


def received(server: Server, sent: Sent) -> bytes:
    """Send data; return everything that the server sends until it closes the connection."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as client:
        if sent.is_reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with suppress(ConnectionError):  # the server may have closed the connection
            size = len(sent.data) // sent.pieces + 1
            for begin in range(0, len(sent.data), size):
                client.sendall(sent.data[begin : begin + size])
        if sent.is_reset:
            return b""
        with suppress(OSError):  # not connected any more
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := client.recv(2**16):
                answer += part
    return bytes(answer)


def test_hostile_requests_get_valid_responses_and_the_worker_survives(
    server: Server, recommender: Recommender, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = recommender.model
    users, items = [[names.id(number) for number in range(KNOWN)] for names in (model.users, model.items)]
    right = {"user_id": users[0], "history": [{"item_id": items[0]}], "top_k": 3}
    expected, worker = server.invoke(right), worker_of(server)
    statuses: Counter[int] = Counter()
    sources: Counter[str] = Counter()
    memory: list[float] = []
    sent_in_all = 0

    @settings(
        max_examples=A_ROUND,
        database=None,
        phases=[Phase.generate],  # the message names the failing request
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile(users, items))
    def send(sent: Sent) -> None:
        nonlocal sent_in_all
        answer = responses_in(received(server, sent))
        assert not answer.problem, f"{answer.problem}\nto {sent}"
        assert answer.statuses or not sent.is_whole, f"no response to {sent}"
        statuses.update(answer.statuses or [0])
        sources.update(answer.sources)
        sent_in_all += 1
        if sent_in_all % A_CHECK == 0:
            assert server.request("GET", "/ping") == (200, b"")
            assert server.invoke(right) == expected
            memory.append(megabytes(worker))

    for number in range(REQUESTS // A_ROUND):  # hypothesis keeps all examples of a round in memory
        seed(number)(send)()
    assert sent_in_all >= REQUESTS // A_ROUND * A_ROUND
    assert worker_of(server) == worker
    drift = memory[-1] - memory[len(memory) // 10]
    assert drift < MAX_NEW_MB
    assert "Traceback" not in log.read_text(errors="replace")
    assert statuses[200] > 0.1 * REQUESTS
    assert statuses[400] > 0.1 * REQUESTS
    assert min(sources[source] for source in ("model", "fold_in", "popular")) > 0.005 * REQUESTS
    found = {"requests": sent_in_all, "statuses": dict(sorted(statuses.items())), "drift_mb": round(drift, 1)}
    with capsys.disabled():
        print(f"\nfuzzed {json.dumps(found)}")
