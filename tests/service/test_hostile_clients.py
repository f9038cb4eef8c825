"""Hostile clients and a real server process with one worker, over raw sockets and real HTTP clients."""

import itertools
import json
import resource
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from support.job import Job

from recommender.pipeline.limits import LIMITS
from recommender.sagemaker.server_environment import DEFAULT_PAYLOAD_IN_MB, MODEL_SERVER_WORKERS
from recommender.service.body import BODY_SECONDS
from recommender.service.load import MAX_BODIES
from recommender.service.process import Server, running_server
from recommender.service.server import MAX_CONNECTIONS

MAX_BODY = DEFAULT_PAYLOAD_IN_MB * 2**20  # bytes


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Let this process open more connections than a worker accepts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MAX_CONNECTIONS
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def server(trained: Job) -> Iterator[Server]:
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as running:
        yield running


def head(length: int, media_type: str = "application/json", *others: str) -> bytes:
    lines = ("POST /invocations HTTP/1.1", "Host: x", f"Content-Type: {media_type}", f"Content-Length: {length}")
    return "\r\n".join((*lines, *others, "", "")).encode()


def request_of(body: bytes, media_type: str = "application/json", *others: str) -> bytes:
    return head(len(body), media_type, *others) + body


@contextmanager
def connected(server: Server, data: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(data)
        yield client


def response_of(client: socket.socket) -> tuple[int, Any]:
    response = HTTPResponse(client)
    response.begin()
    body = response.read()
    return response.status, json.loads(body) if body else None


def send(server: Server, data: bytes, *, half_closes: bool = False) -> tuple[int, Any]:
    with connected(server, data) as client:
        if half_closes:
            client.shutdown(socket.SHUT_WR)
        return response_of(client)


def still_serves(server: Server) -> bool:
    return server.request("GET", "/ping")[0] == 200 and server.invoke({"user_id": "new"})[0] == 200


@contextmanager
def many(server: Server, count: int, data: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            client.setblocking(False)
            client.send(data)
            clients.append(client)
        yield clients


def peak_mb(server: Server) -> float:
    """Return the maximum memory of any process of the server so far."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    status = [Path(f"/proc/{child}/status").read_text() for child in children]
    return max(int(text.partition("VmHWM:")[2].split()[0]) / 1024 for text in status)


@pytest.mark.parametrize("size", [10**6, MAX_BODY])
@pytest.mark.parametrize("media_type", ["application/jsonlines", "text/csv"])
def test_records_are_counted_before_they_are_parsed(server: Server, media_type: str, size: int) -> None:
    before = peak_mb(server)
    status, answer = send(server, request_of(b"\n" * size, media_type))
    assert (status, answer["field"]) == (400, "instances")
    assert answer["error"].endswith(f"at most {LIMITS.max_instances} records, got {size}")
    assert peak_mb(server) - before < 60
    assert still_serves(server)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (json.dumps({"user_id": "u"} | {f"k{number}": 0 for number in range(100_000)}), "k0"),
        (json.dumps({"user_id": "u" * 6_000_000}), "user_id"),
        (json.dumps({"user_id": "u", "history": [{"item_id": "i" * 6_000_000}]}), "history[0].item_id"),
        (json.dumps({"user_id": "u", "history": [{f"k{n}": 0 for n in range(100_000)}]}), "history[0].item_id"),
        ('{"user_id": "u", "history": [' + "{}," * 100_000 + "{}]}", "history[0].item_id"),
        ("[" + "[]," * 2_000_000 + "[]]", ""),
        ('{"instances": [' + "{}," * 2_000_000 + "{}]}", ""),
        ("[" * 6_000_000, ""),
        ("1" * 6_000_000, ""),
    ],
    ids=["keys", "user_id", "item_id", "keys of an event", "events", "lists", "instances", "depth", "digits"],
)
def test_a_body_of_the_maximum_size_with_too_many_values_gets_a_short_error(
    server: Server, body: str, field: str
) -> None:
    before = peak_mb(server)
    status, answer = send(server, request_of(body.encode()))
    assert (status, answer["field"]) == (400, field)
    assert len(answer["error"]) < 400
    assert peak_mb(server) - before < 120
    assert still_serves(server)


def test_the_limit_of_json_values_is_for_all_lines_together(server: Server) -> None:
    before = peak_mb(server)
    line = b"[" + b"{}," * 2_000 + b"{}]\n"
    status, answer = send(server, request_of(line * 1_000, "application/jsonlines"))
    assert (status, answer["field"]) == (400, "")
    assert answer["error"].endswith("values: send it in parts")
    assert peak_mb(server) - before < 30
    assert still_serves(server)


def slowest_ping(server: Server, client: Callable[[], object]) -> float:
    """Return the seconds of the slowest ping during an action of a client."""
    slowest = 0.0
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(client)
        while not done.done():
            began = time.perf_counter()
            assert server.request("GET", "/ping")[0] == 200
            slowest = max(slowest, time.perf_counter() - began)
            time.sleep(0.01)
        done.result()
    return slowest


CHUNKED = (
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize("extension", [b"", b";" + b"x" * 4_000])
def test_a_body_of_tiny_chunks_is_refused_and_blocks_no_other(server: Server, extension: bytes) -> None:
    """Send tiny chunks: each costs the worker some microseconds, so a million took seconds."""

    def client() -> None:
        part = (b"1" + extension + b"\r\n \r\n") * 100
        with connected(server, CHUNKED) as chunks:
            with suppress(OSError):  # the server closes the connection
                for _ in range(10_000 if not extension else 600):
                    chunks.sendall(part)
            status, answer = response_of(chunks)
        assert status == 400
        assert "at most 50,000 chunks" in answer["error"]

    assert slowest_ping(server, client) < 1  # 0.1 on an idle core; other tests run at the same time
    assert still_serves(server)


def test_a_body_of_large_chunks_is_accepted(server: Server) -> None:
    body = b'{"user_id": "new"}' + b" " * 1_000_000
    parts = [body[at : at + 1_000] for at in range(0, len(body), 1_000)]
    data = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    assert send(server, data)[0] == 200


KEYS = ",".join(f'"{number:06x}":1' for number in range(500_000))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ("{" + KEYS + "}", "application/json"),
        ("{" + KEYS + "}\n", "application/jsonlines"),
        ('{"instances":[],' + KEYS + "}", "application/json"),
        ('{"instances":[{' + KEYS + "}]}", "application/json"),
        ('{"user_id":"u","history":[{' + KEYS + "}]}", "application/json"),
    ],
    ids=["object", "line", "next to instances", "instance", "event"],
)
def test_too_many_json_values_are_refused_before_they_are_decoded(server: Server, body: str, media_type: str) -> None:
    before = peak_mb(server)
    status, answer = send(server, request_of(body.encode(), media_type))
    assert status == 400
    assert "expected a JSON body with at most 220000 values" in answer["error"]
    assert peak_mb(server) - before < 60


def test_the_largest_valid_request_is_within_the_limits(server: Server) -> None:
    event = {"item_id": "i", "rating": 5.0, "timestamp": 1.5e9}
    record = {"user_id": "u", "history": [event] * LIMITS.max_history, "top_k": 5, "num_candidates": 5}
    records = [record | {"exclude_seen": True}] * (LIMITS.max_history_in_all // LIMITS.max_history)
    assert send(server, request_of(json.dumps({"instances": records}).encode()))[0] == 200


@pytest.mark.parametrize("accept", ["a/b," * 500, 'a/b;a="' * 500], ids=["types", "parameters"])
def test_a_long_accept_is_a_406_before_it_is_parsed(server: Server, accept: str) -> None:
    headers = [f"Accept: {accept}"] * 40
    status, answer = send(server, request_of(b'{"user_id": "u"}', "application/json", *headers))
    assert status == 406
    assert answer["error"].startswith("Accept: expected at most 1,000 characters, got ")


def test_a_long_content_type_is_a_415(server: Server) -> None:
    media_type = f'application/json; a="{"b" * 1_000}"; charset=latin-1'
    status, answer = send(server, request_of(b'{"user_id": "u"}', media_type))
    assert status == 415
    assert answer["error"].startswith("Content-Type: expected at most 1,000 characters, got ")


def test_the_error_names_an_unsupported_transfer_encoding(server: Server) -> None:
    data = CHUNKED.replace(b"chunked", b"gzip, chunked") + b"2\r\n{}\r\n0\r\n\r\n"
    status, answer = send(server, data)
    assert (status, answer["error"]) == (
        415,
        "Transfer-Encoding: expected none or chunked, got 'gzip, chunked'",
    )


def test_an_unsupported_upgrade_is_ignored(server: Server) -> None:
    data = b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert send(server, data)[0] == 200


def test_the_items_of_all_records_are_limited_before_the_work(server: Server) -> None:
    body = json.dumps({"instances": [{"user_id": "u", "top_k": 1_000}] * 500})
    status, answer = send(server, request_of(body.encode()))
    assert (status, answer["field"]) == (400, "instances")
    assert "top_k of at most 20000 in all records: send fewer records or a smaller number" in answer["error"]


def test_the_history_events_of_all_records_are_limited(server: Server) -> None:
    record = {"user_id": "u", "history": [{"item_id": "i"}] * 600}
    status, answer = send(server, request_of(json.dumps({"instances": [record] * 100}).encode()))
    assert (status, answer["field"]) == (400, "instances")
    assert "events of history of at most 50000 in all records" in answer["error"]


def test_clients_that_announce_a_body_and_send_none_block_no_other(server: Server) -> None:
    with many(server, MAX_CONNECTIONS, head(6_000_000)):
        assert still_serves(server)
    assert still_serves(server)


def test_large_bodies_are_refused_at_the_memory_limit_and_small_ones_are_not(server: Server) -> None:
    before = peak_mb(server)
    part = head(MAX_BODY) + b" " * (MAX_BODY - 1)
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server, part)) for _ in range(MAX_BODIES + 8)]
        assert still_serves(server)
        for client in clients:
            client.sendall(b" ")
        statuses = Counter(response_of(client)[0] for client in clients)
    assert statuses.keys() == {400, 503}  # a body of spaces is not JSON
    assert statuses[503] >= 8
    assert peak_mb(server) - before < (MAX_BODIES + 8) * DEFAULT_PAYLOAD_IN_MB
    assert still_serves(server)


def test_decoded_values_are_refused_at_the_memory_limit_and_small_ones_are_not(server: Server) -> None:
    """Send 40 requests within every limit; their decoded histories take some 15 MB each."""
    before = peak_mb(server)
    ids = itertools.count()
    history = [[{"item_id": f"item-{next(ids)}"} for _ in range(LIMITS.max_history)] for _ in range(50)]
    data = request_of(json.dumps({"instances": [{"user_id": "u", "history": events} for events in history]}).encode())
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server, data)) for _ in range(40)]
        assert still_serves(server)
        statuses = Counter(response_of(client)[0] for client in clients)
    assert statuses.keys() == {200, 503}
    assert statuses[503] >= 20
    assert peak_mb(server) - before < MAX_BODIES * DEFAULT_PAYLOAD_IN_MB
    assert still_serves(server)


def test_a_503_has_retry_after(server: Server) -> None:
    part = head(MAX_BODY) + b" " * (MAX_BODY - 1)
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server, part)) for _ in range(MAX_BODIES + 2)]
        response = HTTPResponse(clients[-1])
        response.begin()
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "Try again" in json.loads(response.read())["error"]


def test_an_unfinished_head_has_a_maximum_size(server: Server) -> None:
    long_head = b"GET /ping HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4_000) for n in range(190))
    with many(server, 100, long_head[:50_000]):
        assert still_serves(server)
    with connected(server, long_head) as client:
        status, answer = response_of(client)
    assert status == 431
    assert "max buffer headers" in answer["error"]


@pytest.mark.parametrize("megabytes", [7, 20])
def test_a_client_that_sends_too_much_reads_the_413(server: Server, megabytes: int) -> None:
    """Send with urllib, which writes the whole body before it reads; closing at once would reset the connection."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/invocations",
        b" " * (megabytes * 10**6),
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == 413
    assert f"at most {MAX_BODY} bytes" in json.loads(refused.value.read())["error"]


@pytest.mark.parametrize(
    ("path", "media_type", "status"), [("/other", "application/json", 404), ("/invocations", "image/png", 415)]
)
def test_a_client_that_sends_a_needless_body_reads_its_response(
    server: Server, path: str, media_type: str, status: int
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, b" " * 20_000_000, {"Content-Type": media_type})
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize("surplus", [b"\r\n", b" " * 20_000], ids=["line break", "20 KB"])
@pytest.mark.parametrize("last", ["HTTP/1.0", "HTTP/1.1\r\nConnection: close"], ids=["1.0", "close"])
def test_a_client_that_sends_more_after_its_last_request_reads_the_whole_response(
    server: Server, last: str, surplus: bytes
) -> None:
    """Leave bytes unread: closing then would reset the connection and drop the rest of the response."""
    body = json.dumps({"instances": [{"user_id": "new", "top_k": 20}] * 500}).encode()
    with socket.socket() as client:
        client.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16
        )  # so that the server can't send everything at once
        client.settimeout(60)
        client.connect(("127.0.0.1", server.port))
        client.sendall(request_of(body).replace(b"HTTP/1.1", last.encode(), 1))
        assert server.request("GET", "/ping")[0] == 200  # by now the server has read the request
        client.sendall(surplus)
        response = HTTPResponse(client)
        response.begin()
        time.sleep(0.2)
        assert (response.status, len(json.loads(response.read())["predictions"])) == (200, 500)


@pytest.mark.parametrize("count", [MAX_CONNECTIONS, 2 * MAX_CONNECTIONS])
def test_idle_connections_make_room_for_a_new_client(server: Server, count: int) -> None:
    with many(server, count, b""):
        assert still_serves(server)


def test_kept_alive_connections_make_room_for_a_new_client(server: Server) -> None:
    with many(server, MAX_CONNECTIONS + 10, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"):
        assert still_serves(server)


def test_an_idle_connection_does_not_delay_the_stop(trained: Job) -> None:
    with (
        running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server,
        connected(server, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n") as kept,
        connected(server),
    ):
        assert response_of(kept)[0] == 200
        server.process.terminate()
        assert server.process.wait(timeout=15) == 0  # requests in progress would get 25 s


def test_a_request_that_has_arrived_gets_its_response_after_sigterm(trained: Job) -> None:
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server:
        body = json.dumps({"instances": [{"user_id": "new"}] * 100}).encode()
        with connected(server, request_of(body)) as client:
            assert server.request("GET", "/ping")[0] == 200  # this connection is the newer one
            server.process.terminate()
            status, answer = response_of(client)
        assert (status, len(answer["predictions"])) == (200, 100)
        assert server.process.wait(timeout=60) == 0


@pytest.mark.parametrize("header", ["SCRIPT_NAME: x", "PATH_INFO: x", "X-Forwarded-Proto: gopher", "X_Y: z"])
def test_a_header_for_proxies_changes_nothing(server: Server, header: str) -> None:
    assert send(server, f"GET /ping HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Y: \x01\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nExpect: gold\r\n\r\n", 417),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 60 + b"\r\n", 431),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n", 501),
        (head(5) + b"{}\r\n", 400),
        (head(0) + b"", 400),
    ],
)
def test_invalid_http_gets_an_error_in_json(server: Server, data: bytes, status: int) -> None:
    found, answer = send(server, data, half_closes=True)
    assert found == status
    assert answer.keys() == {"error", "field"}


@pytest.mark.parametrize(
    "data",
    [
        head(8, "text/csv") + b"600\n60",
        head(100) + b'{"user_id": "u"}',
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"8\r\n600\n60",
    ],
    ids=["csv", "json", "chunked"],
)
def test_a_body_that_is_shorter_than_announced_is_a_400(server: Server, data: bytes) -> None:
    status, answer = send(server, data, half_closes=True)
    assert status == 400
    assert answer["error"].startswith("body: expected")


@pytest.mark.slow
def test_a_body_that_does_not_arrive_in_time_is_a_408(server: Server) -> None:
    with connected(server, head(100) + b"{") as client:
        status, answer = response_of(client)
    assert (status, answer["error"]) == (
        408,
        f"body: expected the whole body within {BODY_SECONDS} s",
    )


def test_a_client_that_resets_its_connection_leaves_no_stack_trace(
    trained: Job, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_server(trained.base_dir, {MODEL_SERVER_WORKERS: "1"}) as server:
        for data in (b"", b"POST", head(100), head(100) + b"{", request_of(b'{"user_id": "u"}')):
            with connected(server, data) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        assert still_serves(server)
    assert "Traceback" not in capfd.readouterr().err
