"""Large requests that keep a server busy."""

import json
import select
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

from recommender.service.process import Server

HEADERS = {"Content-Type": "application/json"}


@contextmanager
def batch_under_way(server: Server, instances: int, user_id: str | None = None) -> Iterator[HTTPConnection]:
    """Send a request with many records and wait until the server works on it; the `with` block reads the response.

    A server with one worker accepts connections in order: when it responds to a ping, it has the request.

    Args:
        server: a server with one worker.
        instances: the number of records.
        user_id: the user of each record; None for users that the model does not know.
    """
    records = [
        {"user_id": user_id or f"new-{number}", "top_k": 20, "num_candidates": 1_000} for number in range(instances)
    ]
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        connection.request("POST", "/invocations", json.dumps({"instances": records}), HEADERS)
        assert server.request("GET", "/ping")[0] == 200
        yield connection


def pings_during_batches(server: Server, batches: int, instances: int, user_id: str | None = None) -> int:
    """Return the number of successive pings with a response before the server has responded to all batches."""
    pings = 0
    with ExitStack() as stack:
        waiting = [stack.enter_context(batch_under_way(server, instances, user_id)) for _ in range(batches)]
        while waiting:
            assert server.request("GET", "/ping")[0] == 200
            pings += 1
            waiting = [connection for connection in waiting if not has_response(connection)]
    return pings


def has_response(connection: HTTPConnection) -> bool:
    """Tell whether the response has begun to arrive, and read it then."""
    if not select.select([connection.sock], [], [], 0)[0]:
        return False
    response = connection.getresponse()
    assert response.status == 200
    return bool(response.read())
